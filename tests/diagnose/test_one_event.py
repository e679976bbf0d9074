"""One event is one finding; nobody is called gone who was heard; what never came about is told by service."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed

from analyzer.model.findings import Finding

FORMS = [{}, {"v6": True}, {"timestamps": False}]
EVERY_FORM = pytest.mark.parametrize("form", FORMS, ids=str)


def at(port: int, start: float = 0.0, service: int = 5432, **form: Any) -> Conversation:
    talk = Conversation(ports=(port, service), start=start, **form).handshake()
    return talk.data(CLIENT, 100).data(SERVER, 300)


def busy(seconds: int, port: int = 41_000, **form: Any) -> Conversation:
    talk = at(port, **form)
    for _ in range(seconds // 2):
        talk.idle(2).data(CLIENT, 50).data(SERVER, 60)
    return talk


def dead(port: int = 40_000, idle: float = 20, count: int = 4, **form: Any) -> Conversation:
    return at(port, **form).idle(idle).probes(CLIENT, count, every=5, answered=False).rst(CLIENT)


def ended(seconds: float) -> Conversation:
    return Conversation(ports=(50_000, 80), start=seconds, rtt=0.001).handshake()


def of_stream(stream: int, *talks: Conversation) -> list[Finding]:
    return [one for one in analyzed(*talks).findings if one.stream == stream or stream in one.streams]


@EVERY_FORM
def test_a_peer_heard_on_another_connection_is_not_called_gone(form: dict[str, Any]) -> None:
    [finding] = of_stream(0, dead(idle=8, **form), busy(60, **form))
    assert finding.rule == "keepalive-exhausted-but-alive"
    assert [note.partition(":")[0] for note in finding.notes] == ["dead-peer"]
    assert "no packet from the peer" not in finding.notes[0] + finding.evidence.observed


def test_a_peer_that_nobody_heard_is() -> None:
    [finding] = of_stream(0, dead(), busy(10))
    assert (finding.rule, finding.notes) == ("dead-peer", ())
    assert ", 20.0 s of these after the first probe" in finding.evidence.observed


@EVERY_FORM
def test_a_peer_that_asks_in_its_turn_loses_one_direction(form: dict[str, Any]) -> None:
    talk = at(40_000, **form).idle(20)
    for _ in range(4):
        talk.ask(CLIENT)
        talk.idle(2).probe(SERVER).idle(3)
    [finding] = of_stream(0, talk.rst(CLIENT))
    assert finding.rule == "one-way-loss"


def test_a_peer_that_speaks_after_it_was_given_up_is_alive() -> None:
    talk = dead().idle(40)
    talk.send(SERVER, "PA", b"x" * 40, captured=True)
    findings = of_stream(0, talk.idle(1), ended(150))
    assert {one.rule for one in findings} <= {"keepalive-exhausted-but-alive", "endpoint-reset"}


def test_losses_before_do_not_outweigh_a_dead_peer() -> None:
    """That a path loses probes is possible; that all of these were unanswered is certain."""
    talk = at(40_000)
    for _ in range(3):
        talk.idle(20).probe(CLIENT, False).idle(5).probe(CLIENT)
    talk.idle(20)
    findings = {one.rule: one for one in of_stream(0, talk.probes(CLIENT, 5, every=5, answered=False).rst(CLIENT))}
    assert "keepalive-exhausted-but-alive" not in findings
    finding = findings["dead-peer"]
    assert any(note.startswith("keepalive-exhausted-but-alive") for note in finding.notes)


def test_a_device_explains_its_resets_and_late_probes() -> None:
    talk = at(40_000).idle(360)
    talk.ask(CLIENT)
    talk.sides[SERVER].host = replace(talk.sides[SERVER].host, ttl=64)
    analysis = analyzed(talk.rst(SERVER, bare=True))
    [finding] = analysis.findings
    assert finding.rule == "middlebox-idle-timeout"
    assert [note.partition(":")[0] for note in finding.notes] == ["keepalive-slower-than-middlebox", "middlebox-reset"]
    assert json.loads(analysis.to_json())["findings"][0]["notes"] == list(finding.notes)


def test_what_explains_is_as_severe_as_what_it_explains() -> None:
    for finding in analyzed(dead(), busy(60)).findings:
        assert finding.severity == "high"


@EVERY_FORM
def test_an_icmp_error_is_named_with_its_sender(form: dict[str, Any]) -> None:
    talk = at(40_000, **form).idle(20)
    for _ in range(3):
        talk.answer(talk.ask(CLIENT), "icmp")
        talk.idle(5)
    [finding] = of_stream(0, talk.rst(CLIENT))
    assert finding.rule == "dead-peer"
    name = "ICMPv6 type 1 code " if form.get("v6") else "ICMP type 3 code "
    assert name in finding.summary
    assert "replied 3 times with" in finding.summary
    assert "unreachable)" in finding.summary


def test_who_stopped_asking_does_not_wait() -> None:
    talk = at(40_000).idle(20)
    talk.probes(CLIENT, 4, every=3, answered=False)
    [finding] = of_stream(0, talk, ended(700))
    assert "stopped probing" in finding.summary
    [finding] = of_stream(0, at(40_000).idle(20).probes(CLIENT, 4, every=3, answered=False))
    assert "still waiting" in finding.summary


def attempts(unmade: int, made: int, *, refused: bool, clients: int = 1, **form: Any) -> list[Conversation]:
    talks = []
    for number in range(unmade):
        talk = Conversation(ports=(42_000 + number, 8086), start=0.7 * number, **form)
        talks.append(talk.refused() if refused else talk.syn().idle(1).syn().idle(2).syn())
    return [*talks, *(at(43_000 + number, 0.5 * number, 8086, **form) for number in range(made)), ended(40)]


@EVERY_FORM
@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize(
    ("unmade", "made", "severity"),
    [(9, 7, "high"), (3, 0, "high"), (2, 0, "info"), (4, 30, "medium"), (3, 60, "low"), (1, 0, "info"), (1, 5, "info")],
)
def test_how_severe_it_is_that_connections_were_not_made(
    unmade: int, made: int, severity: str, *, refused: bool, form: dict[str, Any]
) -> None:
    rule = "connection-refused" if refused else "connection-unanswered"
    [finding] = [one for one in analyzed(*attempts(unmade, made, refused=refused, **form)).findings if one.rule == rule]
    assert finding.severity == severity
    assert f"{unmade} of {unmade + made} connection" in finding.summary


def test_a_syn_just_sent_may_be_answered_yet() -> None:
    talks = [at(40_000), Conversation(ports=(40_001, 5432), start=0.1).syn()]
    assert "connection-unanswered" not in {one.rule for one in analyzed(*talks).findings}


@pytest.mark.parametrize(("doors", "scan"), [(20, True), (6, False)])
def test_a_scan_is_not_the_services_fault(doors: int, *, scan: bool) -> None:
    talks = [Conversation(ports=(40_000 + i, 1000 + i), start=0.1 * i).refused() for i in range(doors)]
    rules = {one.rule for one in analyzed(*talks, ended(20)).findings}
    assert ("port-scan" in rules) == scan
    assert ("connection-refused" in rules) == (not scan)


def test_many_services_of_which_little_is_to_tell_are_told_together() -> None:
    talks = [Conversation(ports=(40_000 + i, 1000 + i), start=i).syn().idle(1).syn() for i in range(8)]
    [finding] = [one for one in analyzed(*talks, ended(60)).findings if one.rule == "connection-unanswered"]
    assert (finding.severity, len(finding.streams)) == ("info", 8)


# -- resets


@EVERY_FORM
def test_a_reset_out_of_the_blue_is_the_applications_if_it_came_as_far_as_its_packets(form: dict[str, Any]) -> None:
    [finding] = of_stream(0, at(40_000, **form).idle(3).rst(SERVER))
    assert (finding.rule, finding.confidence) == ("endpoint-reset", "certain")
    assert "with the hop limit of its sender's other packets" in finding.evidence.observed
    talk = at(40_000, **form).idle(3)
    talk.sides[SERVER].host = replace(talk.sides[SERVER].host, ttl=61)
    for one in of_stream(0, talk.rst(SERVER)):
        assert one.confidence != "certain"
        assert "with the hop limit of" not in one.evidence.observed


@EVERY_FORM
def test_a_reset_after_data_in_vain_is_no_choice_of_an_application(form: dict[str, Any]) -> None:
    talk = at(40_000, **form).idle(3)
    talk.data(CLIENT, 50, arrives=False, captured=True).retransmissions(CLIENT, 5)
    for finding in of_stream(0, talk.idle(7).rst(CLIENT)):
        assert finding.rule != "endpoint-reset" or finding.confidence == "possible"
        assert "data unread" not in finding.remedy


def test_a_leak_names_who_did_not_close() -> None:
    talk = at(40_000).idle(1).fin(SERVER)
    [finding] = [one for one in analyzed(talk, ended(60)).findings if one.rule == "close-wait-leak"]
    assert finding.summary.startswith("192.0.2.10:40000 still holds 1 connection to 198.51.100.20:5432 in CLOSE-WAIT")
