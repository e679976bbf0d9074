"""Devices that forget, ends that close at a limit, and what looks like either and is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed

from analyzer.model.findings import Finding

FORMS = [{}, {"v6": True}, {"timestamps": False}]
EVERY_FORM = pytest.mark.parametrize("form", FORMS, ids=str)


def at(port: int, start: float = 0.0, service: int = 5432, **form: Any) -> Conversation:
    """A connection with one request and one reply."""
    talk = Conversation(ports=(port, service), start=start, **form).handshake()
    return talk.data(CLIENT, 100).data(SERVER, 300)


def busy(seconds: float, port: int = 41_000, every: float = 2.0, **form: Any) -> Conversation:
    """A connection of the same hosts that is used all the time."""
    talk = at(port, **form)
    for _ in range(int(seconds / every)):
        talk.idle(every).data(CLIENT, 50).data(SERVER, 60)
    return talk


def in_vain(talk: Conversation, count: int = 6) -> Conversation:
    """Data that is never acknowledged."""
    return talk.data(CLIENT, 50, arrives=False, captured=True).retransmissions(CLIENT, count)


def given_up(talk: Conversation, count: int = 3, every: float = 5.0) -> Conversation:
    """A prober that hears nothing, and gives up."""
    return talk.probes(CLIENT, count, every=every, answered=False).rst(CLIENT)


def findings(*talks: Conversation) -> dict[str, Finding]:
    return {finding.rule: finding for finding in analyzed(*talks).findings}


# -- a device that forgets


@EVERY_FORM
def test_a_device_is_told_by_what_outlived_which_silence(form: dict[str, Any]) -> None:
    dead = given_up(at(40_000, **form).idle(400))
    well = at(40_001, **form).idle(90).data(CLIENT, 50).data(SERVER, 50)
    found = findings(dead, well, busy(450, **form))["middlebox-idle-timeout"]
    assert found.evidence.observed == "a connection survived 90.0 s of silence; another died after 6 min 40 s"
    assert "(90 s at most" in found.remedy


def test_advice_allows_for_timers_that_fire_late() -> None:
    """Who sets 340 s probes after 382 s at the latest, and the limit may be 350 s."""
    dead = given_up(at(40_000).idle(360))
    well = at(40_001).idle(340).data(CLIENT, 50).data(SERVER, 50)
    assert "(302 s at most" in findings(dead, well, busy(420))["middlebox-idle-timeout"].remedy


@pytest.mark.parametrize("idle", [1.2, 1.9, 6.0])
def test_no_device_forgets_in_seconds(idle: float) -> None:
    """One connection, data in vain after a short silence, while the host is well: a loss, whatever else."""
    assert "middlebox-idle-timeout" not in findings(in_vain(at(40_000).idle(idle)), busy(60))


@EVERY_FORM
def test_a_path_cut_for_good_is_no_device(form: dict[str, Any]) -> None:
    """All die at one time, those that were idle for long and those that were not; nobody was heard after."""
    talks = [given_up(at(40_000 + i, **form).idle(40 - 3 * i)) for i in range(4)]
    talks.append(in_vain(busy(38, 40_010, **form)))
    talks.append(Conversation(ports=(50_000, 80), start=120.0, rtt=0.001, **form).syn())
    assert "middlebox-idle-timeout" not in findings(*talks)


def test_a_path_cut_for_a_while_is_no_device() -> None:
    """Those that gave up meanwhile are dead, one that went on sending is well, and new ones are made after."""
    dead = [given_up(at(40_000 + i).idle(40 + i), 3, 3.0) for i in range(3)]
    stubborn = busy(40, 40_010).data(CLIENT, 50, arrives=False, captured=True).retransmissions(CLIENT, 6)
    stubborn.idle(12).resend(CLIENT).data(SERVER, 60)
    for _ in range(20):
        stubborn.idle(2).data(CLIENT, 50).data(SERVER, 60)
    assert "middlebox-idle-timeout" not in findings(*dead, stubborn, at(40_020, 70), at(40_021, 75))


def test_a_path_cut_in_the_middle_of_traffic_is_no_device() -> None:
    """A busy connection died, too: it was not the silence."""
    talks = [given_up(at(40_000).idle(40)), in_vain(busy(41, 40_001)), busy(90, 40_002)]
    talks.append(at(40_003).idle(20).data(CLIENT, 50).data(SERVER, 50))
    assert "middlebox-idle-timeout" not in findings(*talks)


def test_one_direction_that_is_lost_is_no_device() -> None:
    """The peer goes on asking, in vain."""
    talk = at(40_000).idle(25)
    for _ in range(4):
        talk.ask(CLIENT)
        talk.idle(2).ask(SERVER)
        talk.idle(2)
    assert "middlebox-idle-timeout" not in findings(talk)


# -- limits of an end, or of a device that says so


def reset_idle(port: int, idle: float, ttl: int | None, **form: Any) -> Conversation:
    """An RST out of a silence, in the server's name; `ttl` where it is not the server's."""
    talk = at(port, **form).idle(idle + 0.06)
    if ttl is not None:
        talk.sides[SERVER].host = replace(talk.sides[SERVER].host, ttl=ttl)
    return talk.rst(SERVER, bare=True)


@EVERY_FORM
@pytest.mark.parametrize("ttl", [63, 126, 254, 40])
def test_a_device_that_resets_at_its_idle_limit(ttl: int, form: dict[str, Any]) -> None:
    found = findings(*(reset_idle(40_000 + i, 300, ttl, **form) for i in range(3)))
    assert "about 5 min of silence" in found["middlebox-idle-timeout"].summary
    assert "F5 BIG-IP" in found["middlebox-idle-timeout"].summary
    assert "proxy-idle-close" not in found
    assert all("application" not in one.summary for one in found.values())


def test_an_end_that_resets_at_its_idle_limit_is_no_device() -> None:
    found = findings(*(reset_idle(40_000 + i, 300, None) for i in range(3)))
    assert (
        "198.51.100.20:5432 reset 3 connections from 192.0.2.10 after 5 min without data"
        in found["proxy-idle-close"].summary
    )
    assert "middlebox-idle-timeout" not in found


def test_resets_after_different_times_show_no_limit() -> None:
    found = findings(*(reset_idle(40_000 + i, 200 + 31 * i, 63) for i in range(3)))
    assert "middlebox-idle-timeout" not in found
    assert "middlebox-reset" in found
    assert "endpoint-reset" not in found


def test_a_reset_of_one_hop_more_may_be_an_applications() -> None:
    found = findings(*(reset_idle(40_000 + i, 200 + 31 * i, 56) for i in range(3)))
    assert "middlebox-idle-timeout" not in found
    assert found["endpoint-reset"].confidence == "possible"
    assert "another hop limit" in found["endpoint-reset"].evidence.observed


@pytest.mark.parametrize("v6", [False, True])
def test_resets_that_answer_lone_segments_are_no_applications(v6: bool) -> None:
    """A scan with ACK: nobody had closed anything, and it is told once."""
    talks = []
    for port in range(20, 32):
        talk = Conversation(v6=v6, timestamps=False, ports=(60_000, port), start=port / 10)
        asked = talk.acknowledge(CLIENT, ack=77)
        talk.idle(0.05).send(SERVER, "R", seq=asked.ack, window=0)
        talks.append(talk)
    [finding] = analyzed(*talks).findings
    assert (finding.rule, finding.severity, finding.confidence) == ("endpoint-reset", "info", "possible")
    assert len(finding.streams) == len(talks)
    assert "closed" not in finding.summary


def aged(port: int, age: float, *, reset: bool, start: float, last: float, **form: Any) -> Conversation:
    """A connection in use until so long before its end, at that age."""
    talk = at(port, start, 8080, **form)
    while talk.now - talk.segments[0].time < (age - last - 4) * 1e9:
        talk.idle(3.1).data(CLIENT, 40).data(SERVER, 700)
    talk.now = talk.segments[0].time + round((age - last) * 1e9)
    talk.data(CLIENT, 40).data(SERVER, 700)
    talk.now = talk.segments[0].time + round(age * 1e9)
    return talk.rst(SERVER) if reset else talk.fin(SERVER).fin(CLIENT)


@EVERY_FORM
@pytest.mark.parametrize("reset", [False, True])
def test_connections_that_end_at_one_age(reset: bool, form: dict[str, Any]) -> None:
    talks = [aged(40_000 + i, 90, reset=reset, start=5.5 * i, last=1 + 1.3 * i, **form) for i in range(3)]
    found = findings(*talks)["age-not-idle"]
    assert "90.0 s after they began" in found.summary
    assert found.severity == ("medium" if reset else "low")


@pytest.mark.parametrize(
    "ages",
    [
        [(90, 0.0, 1), (74, 5.5, 3), (107, 9.1, 5)],  # different ages
        [(90, 0.0, 2), (90, 0.01, 4), (90, 0.02, 6)],  # one moment: the server was stopped
        [(62.3, 0.0, 60), (68.1, 4.0, 60), (75.2, 8.0, 60)],  # an idle limit
    ],
    ids=str,
)
def test_what_is_no_limit_of_age(ages: list[tuple[float, float, float]]) -> None:
    talks = [aged(40_000 + i, age, reset=False, start=start, last=last) for i, (age, start, last) in enumerate(ages)]
    assert "age-not-idle" not in findings(*talks)


@pytest.mark.parametrize(
    ("by", "service", "name"),
    [(CLIENT, 2049, None), (CLIENT, 80, None), (SERVER, 1883, None), (SERVER, 80, "Caddy"), (SERVER, 5432, None)],
)
def test_names_fit_the_side_and_the_service(by: str, service: int, name: str | None) -> None:
    talks = [
        at(40_000 + i, 2.0 * i, service).idle(300.05).fin(by).fin(CLIENT if by == SERVER else SERVER) for i in range(3)
    ]
    summary = findings(*talks)["proxy-idle-close"].summary
    assert (name in summary) if name else ("a limit of" not in summary)


@pytest.mark.parametrize(("sooner", "fires"), [((20.0, 33.0, 47.0), True), ((20.0, 26.0, 33.0, 47.0), False)])
def test_half_of_those_that_an_end_closes_must_be_at_its_limit(sooner: tuple[float, ...], fires: bool) -> None:
    waits = (300.05, 300.05, 300.05, *sooner)
    talks = [at(40_000 + i, 2.0 * i).idle(wait).fin(SERVER).fin(CLIENT) for i, wait in enumerate(waits)]
    assert ("proxy-idle-close" in findings(*talks)) is fires


@pytest.mark.parametrize(("sooner", "fires"), [((31, 47, 62), True), ((31, 39, 47, 62), False)])
def test_half_of_those_that_an_end_closes_must_be_of_one_age(sooner: tuple[int, ...], fires: bool) -> None:
    ages = (90, 90, 90, *sooner)
    talks = [aged(40_000 + i, age, reset=False, start=5.5 * i, last=1 + 1.3 * i) for i, age in enumerate(ages)]
    assert ("age-not-idle" in findings(*talks)) is fires


# -- proxies


def between(ends: list[tuple[str, str, int, bool]]) -> list[Conversation]:
    """Connections between hosts; those that are probed, and those that are silent."""
    talks = []
    for number, (client, server, service, probed) in enumerate(ends):
        talk = Conversation(ports=(42_000 + number, service))
        for name, address in ((CLIENT, client), (SERVER, server)):
            talk.sides[name].host = replace(talk.sides[name].host, address=address)
        talk.handshake().data(CLIENT, 100).data(SERVER, 300)
        if probed:
            talk.idle(15).probe(CLIENT).idle(15).probe(CLIENT)
        talks.append(talk)
    talks.append(Conversation(ports=(50_000, 80), start=60, rtt=0.001).handshake())
    return talks


A, B, C = "192.0.2.77", "192.0.2.78", "192.0.2.79"


@pytest.mark.parametrize(
    ("ends", "fires"),
    [
        ([(A, B, 80, True), (B, C, 8080, False)], True),
        ([(A, B, 9300, True), (B, A, 9300, False)], False),
        ([(A, B, 9300, True), (B, C, 9300, False), (C, B, 9300, True)], False),
        ([(A, B, 9300, True), (B, C, 9300, False), (B, A, 9300, False)], False),
    ],
    ids=str,
)
def test_a_proxy_has_other_hosts_at_its_far_ends(ends: list[tuple[str, str, int, bool]], fires: bool) -> None:
    assert ("one-leg-only" in findings(*between(ends))) == fires
