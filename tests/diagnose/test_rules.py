"""Every finding: a capture that it is made of, and a near miss in which it is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from string import Formatter

import pytest
from commands import inside
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed
from wirebytes import pcap_bytes

from analyzer.diagnose import load_rules
from analyzer.diagnose.explained import EXPLAINED_BY
from analyzer.model.findings import Finding
from analyzer.model.quantities import duration
from analyzer.model.sockets import Timer
from analyzer.pipeline.run import analyze
from analyzer.tcp import SECOND

Talks = Callable[[], list[Conversation]]
FILE_HEADER = 24


def exchange(**how: float | bool | int | tuple[int, int]) -> Conversation:
    """A connection with one request and one reply."""
    return Conversation(**how).handshake().data(CLIENT, 100).data(SERVER, 300)  # type: ignore[arg-type]


def at(port: int, start: float = 0.0) -> Conversation:
    """The same from another port, begun later."""
    return exchange(ports=(port, 5432), start=start)


def ended(seconds: float) -> Conversation:
    """Another connection, which shows that the capture went on for so long."""
    return Conversation(ports=(50_000, 80), start=seconds, rtt=0.001).handshake()


def busy(seconds: int, port: int = 41_000) -> Conversation:
    """A connection of the same hosts that is used all the time."""
    talk = at(port)
    for _ in range(seconds // 2):
        talk.idle(2).data(CLIENT, 50).data(SERVER, 60)
    return talk


def dead(count: int = 4, port: int = 40_000, idle: float = 15) -> Conversation:
    """A peer that is dead to so many probes, and is given up."""
    return at(port).idle(idle).probes(CLIENT, count, every=5, answered=False).rst(CLIENT)


def stuck(idle: float = 15, *, probed: bool = False, port: int = 40_000) -> Conversation:
    """Data after a silence, never acknowledged."""
    talk = at(port)
    if probed:
        talk.idle(15).probe(CLIENT)
    return talk.idle(idle).data(CLIENT, 50, arrives=False, captured=True).retransmissions(CLIENT, 6)


def device_resets(idle: float, port: int = 40_000, *, probe: bool = True, data: bytes = b"x" * 50) -> Conversation:
    """A device forgets the connection and answers for the server."""
    talk = at(port).idle(idle)
    if probe:
        talk.ask(CLIENT)
    else:
        talk.send(CLIENT, "PA", data)
        talk.now = talk._later
    server = talk.sides[SERVER]
    server.host = replace(server.host, ttl=64)
    return talk.rst(SERVER, bare=True)


def forgotten(seconds: float, survived: float) -> list[Conversation]:
    """Two connections that a silence of so long ended, and one that survived a shorter one."""
    well = at(40_002).idle(survived).data(CLIENT, 50).data(SERVER, 50).idle(seconds - survived + 5)
    return [device_resets(seconds), device_resets(seconds + 3, 40_001), well.data(CLIENT, 5).data(SERVER, 5)]


def forgotten_before(data: bytes) -> list[Conversation]:
    """The same, found out by this data after each."""
    return [
        *(device_resets(360 + 3 * n, 40_000 + n, probe=False, data=data) for n in range(2)),
        *forgotten(360, 340)[2:],
    ]


def pinged_and_probed(*, probes: int) -> list[Conversation]:
    """A Redis PING every 30 s, and so many keepalive probes between two."""
    talk = exchange()
    for _ in range(6):
        for _ in range(probes):
            talk.idle(15).probe(CLIENT)
        talk.idle(30 - 15 * probes).send(CLIENT, "PA", b"*1\r\n$4\r\nPING\r\n")
        talk.idle(0.1).send(SERVER, "PA", b"+PONG\r\n")
        talk.idle(0.1).acknowledge(CLIENT)
    return [talk]


def closed(idle: float, port: int, by: str = SERVER) -> Conversation:
    return at(port).idle(idle).fin(by).fin(CLIENT if by == SERVER else SERVER)


def left_open(start: float, port: int) -> Conversation:
    return at(port, start)


def half_closed(count: int) -> list[Conversation]:
    return [*(at(40_000 + i, i).idle(1).fin(SERVER) for i in range(count)), ended(40)]


def proxied(*, both: bool) -> list[Conversation]:
    """A connection from a client to a proxy, probed, and one from the proxy on to a server."""
    front, back = at(40_000), at(40_001)
    proxy = front.sides[SERVER].host
    for name, host in ((CLIENT, replace(proxy, port=45_000)), (SERVER, replace(proxy, address="203.0.113.9"))):
        back.sides[name].host = host
    back = Conversation(ports=(45_000, 5432))
    back.sides[CLIENT].host = replace(back.sides[CLIENT].host, address=proxy.address)
    back.sides[SERVER].host = replace(back.sides[SERVER].host, address="203.0.113.9")
    back.handshake().data(CLIENT, 100).data(SERVER, 300)
    front.idle(15).probe(CLIENT).idle(15).probe(CLIENT)
    if both:
        back.idle(15).probe(CLIENT).idle(15).probe(CLIENT)
    return [front, back, ended(32)]


def of_age(*ages: float) -> list[Conversation]:
    """Connections reset at these ages, which were used until shortly before, or not."""
    talks = []
    for number, age in enumerate(ages):
        talk = at(40_000 + number, number).idle(age - 1 - 5 * number).data(CLIENT, 10).data(SERVER, 10)
        talk.now = talk.segments[0].time + round(age * 1e9)
        talks.append(talk.rst(SERVER))
    return talks


def beating_until(*ages: float, farewell: bool = False) -> list[Conversation]:
    """Connections with an HTTP/2 PING every 17 s, and a reply to each, that the server closes at these ages.

    With a `farewell` the client has said just before that it is done.
    """
    ping = b"\0\0\x08\6%c\0\0\0\0abcdefgh"
    talks = []
    for number, age in enumerate(ages):
        talk = at(40_000 + number, 3.7 * number)
        began = talk.segments[0].time
        for beat in range(1, int(age // 17) + 1):
            talk.now = began + beat * 17_000_000_000
            for sender, kind in ((CLIENT, 0), (SERVER, 1)):
                talk.send(sender, "PA", ping % kind)
                talk.now = talk._later
            talk.acknowledge(CLIENT)
        talk.now = began + round(age * 1e9)
        if farewell:
            talk.data(CLIENT, 26)
        talks.append(talk.fin(SERVER).fin(CLIENT))
    return talks


def raced(apart: float, idle: float = 5) -> list[Conversation]:
    """A request that crosses the FIN of a server that waited for one."""
    talk = at(40_000).idle(idle)
    talk.fin(SERVER, acked=False)
    talk.idle(apart).send(CLIENT, "PA", b"x" * 80, ack=talk.sides[CLIENT].rcv_nxt - 1)  # sent before the FIN came
    return [talk.idle(0.05).rst(SERVER, bare=True)]


def challenged() -> Conversation:
    """The server answers a SYN for an older connection, and another three seconds later for this one."""
    talk = Conversation().syn().idle(0.01)
    talk.send(SERVER, "A", seq=123_456, ack=3_000_000_000, in_window=False)
    talk.idle(0.03).send(CLIENT, "R", seq=3_000_000_000, options=[], window=0, in_window=False)
    talk.idle(3).syn().syn_ack().acknowledge(CLIENT)
    return talk.established("complete").data(CLIENT, 100).data(SERVER, 300)


def hung(replied: int, octets: int = 100) -> list[Conversation]:
    talk = exchange()
    for _ in range(replied):
        talk.idle(1).data(CLIENT, 100).data(SERVER, 300)
    talk.data(CLIENT, octets).idle(15).probe(CLIENT).idle(15)
    return [talk.probe(CLIENT)]


def bare_probes(*, timestamps: bool) -> list[Conversation]:
    """Probes without the timestamps that the connection has, unanswered."""
    talk = exchange(timestamps=timestamps).idle(15)
    for _ in range(3):
        talk.ask(CLIENT, options=[])
        talk.idle(5)
    return [talk]


def doubled(copies: int) -> list[Conversation]:
    talk = Conversation(rtt=0.01).handshake()
    for _ in range(12):
        talk.data(CLIENT, 50, copies=copies)
    return [talk]


def one_way(*, missed: bool) -> list[Conversation]:
    """Only the client's half of a connection, or all of it."""
    talk = exchange()
    for _ in range(5):
        talk.idle(1).data(CLIENT, 50).data(SERVER, 500)
    if missed:
        talk.segments = [replace(segment, captured=segment.sender == CLIENT) for segment in talk.segments]
    return [talk]


def dropped(*, captured: bool) -> list[Conversation]:
    talk = exchange().data(SERVER, 700, captured=captured)
    return [talk.data(CLIENT, 50).data(SERVER, 50)]


def stalled(*, opens: bool) -> list[Conversation]:
    talk = exchange().data(CLIENT, 700, window=0).persist(CLIENT, 5, reply_window=0).idle(2)
    return [talk.window_update(SERVER, 502) if opens else talk]


def slow(idle: float, every: float, count: int = 12) -> list[Conversation]:
    return [exchange().idle(idle).probes(CLIENT, count, every=every)]


def two_hours(idle: float) -> list[Conversation]:
    return [exchange().idle(idle).probe(CLIENT)]


def amqp(*, client_stops: bool) -> list[Conversation]:
    """Heartbeats of both ends, a second apart, until one stops."""
    talk = exchange()
    for number in range(8):
        for sender in (SERVER, CLIENT):
            talk.idle(14 if sender == SERVER else 1)
            if sender == CLIENT and client_stops and number > 3:
                continue
            talk.send(sender, "PA", b"\x08\0\0\0\0\0\0\xce")
            talk.idle(0.1).acknowledge(CLIENT if sender == SERVER else SERVER)
    return [talk.idle(0.1).fin(SERVER)]


def pinged(debug: bytes) -> list[Conversation]:
    """gRPC's keepalive, and what its server says at the last of the PINGs."""
    talk = exchange()
    pong = b"\0\0\x08\6\1\0\0\0\0abcdefgh"
    goaway = bytes([0, 0, 8 + len(debug), 7]) + bytes(9) + b"\0\0\0\x0b" + debug
    for number in range(4):
        talk.idle(10).send(CLIENT, "PA", b"\0\0\x08\6\0\0\0\0\0abcdefgh")
        talk.idle(0.1).send(SERVER, "PA", pong + goaway * (number == 3))
        talk.idle(0.1).acknowledge(CLIENT)
    return [talk.idle(0.1).fin(SERVER)]


def asked_again(unanswered: int, *, answered: bool = True, left: float = 3.0) -> list[Conversation]:
    """Three probes 5 s apart, and two seconds later what the prober's kernel says of its timer."""
    talk = exchange().idle(30).probes(CLIENT, 3, every=5, answered=answered)
    talk.now = talk.truth.probes[-1].segment.time + 2 * SECOND
    return [talk.socket(CLIENT, Timer.KEEPALIVE, left, unanswered), ended(30 + 15)]


def turned_away(count: int, made: int, *, refused: bool, ports: int = 1) -> list[Conversation]:
    """So many connections of a service, or several, that were refused or not answered, and so many that were made."""
    talks = []
    for number in range(count):
        talk = Conversation(ports=(40_000 + number, 5432 + number % ports), start=0.2 * number)
        talks.append(talk.refused() if refused else talk.syn().idle(1).syn())
    return [*talks, *(at(41_000 + number, number) for number in range(made)), ended(30)]


FIRES: dict[str, Talks] = {
    "age-not-idle": lambda: of_age(30, 30, 30),
    "aggressive-keepalive": lambda: slow(1.02, 1.02),
    "answer-dropped-on-host": lambda: asked_again(3),
    "app-hung": lambda: hung(3),
    "both-layers-redundant": lambda: pinged_and_probed(probes=1),
    "capture-gap": lambda: dropped(captured=False),
    "close-wait-leak": lambda: half_closed(3),
    "connection-refused": lambda: turned_away(5, 3, refused=True),
    "connection-unanswered": lambda: turned_away(9, 7, refused=False),
    "dead-peer": lambda: [dead()],
    "duplicate-capture": lambda: doubled(2),
    "endpoint-reset": lambda: [exchange().idle(1).rst(CLIENT)],
    "heartbeat-ignored": lambda: beating_until(60, 60.02, 60.05),
    "heartbeat-missed": lambda: amqp(client_stops=True),
    "heartbeat-slower-than-middlebox": lambda: forgotten_before(b"\xc0\0"),
    "keepalive-at-two-hour-default": lambda: two_hours(7251),
    "keepalive-exhausted-but-alive": lambda: [dead(), busy(60)],
    "keepalive-race": lambda: raced(0.001),
    "keepalive-slower-than-middlebox": lambda: forgotten(360, 340),
    "leaked-connection": lambda: [*(left_open(4 * i, 40_000 + i) for i in range(8)), ended(60)],
    "lost-state": lambda: [exchange().idle(15).probe(CLIENT, "rst")],
    "middlebox-idle-timeout": lambda: forgotten(360, 340),
    "middlebox-reset": lambda: [device_resets(15)],
    "missing-direction": lambda: one_way(missed=True),
    "older-connection-held": lambda: [challenged()],
    "one-leg-only": lambda: proxied(both=False),
    "port-scan": lambda: turned_away(20, 3, refused=True, ports=20),
    "probes-suppressed-by-unacked-data": lambda: [stuck(probed=True), ended(120)],
    "proxy-idle-close": lambda: [closed(60.02, 40_000), closed(60.05, 40_001), closed(7, 40_002, CLIENT)],
    "retransmission-timeout": lambda: [stuck(), ended(120)],
    "too-many-pings": lambda: pinged(b"too_many_pings"),
    "unanswered-but-alive": lambda: bare_probes(timestamps=True),
    "unprotected-idle": lambda: [exchange(), ended(60)],
    "user-timeout-overrides-count": lambda: [dead(1).idle(1)],
    "zero-window-stall": lambda: stalled(opens=False),
}
NEAR_MISSES: dict[str, Talks] = {
    "age-not-idle": lambda: of_age(30, 45, 61),
    "aggressive-keepalive": lambda: slow(15.1, 15.1),
    "answer-dropped-on-host": lambda: asked_again(0),
    "app-hung": lambda: hung(3, 9),
    "both-layers-redundant": lambda: pinged_and_probed(probes=0),
    "capture-gap": lambda: dropped(captured=True),
    "close-wait-leak": lambda: [closed(1, 40_000), ended(40)],
    "connection-refused": lambda: turned_away(20, 3, refused=True, ports=20),
    "connection-unanswered": lambda: [at(40_000), Conversation(ports=(40_001, 5432), start=0.1).syn()],
    "dead-peer": lambda: [exchange().idle(15).probe(CLIENT, False).idle(5).probe(CLIENT)],
    "duplicate-capture": lambda: doubled(1),
    "endpoint-reset": lambda: [exchange().idle(15).probe(CLIENT, "rst")],
    "heartbeat-ignored": lambda: beating_until(60, 74, 91),
    "heartbeat-missed": lambda: amqp(client_stops=False),
    "heartbeat-slower-than-middlebox": lambda: forgotten_before(b"\x30\0"),
    "keepalive-at-two-hour-default": lambda: two_hours(3600),
    "keepalive-exhausted-but-alive": lambda: [dead(), busy(10)],
    "keepalive-race": lambda: raced(4),
    "keepalive-slower-than-middlebox": lambda: [device_resets(360, probe=False)],
    "leaked-connection": lambda: [*(left_open(0.01 * i, 40_000 + i) for i in range(8)), ended(60)],
    "lost-state": lambda: [device_resets(15)],
    "middlebox-idle-timeout": lambda: [dead(), dead(port=40_001)],
    "middlebox-reset": lambda: [exchange().idle(15).probe(CLIENT, "rst")],
    "missing-direction": lambda: one_way(missed=False),
    "older-connection-held": lambda: [exchange()],
    "one-leg-only": lambda: proxied(both=True),
    "port-scan": lambda: turned_away(20, 3, refused=True),
    "probes-suppressed-by-unacked-data": lambda: [stuck(), ended(120)],
    "proxy-idle-close": lambda: [closed(31, 40_000), closed(47, 40_001)],
    "retransmission-timeout": lambda: [exchange().data(CLIENT, 50, arrives=False, captured=True).resend(CLIENT)],
    "too-many-pings": lambda: pinged(b"max_age"),
    "unanswered-but-alive": lambda: bare_probes(timestamps=False),
    "unprotected-idle": lambda: [exchange().idle(30).probe(CLIENT), ended(60)],
    "user-timeout-overrides-count": lambda: [dead(4)],
    "zero-window-stall": lambda: stalled(opens=True),
}
# Two things that may be said of one connection: that nobody closes it, and that nobody would notice its end.
BESIDE = [{"leaked-connection", "unprotected-idle"}]
# Those that recordings show, or tests of their own.
ELSEWHERE = {"overlapping-tunnels", "one-way-loss", "clock-step", "lost-between-ends", "reset-between-ends"}
ELSEWHERE |= {"mixed-captures"}


def found(talks: list[Conversation]) -> set[str]:
    """Rules that found something, on their own or as notes of what explains it."""
    findings = analyzed(*talks).findings
    return {finding.rule for finding in findings} | {note.partition(":")[0] for one in findings for note in one.notes}


@pytest.mark.parametrize("rule", FIRES)
def test_a_rule_finds_what_it_is_for(rule: str) -> None:
    analysis = analyzed(*FIRES[rule]())
    begun, over = min(flow.start for flow in analysis.flows), max(flow.end for flow in analysis.flows)
    assert rule in found(FIRES[rule]())
    for finding in analysis.findings:
        assert finding.whom
        assert finding.at is None or begun <= finding.at <= over
        assert finding.summary
        assert finding.remedy
        assert finding.evidence.display_filter
        assert finding.evidence.source


@pytest.mark.parametrize("rule", FIRES)
def test_one_event_is_one_finding(rule: str) -> None:
    """Two that stand for one connection are two events, as BESIDE says, or one lacks its place in EXPLAINED_BY."""
    for one, other in combinations(analyzed(*FIRES[rule]()).findings, 2):
        assert {one.rule, other.rule} in BESIDE or not set(one.streams) & set(other.streams)


@pytest.mark.parametrize("rule", NEAR_MISSES)
def test_a_near_miss_is_none(rule: str) -> None:
    assert rule not in found(NEAR_MISSES[rule]())


def only(rule: str, talks: list[Conversation]) -> Finding:
    [finding] = [one for one in analyzed(*talks).findings if one.rule == rule]
    return finding


@pytest.mark.parametrize(
    ("fatal", "survived", "device"),
    [(360, 345, "AWS NAT Gateway"), (360, 200, None), (905, 880, "IPVS"), (15, 8, None)],
)
def test_a_device_is_named_where_its_timeout_alone_lies_between(fatal: int, survived: int, device: str | None) -> None:
    finding = only("middlebox-idle-timeout", forgotten(fatal, survived))
    assert f"{duration(fatal * SECOND)} of silence" in finding.summary
    assert (device in finding.summary) if device else ("is the timeout of" not in finding.summary)
    assert finding.streams == (0, 1)


def test_a_longer_silence_that_was_survived_clears_the_path_of_devices() -> None:
    well = at(40_002).idle(500).data(CLIENT, 50).data(SERVER, 50)
    assert "middlebox-idle-timeout" not in found([stuck(300), busy(700), well, ended(900)])


def test_data_in_vain_after_a_silence_is_a_drop_if_the_peer_is_heard_elsewhere() -> None:
    def verdict(*others: Conversation) -> str:
        return analyzed(stuck(), *others, ended(120)).verdicts[0]

    assert verdict() == "retransmission_timeout"
    assert verdict(busy(60)) == "middlebox_drop"
    assert verdict(busy(10)) == "retransmission_timeout"
    assert analyzed(stuck(idle=0.5), busy(60), ended(120)).verdicts[0] == "retransmission_timeout"


def test_a_pool_that_has_stopped_growing_is_no_leak() -> None:
    """Opened one after another, then nothing more for long: that is how a pool fills."""
    opened = [left_open(4 * i, 40_000 + i) for i in range(8)]
    assert "leaked-connection" in found([*opened, ended(60)])
    assert "leaked-connection" not in found([*opened, ended(200)])


def test_connections_that_are_used_again_are_no_leak() -> None:
    used = [left_open(4 * i, 40_000 + i).idle(12).data(CLIENT, 50).data(SERVER, 50) for i in range(8)]
    assert "leaked-connection" not in found([*used, ended(70)])


def test_findings_of_one_cause_stand_together_in_the_text(tmp_path: Path) -> None:
    talks = [dead(port=40_000 + number) for number in range(5)]
    path = tmp_path / "capture.pcap"
    path.write_bytes(pcap_bytes([segment for talk in talks for segment in talk.segments]))
    text = inside("analyze", path)
    assert text.count("HIGH dead-peer: 5 connections") == 1
    text = inside("analyze", path, "--findings", "full")
    assert text.count("HIGH dead-peer") == 1
    assert "4 more like it to 198.51.100.20:5432: streams 1, 2, 3, 4" in text
    assert len([one for one in analyze(str(path)).findings if one.rule == "dead-peer"]) == 5


def test_a_finding_tells_how_long_a_peer_was_dead_before_it_was_known() -> None:
    observed = only("dead-peer", [dead(4)]).evidence.observed
    assert observed == (
        "4 probes in a row without a reply; no packet from the peer for 35.0 s, 20.0 s of these after the first probe"
    )


@pytest.mark.parametrize(("back", "engine"), [(2.0, "plain"), (2.0, "compiled"), (0.1, "plain")])
def test_a_clock_that_goes_back_is_told(tmp_path: Path, back: float, engine: str) -> None:
    first, second = exchange(), exchange(ports=(40_001, 5432), start=0.2 - back)
    path = tmp_path / "capture.pcap"
    path.write_bytes(pcap_bytes(first.segments) + pcap_bytes(second.segments)[FILE_HEADER:])
    analysis = analyze(str(path), engine=engine)
    steps = analysis.captures[0].clock_steps
    assert [step.frame for step in steps] == [len(first.segments) + 1] * (back > 1)
    assert [round(step.step / 1e9) for step in steps] == [round(-back)] * (back > 1)
    assert ("clock-step" in {finding.rule for finding in analysis.findings}) == (back > 1)


def test_a_misspelt_verdict_is_no_empty_selection(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(pcap_bytes(exchange().segments))
    with pytest.raises(ValueError, match="dead_pier"):
        analyze(str(path)).context.judged("dead_peer", "dead_pier")


def test_what_explains_and_what_is_explained_are_findings() -> None:
    assert {*EXPLAINED_BY, *(name for names in EXPLAINED_BY.values() for name in names)} <= set(load_rules())


@pytest.mark.parametrize("rule", load_rules())
def test_a_title_is_one_clause_that_says_it_of_any_number(rule: str) -> None:
    title = load_rules()[rule].title
    assert {name for _, name, _, _ in Formatter().parse(title) if name} <= {"whom", "connections"}
    for connections, whom in (("1 connection", "198.51.100.20:7100"), ("40 connections", "300 services")):
        said = title.format(connections=connections, whom=whom)
        assert len(said) <= 120
        assert said[0].isupper() or not said[0].isalpha()
    assert not re.search(r"[.;]$|\} (is|are|was|were|has|have|does)\b", title), "it holds of one and of many"


def test_whom_counts_what_is_several() -> None:
    refused = turned_away(5, 0, refused=True)
    assert only("connection-refused", refused).whom == "198.51.100.20:5432"
    other = Conversation(ports=(40_001, 5432))
    other.sides[CLIENT].host = replace(other.sides[CLIENT].host, address="192.0.2.11")
    half = [one.handshake().data(CLIENT, 100).idle(1).fin(SERVER) for one in (Conversation(), other)]
    assert only("close-wait-leak", [*half, ended(60)]).whom == "2 clients"


def test_every_rule_has_both_and_an_explanation() -> None:
    here = set(load_rules()) - ELSEWHERE
    assert here ^ set(FIRES) == set(), "FIRES has one conversation or more for each rule that is not in ELSEWHERE"
    assert here ^ set(NEAR_MISSES) == set(), "NEAR_MISSES has the same that differ by one fact"
    for rule in load_rules().values():
        text = inside("explain", rule.name)
        assert "Look at:" in text or len(text.splitlines()) > 4


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ((1, 1, 1), "each time"),
        ((1, 1, 0, 1, 0), None),
        ((1, 0, 1, 1, 1, 0, 1), "in 5 of 7 silences"),
        ((1, 0, 1), None),
    ],
)
def test_a_path_that_loses_some_packets_loses_first_probes_most(lost: tuple[int, ...], told: str | None) -> None:
    """A second probe is sent only after a first that was lost: that no second was lost says little."""
    talk = exchange()
    for first in lost:
        talk.idle(30)
        if first:
            talk.probe(CLIENT, answered=False).idle(10)
        talk.probe(CLIENT)
    said = [one.evidence.observed for one in analyzed(talk).findings if one.rule == "unanswered-but-alive"]
    expected = f"the first probe after a silence was lost {told}, and the next got a reply"
    assert said == ([] if told is None else [expected])


def test_who_is_closed_between_two_heartbeats_was_not_idle_for_too_long() -> None:
    """The time since the last heartbeat is no limit: the connection was silent for longer between two of them."""
    told = found(beating_until(60, 60.02, 60.05))
    assert "proxy-idle-close" not in told
    assert "send application heartbeats" not in only("heartbeat-ignored", beating_until(60, 60.02, 60.05)).remedy
    limits = {"proxy-idle-close", "age-not-idle", "heartbeat-ignored"}
    assert not limits & found(beating_until(60, 77, 94))
    assert not limits & found(beating_until(60, 60.02, 60.05, farewell=True))
