"""Who is told of a live analysis, asked within this process: Prometheus, a command, and the keys of a terminal."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from conversation import CLIENT, SERVER, Conversation
from living import IDLE_AFTER, MANY, File
from observe import flows
from results import ROOT
from schema import validator

from analyzer.errors import OutputError, UsageError
from analyzer.kernels import plain
from analyzer.live import hook as hooks
from analyzer.live import listeners
from analyzer.live.canvas import keys_of
from analyzer.live.hook import Hook
from analyzer.live.session import Live
from analyzer.live.trial import trial_event
from analyzer.model.events import Event
from analyzer.model.flows import Endpoint, Estimate, HostSettings
from analyzer.model.status import Status
from analyzer.report.event_lines import alert_line, is_alert
from analyzer.report.metrics import Metrics

SECOND = 10**9
DEAD_PEER = ROOT / "captures" / "dead-peer" / "capture.pcap"


def live() -> Live:
    return Live(plain(), idle_after=IDLE_AFTER, notify=lambda text: None, most=MANY)


def reading() -> Live:
    run = live()
    run.intake.read("dead-peer", File(DEAD_PEER))
    return run


def shown(port: int) -> dict[str, float]:
    """What is served: values by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    values = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in values}


def test_what_happens_is_counted_while_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[dict[str, float]] = []
    close = Metrics.close

    def last_look(metrics: Metrics) -> None:
        served.append(shown(metrics.port))
        close(metrics)

    monkeypatch.setattr(Metrics, "close", last_look)
    run = reading()
    with listeners.metrics(run, ":0"):
        run.run()
    [values] = served
    assert values["keepalive_packets_total"] == 19
    assert values["keepalive_probes_total"] == values["keepalive_probes_unanswered_total"] == 4
    assert values['keepalive_dead_peers_total{service="198.51.100.20:7000"}'] == 1
    assert values['keepalive_dead_peers_total{service="other"}'] == 0
    assert (values["keepalive_connections_opened_total"], values["keepalive_connections_already_open_total"]) == (1, 0)
    assert values['keepalive_findings_total{rule="dead-peer",severity="high"}'] == 1
    assert values["keepalive_connections"] == 1


def test_counts_are_since_the_beginning_and_settings_those_of_now() -> None:
    metrics = Metrics("127.0.0.1", 0)
    idle = Estimate(15, 14.9, 15, 3)
    host = HostSettings("192.0.2.10", "client", 5432, (0, 1), idle, None, Estimate(None, 3, None, 3))
    setting = 'keepalive_setting{host="192.0.2.10",name="tcp_keepalive_time",port="5432",side="client"}'
    try:
        for packets, connections in ((5, 3), (5, 2), (9, 2)):
            metrics.update(Status(0, packets, 3, connections, 1, 0, 0, 0.5))
        metrics.show_settings([host])
        values = shown(metrics.port)
        assert (values["keepalive_packets_total"], values["keepalive_connections"]) == (9, 2)
        assert {name: value for name, value in values.items() if "setting" in name} == {setting: 15}
        metrics.show_settings([])
        assert setting not in shown(metrics.port)
    finally:
        metrics.close()


def test_heartbeats_are_counted_by_protocol() -> None:
    def talk(port: int) -> Conversation:
        talk = Conversation(ports=(port, 1883)).handshake()
        for _ in range(3):
            talk.idle(5).send(CLIENT, "PA", b"\xc0\0")
            talk.idle(0.1).send(SERVER, "PA", b"\xd0\0")
            talk.idle(0.1).acknowledge(CLIENT)
        return talk

    metrics = Metrics("127.0.0.1", 0)
    try:
        metrics.show_heartbeats(flows(talk(40_000), talk(40_001), Conversation(ports=(40_002, 80)).handshake()))
        assert shown(metrics.port)['keepalive_heartbeat_connections{protocol="mqtt"}'] == 2
        metrics.show_heartbeats([])
        assert not [name for name in shown(metrics.port) if "heartbeat" in name]
    finally:
        metrics.close()


def test_services_beyond_some_share_a_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has one from its first probe on, so that its first dead peer is an increase."""
    monkeypatch.setattr("analyzer.report.metrics.SERVICES", 2)
    metrics = Metrics("127.0.0.1", 0)
    try:
        for kind, port in (("probe", 1), ("probe", 2), ("probe", 3), ("connection-opened", 4), ("dead-peer", 3)):
            metrics.note([Event(kind, 0, 0, Endpoint("192.0.2.1", 40_000), Endpoint("192.0.2.2", port))])
        metrics.note([Event("dead-peer", 0, 1, Endpoint("192.0.2.1", 40_000), Endpoint("192.0.2.2", 2))])
        values = {name: value for name, value in shown(metrics.port).items() if "dead_peers_total" in name}
    finally:
        metrics.close()
    of = {name.partition('"')[2].rstrip('"}'): value for name, value in values.items()}
    assert of == {"other": 1, "192.0.2.2:1": 0, "192.0.2.2:2": 1}


def test_an_address_that_is_not_ours_cannot_be_served() -> None:
    with pytest.raises(OutputError, match=r"--metrics 192\.0\.2\.1:0: "), listeners.metrics(live(), "192.0.2.1:0"):
        pass
    with pytest.raises(UsageError, match="it is"), listeners.metrics(live(), "here"):
        pass


def told(command: str, findings: int, monkeypatch: pytest.MonkeyPatch, most: int = 1000) -> list[str]:
    """What is told of a command that is run so many times."""
    notes: list[str] = []
    monkeypatch.setattr(hooks, "MOST_WAITING", most)
    runner = Hook(command, notes.append)
    for number in range(findings):
        runner.run(f'{{"finding": {number}}}')
    runner.close()
    return notes


def test_each_finding_is_handed_to_the_command(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = f"import sys; open({str(out)!r}, 'a').write(sys.stdin.read())"
    run = reading()
    notes: list[str] = []
    with listeners.hook(run, f'{sys.executable} -c "{program}"', notes.append):
        run.run()
    assert notes == []
    [finding] = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    assert (finding["rule"], finding["stream"], finding["client"]["port"]) == ("dead-peer", 0, 40001)
    assert finding["type"] == "finding"
    validator("#/$defs/alert").validate(finding)


def test_what_is_over_is_handed_over_by_the_id_that_it_had() -> None:
    run, handed = live(), []
    ends = Endpoint("192.0.2.1", 40_000), Endpoint("192.0.2.2", 22)
    for one in (
        trial_event(SECOND)._replace(facts={"id": "dead-peer-0-1000"}),
        Event("recovered", SECOND, 0, *ends, {"verdict": "dead_peer"}),
        Event("recovered", SECOND, 0, *ends, {"id": "dead-peer-0-1000", "rule": "dead-peer", "severity": "high"}),
        Event("withdrawn", SECOND, None, None, None, {"id": "x-1-1", "rule": "x", "severity": "low"}),
    ):
        handed += [json.loads(alert_line(one, run))] if is_alert(one) else []
    for one in handed:
        validator("#/$defs/alert").validate(one)
    assert [(one["type"], one["id"], one["stream"]) for one in handed] == [
        ("finding", "dead-peer-0-1000", 0),
        ("recovered", "dead-peer-0-1000", 0),
        ("withdrawn", "x-1-1", None),
    ]
    run.close()


def test_what_goes_wrong_with_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told("false", 2, monkeypatch) == ["--on-finding: false ended with status 1"] * 2
    monkeypatch.setattr(hooks, "LONGEST_S", 0.1)
    [note] = told("sleep 5", 1, monkeypatch)
    assert "timed out" in note


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (None, "No such file"),
        (Path.mkdir, "directory"),
        (Path.touch, "may not execute it: try chmod a\\+rx .*/page"),
    ],
)
def test_what_cannot_be_run_is_said_at_once(make: Callable[[Path], None] | None, says: str, tmp_path: Path) -> None:
    if make is not None:
        make(tmp_path / "page")
    with pytest.raises(UsageError, match=says):
        Hook(f"{tmp_path}/page now", lambda text: None)


def test_a_name_is_looked_for_in_the_path() -> None:
    with pytest.raises(UsageError, match="--on-finding no-such-one: no such program in PATH"):
        Hook("no-such-one", lambda text: None)


def test_findings_that_come_too_fast_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "LAST_S", 0.2)
    lost, waiting = told("sleep 1", 9, monkeypatch, most=2)
    assert re.fullmatch("--on-finding: [67] findings came faster than the command took them", lost)
    assert waiting == "--on-finding: 2 findings were not handed over: the command takes too long"


@pytest.mark.parametrize(
    ("octets", "keys"),
    [
        (b"q", ["q"]),
        (b"ss", ["s", "s"]),
        (b"\x1b[A", ["up"]),
        (b"\x1b[Z", []),
        (b"\x1b", ["escape"]),
        ("ä".encode()[:1], []),
    ],
)
def test_keys_are_told_from_the_octets_of_a_terminal(octets: bytes, keys: list[str]) -> None:
    assert keys_of(octets) == keys
