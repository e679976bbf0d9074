"""Who is told of a live analysis: the screen's reader, Prometheus, a command for each finding."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from commands import keepalive
from conversation import CLIENT, SERVER, Conversation
from living import LONGEST_S, event, idle_since, into, lines, running, split
from results import ROOT
from schema import validator
from terminals import ALTERNATE_SCREEN, AND_BACK, Tty, on_a_terminal
from wirebytes import pcap_bytes

DASHBOARD = ROOT / "analyzer" / "report" / "grafana.json"
CROWD = ROOT / "captures" / "crowd" / "capture.pcap"
DEAD_PEER = ROOT / "captures" / "dead-peer" / "capture.pcap"


# -- the screen


def live_on_a_terminal(*arguments: str, width: int = 100) -> contextlib.AbstractContextManager[Tty]:
    """`live -`, fed by a pipe."""
    return on_a_terminal("live", "-", *arguments, width=width)


def test_the_screen_shows_what_happens_and_gives_the_terminal_back() -> None:
    with live_on_a_terminal("--utc") as tty:
        into(tty.process).write(idle_since(0))
        tty.until(ALTERNATE_SCREEN)
        tty.until(b"keepalive live  standard input")
        tty.until(b"client frame")
        tty.press(b"?")
        tty.until(b"probes in a row without a reply")
        tty.press(b"x")
        tty.press(b"f5432\r")
        tty.until(b"filter: 5432")
        tty.press(b"q")
        tty.until(AND_BACK)
        rest = tty.rest()
        assert tty.process.wait(timeout=LONGEST_S) == 0
    assert b"1 connection: 1 healthy" in rest
    assert b"\x1b[?1049h" not in rest


def test_a_terminal_may_have_lines_instead() -> None:
    with live_on_a_terminal("--no-screen") as tty:
        into(tty.process).write(idle_since(0))
        assert ALTERNATE_SCREEN not in tty.until(b"unanswered ")
        tty.process.send_signal(signal.SIGINT)
        assert b"1 connection: 1 healthy" in tty.rest()


def test_ctrl_c_on_the_screen_brings_the_result() -> None:
    with live_on_a_terminal() as tty:
        into(tty.process).write(idle_since(0))
        tty.until(b"connection-opened")
        tty.press(b"\x03")  # as the terminal's driver takes it: an interrupt for the foreground
        tty.until(AND_BACK)
        assert b"1 connection:" in tty.rest()
        assert tty.process.wait(timeout=LONGEST_S) == 0


def test_damage_is_told_when_the_screen_is_gone() -> None:
    with live_on_a_terminal() as tty:
        into(tty.process).write(DEAD_PEER.read_bytes()[:-7])
        into(tty.process).close()
        tty.until(AND_BACK)
        assert b"1 connection: 1 dead_peer" in tty.rest()
        assert tty.process.stderr is not None
        assert b"cut short" in tty.process.stderr.read()


# -- metrics

GAUGES_S = 20  # they follow once a second, on a busy machine later


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def scraped(port: int) -> dict[str, float]:
    """Sums of the samples by name."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    sums: dict[str, float] = {}
    for name, value in re.findall(r"^(\w+)(?:{.*})? (\S+)$", text, re.MULTILINE):
        sums[name] = sums.get(name, 0) + float(value)
    return sums


def patiently_scraped(port: int) -> dict[str, float]:
    """The same, of a process that has just been started."""
    deadline = time.monotonic() + LONGEST_S
    while True:
        try:
            return scraped(port)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_metrics_count_what_is_told() -> None:
    result = keepalive("analyze", "-", "--format", "ndjson", stdin=CROWD.read_bytes()).stdout
    flows = [line for line in lines(result) if line["type"] == "flow"]
    entries = [entry for flow in flows for entry in flow["keepalive"]]
    counts = {
        "keepalive_connections_opened_total": sum(flow["handshake"] != "not_captured" for flow in flows),
        "keepalive_connections": len(flows),
        "keepalive_probes_total": sum(entry["probes"] for entry in entries),
        "keepalive_probes_answered_total": sum(entry["answered"] for entry in entries),
        "keepalive_packets_total": next(line["packets"] for line in lines(result)),
    }
    port = free_port()
    with running("-", "--format", "json", "--metrics", f":{port}") as process:
        into(process).write(CROWD.read_bytes())
        samples = patiently_scraped(port)
        deadline = time.monotonic() + GAUGES_S
        while "keepalive_setting" not in samples or not counts.items() <= samples.items():
            assert time.monotonic() < deadline, samples
            time.sleep(0.05)
            samples = scraped(port)
    assert samples["keepalive_setting"] > 0
    assert samples["keepalive_lag_seconds"] == 0  # a replay


def test_the_dashboard_asks_for_what_there_is() -> None:
    from analyzer.report.metrics import Metrics

    metrics = Metrics("127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics", timeout=10) as answer:
            served = set(re.findall(r"^# TYPE (\w+) ", answer.read().decode(), re.MULTILINE))
    finally:
        metrics.close()
    dashboard = json.loads(DASHBOARD.read_text())
    asked = set(re.findall(r"\bkeepalive_\w+", json.dumps(dashboard)))
    assert asked <= served
    assert {name for name in served if not name.endswith("_created")} - asked == {
        "keepalive_connections_left_open_total"
    }


@pytest.mark.parametrize("where", ["9105x", "127.0.0.1", "127.0.0.1:", ":99999", ":-1", ""])
def test_an_address_that_is_none(where: str) -> None:
    run = keepalive("live", "-", "--metrics", where, stdin=DEAD_PEER.read_bytes())
    assert (run.returncode, run.stdout) == (2, b"")
    assert b"[ADDR]:PORT" in run.stderr


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = keepalive("live", "-", "--metrics", f":{port}", stdin=DEAD_PEER.read_bytes())
    assert (run.returncode, run.stdout) == (4, b"")
    said = f"keepalive: --metrics :{port}: Address already in use: another program, perhaps another live, serves there"
    assert run.stderr.decode() == f"{said}; choose another port\n"


# -- findings


def test_a_command_is_run_for_each_finding(tmp_path: Path) -> None:
    """Once for each that is told, in their order, with no shell between."""
    log = tmp_path / "log"
    program = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"
    command = f"{sys.executable} -c \"{program}\" '{log}' '$(touch {tmp_path}/shell)'"
    octets = (ROOT / "captures" / "lost-state" / "capture.pcap").read_bytes()
    run = keepalive("live", "-", "--format", "ndjson", "--on-finding", command, stdin=octets)
    assert (run.returncode, run.stderr) == (0, b"")
    handed = lines(log.read_bytes())
    told = [line for line in split(run.stdout)[0] if "id" in line]
    assert [one["rule"] for one in handed] == [one["finding"]["rule"] for one in told] != []
    for one, line in zip(handed, told, strict=True):
        assert one == {**line.pop("finding"), **line}
    assert not (tmp_path / "shell").exists()


@pytest.mark.parametrize(
    ("command", "says"),
    [("false", "false ended with status 1")],
)
def test_a_command_that_fails_is_told_and_changes_nothing(command: str, says: str) -> None:
    run = keepalive("live", "-", "--format", "json", "--on-finding", command, stdin=DEAD_PEER.read_bytes())
    assert run.returncode == 0
    assert says in run.stderr.decode()
    assert run.stdout == keepalive("analyze", "-", "--format", "json", stdin=DEAD_PEER.read_bytes()).stdout


@pytest.mark.parametrize("command", ["", "'unbalanced", "no-such-command", "/no/such/command now"])
def test_what_is_no_command(command: str) -> None:
    run = keepalive("live", "-", "--on-finding", command, stdin=DEAD_PEER.read_bytes())
    assert (run.returncode, run.stdout) == (2, b"")
    assert b"--on-finding" in run.stderr


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        ("cat", 0, "ended with status 0"),
        ("false", 4, "false ended with status 1"),
        ("no-such-command", 2, "no such program in PATH"),
    ],
)
def test_a_command_can_be_tried_out(command: str, status: int, says: str) -> None:
    run = keepalive("live", "--test-hook", "--on-finding", command)
    assert (run.returncode, run.stdout) == (status, b"")
    *handed, last = run.stderr.decode().splitlines()
    assert says in last
    for one in handed:
        validator("#/$defs/alert").validate(json.loads(one))
        assert "This is a test" in one
    assert len(handed) == (command == "cat")


# -- lines


def test_trouble_alone_can_be_written() -> None:
    octets = CROWD.read_bytes()
    whole, _ = split(keepalive("live", "-", "--format", "ndjson", stdin=octets).stdout)
    some, _ = split(keepalive("live", "-", "--format", "ndjson", "--only", "trouble", stdin=octets).stdout)
    ordinary = {"connection-opened", "connection-seen", "closed", "probe", "answered"}
    kinds = [one["type"] for one in whole if one["type"] not in ordinary]
    assert [one["type"] for one in some] == kinds
    assert {"dead-peer", "finding", "reset", "unanswered"} <= set(kinds)


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_lines_fit_the_terminal_and_have_the_colour_of_their_severity(width: int) -> None:
    with live_on_a_terminal("--no-screen", "--utc", width=width) as tty:
        into(tty.process).write(DEAD_PEER.read_bytes())
        into(tty.process).close()
        told = tty.rest().decode().replace("\r", "").partition("\n\n")[0].splitlines()
    plain = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in told]
    assert max(map(len, plain)) <= width
    assert any(re.match(r"[\d:.]+ \x1b\[31mdead-peer +\x1b\[0m #0", line) for line in told)
    assert any(re.match(r"[\d:.]+ \x1b\[31mHIGH +\x1b\[0m #0: dead", line) for line in told)


# -- findings about several connections


def test_in_the_end_every_finding_has_been_told() -> None:
    run = keepalive("live", "-", "--format", "ndjson", stdin=CROWD.read_bytes())
    events, result = split(run.stdout)
    for one in events:
        validator("#/$defs/event").validate(one)
    found = [line for line in result if line["type"] == "finding"]
    assert any(line["stream"] is None for line in found)

    def about(finding: dict[str, object]) -> tuple[object, ...]:
        return finding["rule"], finding["stream"], str(finding.get("streams"))

    over = {one["id"] for one in events if one["type"] in ("recovered", "withdrawn") and "id" in one}
    told = [about(one["finding"]) for one in events if one["type"] == "finding" and one["id"] not in over]
    assert len(told) == len(set(told))
    assert set(told) >= {about(line) for line in found if line["severity"] != "low"}
    # What was told and does not stand in the end has been explained: it is a note of what stands for that connection.
    for rule, stream, _ in set(told) - {about(line) for line in found}:
        of = [line for line in found if line["stream"] == stream or stream in (line.get("streams") or ())]
        assert any(note.startswith(f"{rule}: ") for line in of for note in line.get("notes", ()))


def test_what_several_connections_show_is_told_while_they_do() -> None:
    """Once it has been seen twice, and not again."""
    talks = []
    for port in range(40_000, 40_004):
        talk = Conversation(rtt=0.01, ports=(port, 5432), start=(port - 40_000) * 0.1)
        talks.append(talk.handshake().data(CLIENT, 100).data(SERVER, 300))
    segments = sorted((segment for talk in talks for segment in talk.segments), key=lambda segment: segment.time)
    shift = time.time_ns() - 360 * 10**9 - segments[-1].time
    fresh = Conversation(rtt=0.001, ports=(50_000, 6379)).handshake()
    late = time.time_ns() - fresh.segments[-1].time
    octets = pcap_bytes(
        [replace(segment, time=segment.time + shift) for segment in segments]
        + [replace(segment, time=segment.time + late) for segment in fresh.segments]
    )
    with running("-", "--format", "ndjson", patch="analyzer.live.session.SURVEY_EVERY_S = 0.5") as process:
        into(process).write(octets)
        told = event(process, "finding")
        assert told["stream"] is None and told["finding"]["rule"] == "unprotected-idle"
        assert told["finding"]["streams"] == [0, 1, 2, 3]
        into(process).close()
        assert process.stdout is not None
        events, _ = split(process.stdout.read())
    assert "unprotected-idle" not in [one["finding"]["rule"] for one in events if one["type"] == "finding"]
