"""Who runs with which rights while `live` captures as root, and that nothing is lost when they are given up."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commands import environment, keepalive
from live_network import QUICK, talking, two_hosts
from living import below, capturing, ended, event, lines, running, said
from results import ROOT, TRUTHS

NOBODY, ASKER, GROUP = 65534, 4321, 8765
FORMS = ("text", "json", "ndjson", "csv")
SUDO = {"SUDO_UID": str(ASKER), "SUDO_GID": str(GROUP)}
CAPTURES = [str(path) for truth in TRUTHS for path in sorted(truth.parent.glob("capture.*"))]


def status(process: int) -> dict[str, str]:
    """What the kernel says of a process."""
    pairs = (line.partition(":") for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return {name: " ".join(value.split()) for name, _, value in pairs}


def alive(process: int) -> bool:
    """Whether it is more than an entry in the table of processes."""
    try:
        return not status(process)["State"].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return False


def keeper_of(process: int) -> int:
    [child] = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return int(child)


@pytest.mark.parametrize(
    ("variables", "user", "group"), [({}, NOBODY, NOBODY), (SUDO, ASKER, GROUP)], ids=["root", "sudo"]
)
@pytest.mark.parametrize("backend", ["tcpdump", "scapy"])
def test_packets_are_read_without_rights(backend: str, variables: dict[str, str], user: int, group: int) -> None:
    arguments = ("-i", "lo", "--backend", backend, "--filter", "port 47124", "--format", "ndjson")
    with running(*arguments, variables=variables) as process:
        assert said(process) == b"keepalive: lo: capturing\n"
        with socket.socket() as client:
            client.connect_ex(("127.0.0.1", 47124))
        event(process, "connection-opened")
        parser = status(process.pid)
        assert parser["Uid"].split() == [str(user)] * 4
        assert parser["Gid"].split() == [str(group)] * 4
        assert parser["Groups"] == ""
        assert {int(parser[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
        assert parser["NoNewPrivs"] == "1"
        keeper = keeper_of(process.pid)
        assert status(keeper)["Uid"].split() == ["0"] * 4
        assert {os.readlink(f"/proc/{keeper}/fd/{number}") for number in range(3)} == {"/dev/null"}  # noqa: PTH115
        [capturer] = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
        assert int(status(int(capturer))["CapEff"], 16) == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert not alive(keeper)


def test_the_process_that_reads_cannot_gain_rights(tmp_path: Path) -> None:
    program = "import os; from analyzer.capture.interface.rights import give_up_rights; give_up_rights(); os.setuid(0)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment(), check=False)
    assert b"PermissionError" in run.stderr


def test_nothing_is_left_when_it_is_killed() -> None:
    with capturing() as (_, process):
        keeper, capturer = keeper_of(process.pid), below(process.pid, "tcpdump")
        assert alive(keeper) and alive(capturer)
        process.kill()
        process.wait()
        until = time.monotonic() + 2
        while (alive(keeper) or alive(capturer)) and time.monotonic() < until:
            time.sleep(0.02)
        assert not alive(keeper) and not alive(capturer)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_brings_the_result(number: signal.Signals) -> None:
    """As Ctrl-C on a terminal does; what is sent to all processes there are does not end the keeper before its time."""
    with two_hosts() as hosts:
        prefix = ("setsid", "ip", "netns", "exec", hosts.client)
        with running("-i", hosts.interface, "--format", "ndjson", prefix=prefix) as process:
            assert said(process) == b"keepalive: near: capturing\n"
            with talking(hosts):
                event(process, "connection-opened")
                os.kill(keeper_of(process.pid), number)
                os.killpg(process.pid, number)
                assert process.stdout is not None
                told = lines(process.stdout.read())
            assert process.wait() == 0
    assert [line["handshake"] for line in told if line["type"] == "flow"] == ["complete"]


def test_when_the_keeper_is_killed_there_is_a_result() -> None:
    with capturing() as (hosts, process):
        with talking(hosts):
            event(process, "connection-opened")
        capturer = below(process.pid, "tcpdump")
        os.kill(keeper_of(process.pid), signal.SIGKILL)
        os.kill(capturer, signal.SIGKILL)
        assert b"capturing again" in said(process)
        assert b"the process with the right to capture has ended: nothing more is captured there" in said(process)
        assert process.stdout is not None
        told = lines(process.stdout.read())
        assert process.wait() == 0
    assert [line["type"] for line in told][-2:] == ["capture", "flow"]


def test_when_the_keeper_alone_is_killed_it_can_be_ended() -> None:
    with capturing() as (hosts, process):
        with talking(hosts):
            event(process, "connection-opened")
        capturer = below(process.pid, "tcpdump")
        os.kill(keeper_of(process.pid), signal.SIGKILL)
        try:
            told = ended(process, signal.SIGINT)
        finally:
            os.kill(capturer, signal.SIGKILL)
    assert [line["type"] for line in told][-2:] == ["capture", "flow"]


@pytest.mark.parametrize(
    "request_", ["REQUEST.pack(START, 1)", "REQUEST.pack(NEXT_FILE, 0)", "REQUEST.pack(99, 0)", "b'?'"]
)
def test_what_is_no_request_ends_the_keeper_and_what_it_has_started(request_: str) -> None:
    """Nothing but its commands can be asked for, by their places."""
    program = f"""
import os, socket
from analyzer.capture.interface.keeper import NEXT_FILE, REQUEST, START, Keeper
keeper = Keeper({{"only": (["sleep", "30"], ["false"])}}, None)
output, _ = keeper.start("only", vlan=True)
keeper._socket.sendall({request_})
keeper._socket.shutdown(socket.SHUT_WR)
assert os.read(output, 1) == b"", "the child has ended"
try:
    keeper.start("only", vlan=True)
except ConnectionError as error:
    print(error)
keeper.close()
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, env=environment(), check=False, timeout=20
    )
    assert (run.stdout, run.stderr) == (b"the process with the right to capture has ended\n", b"")


def test_scapy_that_ends_is_started_again() -> None:
    with capturing("--backend", "scapy") as (hosts, process):
        with talking(hosts):
            event(process, "connection-opened")
        os.kill(below(keeper_of(process.pid), "python"), signal.SIGKILL)
        assert b"capturing again as soon as it can be" in said(process)
        assert said(process) == b"keepalive: near: capturing\n"
        with talking(hosts):
            assert event(process, "connection-opened")["stream"] == 1


def test_where_the_rights_cannot_be_given_up_it_is_said() -> None:
    """As in a container that lacks the right to become another user."""
    without = "--bounding-set=-setuid,-setgid"
    arguments = ("-i", "lo", "--backend", "scapy", "--duration", "0.1", "--format", "json")
    with running(*arguments, prefix=("setpriv", without)) as process:
        assert said(process).startswith(b"keepalive: packets are read with the rights of root")
        assert said(process) == b"keepalive: lo: capturing\n"
        assert process.wait(timeout=20) == 0


def test_a_ring_in_a_folder_that_is_closed_to_the_process_that_reads(tmp_path: Path) -> None:
    ring = tmp_path / "closed" / "ring"
    sizes = ("--write", str(ring), "--write-size", "0.001", "--write-files", "2")
    with two_hosts() as hosts:
        prefix = ("ip", "netns", "exec", hosts.client)
        arguments = ("-i", hosts.interface, "--format", "ndjson", *sizes)
        with running(*arguments, prefix=prefix, variables=SUDO) as process:
            assert said(process) == b"keepalive: near: capturing\n"
            for _ in range(3):
                with talking(hosts):
                    event(process, "connection-opened")
            assert status(process.pid)["Uid"].split() == [str(ASKER)] * 4
            ended(process, signal.SIGINT)
    assert (ring.stat().st_mode & 0o777, ring.stat().st_uid) == (0o700, 0)
    files = sorted(ring.iterdir())
    assert len(files) == 2
    assert not files[0].name.endswith("-000001.pcapng")
    for path in files:
        assert (path.stat().st_mode & 0o777, path.stat().st_uid, path.stat().st_gid) == (0o600, ASKER, GROUP)
        assert b"Traceback" not in keepalive("analyze", path).stderr


def test_a_ring_does_not_follow_a_link(tmp_path: Path) -> None:
    """The directory is the one that was there in the beginning, whatever has its name now."""
    from analyzer.capture.ring import Folder

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = Folder(str(tmp_path / "ring"), 2)
    (tmp_path / "ring").rename(tmp_path / "moved")
    (tmp_path / "ring").symlink_to(elsewhere)
    os.close(folder.next_file())
    folder.close()
    assert list(elsewhere.iterdir()) == []
    assert len(list((tmp_path / "moved").iterdir())) == 1


def essence(form: str, octets: bytes) -> Any:
    """Of a result what does not depend on the file it was made from."""
    if form == "json":
        whole = json.loads(octets)
        return [whole[name] for name in ("flows", "findings", "hosts")]
    if form == "ndjson":
        told = lines(octets)
        start = [line["type"] for line in told].index("result") + 1 if {"type": "result"} in told else 0
        return [line for line in told[start:] if line["type"] != "capture"]
    text = octets.decode()
    return text[text.index("#  client") :] if form == "text" else text


def test_the_result_is_complete_without_rights(tmp_path: Path) -> None:
    """The directories are root's alone; so may be those that Python and this program lie in."""
    with two_hosts() as hosts, contextlib.ExitStack() as stack:
        prefix = ("ip", "netns", "exec", hosts.client)
        outs = {form: tmp_path / form for form in FORMS}
        ways = []
        for form, out in outs.items():
            arguments = ("-i", hosts.interface, "--format", form, "-o", str(out), "--write", f"{out}-ring")
            ways.append(stack.enter_context(running(*arguments, "--no-sockets", prefix=prefix)))
        for process in ways:
            assert said(process) == b"keepalive: near: capturing\n"
        with talking(hosts, QUICK) as client:
            hosts.vanish()
            client.wait(timeout=20)
        for process in ways:
            assert status(process.pid)["Uid"].split() == [str(NOBODY)] * 4
            process.send_signal(signal.SIGINT)
        for process in ways:
            assert process.wait(timeout=30) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b""
    for form, out in outs.items():
        [written] = Path(f"{out}-ring").iterdir()
        again = keepalive("analyze", written, "--format", form).stdout
        assert essence(form, out.read_bytes()) == essence(form, again)
        assert b"dead_peer" in again
        assert out.stat().st_mode & 0o777 == 0o600


def unreadable(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(ROOT / "tests" / "support" / "unreadable.py"), *arguments]
    return subprocess.run(program, capture_output=True, text=True, env=environment(), check=False)


def test_after_the_preloading_nothing_is_loaded_any_more() -> None:
    """Of every recording the result is the same in every form, with all that is installed closed to the process."""
    closed, open_ = unreadable(*CAPTURES), unreadable(*CAPTURES, "--open")
    for run in (closed, open_):
        assert (run.returncode, run.stderr) == (0, "")
    assert len(closed.stdout.splitlines()) == len(CAPTURES) * len(FORMS)
    assert closed.stdout == open_.stdout


def test_without_it_something_is() -> None:
    assert "PermissionError: import of" in unreadable(CAPTURES[0], "--unloaded").stderr


@pytest.mark.parametrize(("before", "says"), [("", b""), ("rights._keep_doors_open = lambda: None", b"ModuleNotFound")])
def test_what_is_imported_later_is_found_behind_closed_doors(before: str, says: bytes, tmp_path: Path) -> None:
    """A package in a directory that only root may enter, one module of it imported before the rights go, one after."""
    package = tmp_path / "closed" / "package"
    package.mkdir(parents=True)
    for name in ("__init__", "early", "late"):
        (package / f"{name}.py").touch()
    (tmp_path / "closed").chmod(0o755)
    tmp_path.chmod(0o700)
    program = f"""
import sys
from analyzer.capture.interface import rights
sys.path.append({str(package.parent)!r})
import package.early
{before}
rights.give_up_rights()
import package.late
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment(), check=False)
    assert (run.returncode == 0) == (says == b"")
    assert says in run.stderr
