"""`keepalive live`: what is told while it happens, and that the result in the end is what `analyze` gives."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from commands import keepalive
from live_network import talking
from living import HEADER, below, capturing, ended, event, idle_since, into, lines, running, said, split
from results import ROOT, TRUTHS
from schema import validator
from wirebytes import pcap_bytes

CAPTURES = [path.parent / json.loads(path.read_text())["capture"] for path in TRUTHS]
ONE_FILE = [path for path in CAPTURES if "*" not in path.name]


@pytest.mark.parametrize("path", ONE_FILE[::6], ids=lambda path: path.parent.name)
def test_the_result_of_a_stream_is_that_of_the_file(path: Path) -> None:
    octets = path.read_bytes()
    live = keepalive("live", "-", "--format", "json", stdin=octets)
    assert (live.returncode, live.stderr) == (0, b"")
    assert live.stdout == keepalive("analyze", "-", "--format", "json", stdin=octets).stdout


@pytest.mark.parametrize("path", ONE_FILE[::6], ids=lambda path: path.parent.name)
def test_events_say_what_the_result_says(path: Path) -> None:
    events, result = split(keepalive("live", "-", "--format", "ndjson", stdin=path.read_bytes()).stdout)
    flows = [line for line in result if line["type"] == "flow"]
    for told in events:
        validator("#/$defs/event").validate(told)

    def count(kind: str) -> int:
        return sum(told["type"] == kind for told in events)

    entries = [entry for flow in flows for entry in flow["keepalive"]]
    assert count("connection-opened") + count("connection-seen") == len(flows)
    assert count("probe") == sum(entry["probes"] for entry in entries)
    assert count("answered") == sum(entry["answered"] for entry in entries)
    assert count("closed") == sum(flow["ending"]["how"] == "fin" for flow in flows)
    answered_again = sum(
        told["type"] in ("recovered", "withdrawn") and told.get("verdict") == "dead_peer" for told in events
    )
    assert count("dead-peer") - answered_again == sum(flow["verdict"] == "dead_peer" for flow in flows)
    assert [told["time"] for told in events if told["type"] == "probe"] == sorted(
        probe["time"] for entry in entries for episode in entry["episodes"] for probe in episode["probes"]
    )


def test_a_stream_that_dribbles_is_read_as_well() -> None:
    path = ROOT / "captures" / "dead-peer" / "capture.pcap"
    octets = path.read_bytes()
    with running("-", "--format", "json") as process:
        for start in range(0, len(octets), 97):
            into(process).write(octets[start : start + 97])
            time.sleep(0.002)
        into(process).close()
        assert process.stdout is not None
        assert process.stdout.read() == keepalive("analyze", "-", "--format", "json", stdin=octets).stdout


def test_a_file_that_is_being_written_is_followed(tmp_path: Path) -> None:
    octets = (ROOT / "captures" / "dead-peer" / "capture.pcap").read_bytes()
    path = tmp_path / "growing.pcap"
    path.write_bytes(octets[:HEADER])
    with running("--follow", str(path), "--format", "ndjson") as process, path.open("ab", buffering=0) as file:
        for start in range(HEADER, len(octets), 333):
            file.write(octets[start : start + 333])
            time.sleep(0.02)
        event(process, "dead-peer")
        result = [line for line in ended(process, signal.SIGINT) if line["type"] == "flow"]
    whole = keepalive("analyze", str(path), "--format", "ndjson").stdout
    assert result == [line for line in lines(whole) if line["type"] == "flow"]


def test_an_unanswered_probe_is_told_when_its_time_is_up_and_not_of_a_replay() -> None:
    """What was captured long ago stands still while no packet comes, however long that is."""
    with running("-", "--format", "ndjson") as process, running("-", "--format", "ndjson") as replay:
        into(replay).write(idle_since(10_000))
        event(replay, "probe")
        into(process).write(idle_since(0))
        probe = event(process, "probe")
        began = time.monotonic()
        unanswered = event(process, "unanswered")
        assert time.monotonic() - began < 1.5
        assert unanswered["frame"] == probe["frame"]
        assert unanswered["time"] - probe["time"] < 1
        time.sleep(0.3)  # the replay's clock is looked at four times a second, and its packets were there before
        into(replay).close()
        assert replay.stdout is not None
        assert "unanswered" not in [told["type"] for told in lines(replay.stdout.read())]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_brings_the_result(number: signal.Signals) -> None:
    with running("-", "--format", "ndjson") as process:
        into(process).write(idle_since(0))
        event(process, "probe")
        told = ended(process, number)
        assert [line["type"] for line in told][-2:] == ["capture", "flow"] or told[-1]["type"] == "finding"


def test_duration_ends_a_stream_that_does_not() -> None:
    with running("-", "--format", "json", "--duration", "0.5") as process:
        into(process).write(idle_since(0))
        assert process.stdout is not None
        assert len(json.loads(process.stdout.read())["flows"]) == 1
        assert process.wait() == 0


def test_a_stream_cut_in_mid_packet_keeps_what_was_understood() -> None:
    octets = (ROOT / "captures" / "dead-peer" / "capture.pcap").read_bytes()
    run = keepalive("live", "-", "--format", "json", stdin=octets[:-7])
    assert run.returncode == 0
    assert b"cut short" in run.stderr
    assert len(json.loads(run.stdout)["flows"]) == 1


def test_garbage_in_the_stream_keeps_what_was_understood() -> None:
    octets = (ROOT / "captures" / "dead-peer" / "capture.pcap").read_bytes()
    run = keepalive("live", "-", "--format", "json", stdin=octets + b"\xff" * 1000)
    assert run.returncode == 0
    assert json.loads(run.stdout)["captures"][0]["problems"]
    assert len(json.loads(run.stdout)["flows"]) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ((), 2, "-i IFACE"),
        (("-", "-i", "lo"), 2, "one of them"),
        (("--follow", "no-such-file"), 3, "cannot be opened"),
        (("capture.pcap",), 2, "keepalive analyze"),
        (("-", "--filter", "port 80"), 2, "--filter"),
        (("-",), 3, "empty"),
        (("-i", "no-such-one"), 5, "there are"),
        (("-i", "lo", "--filter", "no such filter"), 5, "lo: "),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], status: int, says: str) -> None:
    run = keepalive("live", *arguments)
    assert (run.returncode, run.stdout) == (status, b"")
    assert says in run.stderr.decode()
    assert "Traceback" not in run.stderr.decode()


def test_a_reader_that_has_seen_enough() -> None:
    with running("-") as process:
        assert process.stdout is not None
        into(process).write(pcap_bytes([])[:HEADER])
        process.stdout.close()
        into(process).write(idle_since(0)[HEADER:])
        assert process.wait(timeout=10) == 0
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_a_dead_peer_is_told_live() -> None:
    """Real sockets, real tcpdump: within a second of when the kernel sent each probe, and of when it gave up."""
    with capturing() as (hosts, process):
        with talking(hosts) as client:
            opened = event(process, "connection-opened")
            assert time.time() - opened["time"] < 10
            event(process, "answered")
            hosts.vanish()
            for _ in range(2):  # it is told before the kernel gives up at the third
                unanswered = event(process, "unanswered")
                assert time.time() - unanswered["time"] < 1
            dead = event(process, "dead-peer")
            assert time.time() - dead["time"] < 1
            client.wait(timeout=10)
        told = ended(process, signal.SIGINT)
    [flow] = [line for line in told if line["type"] == "flow"]
    [entry] = flow["keepalive"]
    assert flow["verdict"] == "dead_peer"
    assert [entry[name]["value"] for name in ("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes")] == [
        2,
        1,
        3,
    ]


def test_an_interface_may_go_down_and_come_up() -> None:
    with capturing() as (hosts, process):
        with talking(hosts):
            event(process, "connection-opened")
        hosts.unplug()
        hosts.plug()
        with talking(hosts):
            assert event(process, "connection-opened")["stream"] == 1


def test_a_tcpdump_that_ends_is_started_again() -> None:
    with capturing() as (hosts, process):
        with talking(hosts):
            event(process, "connection-opened")
        os.kill(below(process.pid, "tcpdump"), signal.SIGKILL)
        assert b"capturing again as soon as it can be" in said(process)
        assert said(process) == b"keepalive: near: capturing\n"
        with talking(hosts):
            assert event(process, "connection-opened")["stream"] == 1
        told = ended(process, signal.SIGTERM)
    assert [line["type"] for line in told].count("capture") == 2
