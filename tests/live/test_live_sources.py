"""One thing seen in four ways at once: by tcpdump of ours, by one of another's, by scapy, and in a file that grows."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from commands import keepalive
from conversation import CLIENT, SERVER, Conversation
from live_network import talking, two_hosts
from living import HEADER, Json, ended, event, running, said
from results import ROOT
from wirebytes import pcap_bytes

from analyzer.capture.interface.backend import Backend
from analyzer.capture.interface.processes import Children
from analyzer.live.complaints import called, in_words
from analyzer.live.sources import DROPPED, SETTLED_S, Capturer, commands

TALK = Conversation(rtt=0.01).handshake().data(CLIENT, 100).data(SERVER, 300).idle(0.1)
TALK.acknowledge(CLIENT)
for _ in range(6):
    TALK.idle(15.1).probe(CLIENT)
TOLD = ("connection-opened", "probe", "answered", "unanswered", "dead-peer", "reset", "finding")


def essence(told: list[Json]) -> Counter[tuple[object, ...]]:
    """What was told of what, without frame numbers: captures begin at different packets; and times to a tenth."""
    return Counter(
        (
            line["type"],
            line["stream"],
            line["client"]["port"],
            line.get("sender"),
            line.get("by"),
            line.get("finding", {}).get("rule"),
            round(line["time"], 1) if line["type"] in ("probe", "answered", "reset") else None,
        )
        for line in told
        if line["type"] in TOLD
    )


def test_the_same_is_told_however_it_is_captured(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcap"
    with two_hosts() as hosts, contextlib.ExitStack() as stack:
        inside = ("ip", "netns", "exec", hosts.client)
        dump = [*inside, "tcpdump", "-U", "--immediate-mode", "-i", hosts.interface, "-w"]
        into_file, into_pipe = (
            stack.enter_context(subprocess.Popen([*dump, to], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
            for to in (str(path), "-")
        )
        stack.callback(into_file.kill)
        stack.callback(into_pipe.kill)
        assert into_pipe.stdout is not None
        while not path.exists() or path.stat().st_size < HEADER:
            time.sleep(0.05)
        ways = [
            stack.enter_context(running(*arguments, "--format", "ndjson", prefix=inside, stdin=stdin))
            for arguments, stdin in (
                (("-i", hosts.interface), None),
                (("-i", hosts.interface, "--backend", "scapy"), None),
                (("-",), into_pipe.stdout),
                (("--follow", str(path)), None),
            )
        ]
        for process in ways[:2]:
            assert said(process) == b"keepalive: near: capturing\n"
        with talking(hosts, (1, 1, 3)) as client:
            heard: list[list[Json]] = [[] for _ in ways]
            for process, told in zip(ways, heard, strict=True):
                event(process, "answered", told)
            hosts.vanish()
            for process, told in zip(ways, heard, strict=True):
                event(process, "dead-peer", told)
            client.wait(timeout=10)
        for process, told in zip(ways, heard, strict=True):
            event(process, "reset", told)
            told += ended(process, signal.SIGINT)
    seen = [
        essence([line for line in told if "stream" in line and "client" in line and "verdict" not in line])
        for told in heard
    ]
    assert seen[0][("dead-peer", 0, heard[0][0]["client"]["port"], None, None, None, None)] == 1
    for other in seen[1:]:
        assert other == seen[0]


def test_scapy_captures_on_the_loopback_interface_each_packet_once() -> None:
    with running("-i", "lo", "--backend", "scapy", "--filter", "port 47123", "--format", "ndjson") as process:
        assert said(process) == b"keepalive: lo: capturing\n"
        with socket.create_server(("127.0.0.1", 47123)) as server:
            socket.create_connection(("127.0.0.1", 47123)).close()
            server.accept()[0].close()
        event(process, "closed")
        [flow] = [line for line in ended(process, signal.SIGTERM) if line["type"] == "flow"]
    assert flow["handshake"] == "complete"
    assert flow["packets"]["client"] + flow["packets"]["server"] in (6, 7)


@pytest.mark.parametrize("backend", ["tcpdump", "scapy"])
def test_without_the_right_to_capture(backend: str) -> None:
    prefix = ("setpriv", "--bounding-set=-net_raw,-net_admin", "--inh-caps=-net_raw,-net_admin")
    run = keepalive("live", "-i", "lo", "--backend", backend, prefix=prefix)
    assert (run.returncode, run.stdout) == (5, b"")
    assert b"root lacks CAP_NET_RAW here" in run.stderr
    assert b"Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("complaint", "interface", "root", "says"),
    [
        ("(socket: Operation not permitted)", "lo", False, "you don't have permission to capture: try sudo "),
        ("(socket: Operation not permitted)", "lo", False, " live -i lo"),
        ("(socket: Operation not permitted)", "lo", True, "Operation not permitted: root lacks"),
        ("(No such device exists)", "eth1", False, "no such interface; did you mean eth0? There are lo, eth0"),
        ("(No such device exists)", "nosuch", False, "no such interface; there are lo, eth0"),
        ("can't parse filter expression: syntax error", "lo", False, "can't parse filter expression: syntax error"),
    ],
)
def test_a_complaint_comes_with_what_helps(complaint: str, interface: str, root: bool, says: str) -> None:
    assert says in in_words(complaint, interface, ["lo", "eth0"], root=root)


@pytest.mark.parametrize(
    ("argument", "called_as"),
    [
        ("/usr/bin/env", "env"),
        ("/home/some one/bin/keepalive", "'/home/some one/bin/keepalive'"),
        ("/there/analyzer/__main__.py", f"{sys.executable} -m analyzer"),
    ],
)
def test_sudo_is_told_where_the_program_is(argument: str, called_as: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a PATH of its own, in which what pipx installs is not."""
    monkeypatch.setattr(sys, "argv", [argument])
    assert called() == called_as


def test_scapy_says_what_cannot_be_captured() -> None:
    for arguments, says in (
        (("-i", "no-such-one"), "no such interface; there are"),
        (("-i", "lo", "--filter", "no such filter"), "filter"),
    ):
        run = keepalive("live", "--backend", "scapy", *arguments)
        assert (run.returncode, run.stdout) == (5, b""), run.stderr
        assert says in run.stderr.decode()


def test_without_tcpdump_scapy_captures(tmp_path: Path) -> None:
    with running("-i", "lo", "--duration", "0.2", "--format", "json", variables={"PATH": str(tmp_path)}) as process:
        assert said(process) == b"keepalive: lo: capturing\n"
        assert process.wait(timeout=30) == 0


def test_the_files_of_a_folder_are_read_as_they_come(tmp_path: Path) -> None:
    octets = pcap_bytes(TALK.segments)
    third = (len(TALK.segments) // 3, 2 * len(TALK.segments) // 3)
    parts = [pcap_bytes(TALK.segments[start:stop]) for start, stop in ((None, third[0]), third, (third[1], None))]
    (tmp_path / "a.pcap").write_bytes(parts[0])
    with running("--follow", str(tmp_path), "--format", "ndjson") as process:
        event(process, "connection-opened")
        (tmp_path / "b.pcap").write_bytes(parts[1][:100])
        time.sleep(0.3)
        with (tmp_path / "b.pcap").open("ab") as file:
            file.write(parts[1][100:])
        for _ in range(3):  # all that is in it has been read
            event(process, "probe")
        (tmp_path / "a.pcap").write_bytes(parts[2])  # the ring begins anew
        for _ in range(3):
            event(process, "probe")
        told = ended(process, signal.SIGINT)
    [flow] = [line for line in told if line["type"] == "flow"]
    whole = keepalive("analyze", "-", "--format", "json", stdin=octets)
    [same] = json.loads(whole.stdout)["flows"]
    assert (flow["packets"], flow["verdict"], flow["state"]) == (same["packets"], same["verdict"], same["state"])
    assert [Path(line["path"]).name for line in told if line["type"] == "capture"] == ["a.pcap", "b.pcap", "a.pcap"]


def test_what_is_no_capture_in_a_folder_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are not packets " * 10)
    os.utime(tmp_path / "notes.txt", (1, 1))
    (tmp_path / "a.pcap").write_bytes((ROOT / "captures" / "dead-peer" / "capture.pcap").read_bytes())
    with running("--follow", str(tmp_path), "--format", "ndjson") as process:
        assert b"notes.txt" in said(process)
        event(process, "dead-peer")


def test_what_was_dropped_is_asked_for() -> None:
    """Both backends answer the question, go on, and count from the beginning; no answer is taken for a complaint."""
    with contextlib.ExitStack() as stack:
        capturers = []
        for backend in (Backend.tcpdump, Backend.scapy):
            children = Children(commands(["lo"], None, backend))
            stack.callback(children.close)
            capturers.append(Capturer("lo", children, vlan=False))
        for capturer in capturers:
            assert len(capturer.output.read(HEADER)) == HEADER
        time.sleep(SETTLED_S)
        for capturer in capturers:
            for answers in (1, 2):
                deadline = time.monotonic() + 10
                capturer.ask()
                while len(DROPPED.findall("\n".join(capturer._said))) < answers:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            assert capturer.dropped == 0
            assert capturer.complaint == "the capture ended with status None"
            capturer.stop()
            capturer.close()
            assert len(DROPPED.findall("\n".join(capturer._said))) == 3
