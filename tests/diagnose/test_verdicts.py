"""What a verdict needs: time for an answer before a peer is dead, a nearer hop limit before a middlebox is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed, flows, only_flow
from sides import START_S

from analyzer.model.flows import Flow
from analyzer.model.words import Why

EVERY = 5.0


def verdict_at(unanswered: int, after: float, *, every: float = EVERY, rtt: float = 0.02) -> str:
    """Of a connection with so many unanswered probes in a row, when the capture ends so long after the last."""
    talk = Conversation(rtt=rtt).handshake().data(CLIENT, 100).data(SERVER, 300).idle(15).probe(CLIENT).idle(15)
    for number in range(unanswered):
        if number:
            talk.idle(every)
        talk.ask(CLIENT)
    end = talk.now / 1e9 - START_S + after
    last_packet = Conversation(ports=(50_000, 5432), start=end - 0.002, rtt=0.001).handshake()
    return flows(talk, last_packet)[0].verdict


@pytest.mark.parametrize(("unanswered", "after"), [(2, 4.7), (2, 60), (3, 0.1), (3, 4.7), (9, 0.1)])
def test_two_probes_that_had_their_time_are_a_dead_peer(unanswered: int, after: float) -> None:
    assert verdict_at(unanswered, after) == "dead_peer"


@pytest.mark.parametrize(("unanswered", "after"), [(1, 0.1), (1, 60), (2, 0.1), (2, 4)])
def test_fewer_are_none(unanswered: int, after: float) -> None:
    assert verdict_at(unanswered, after) != "dead_peer"


@pytest.mark.parametrize(("unanswered", "after"), [(2, 1), (3, 1.5), (4, 0.2)])
def test_where_the_round_trip_is_longer_than_the_interval_probes_wait_for_it(unanswered: int, after: float) -> None:
    """A probe a second, answers after 2.7 s: three are always on their way."""
    assert verdict_at(unanswered, after, every=1, rtt=2.7) != "dead_peer"
    assert verdict_at(unanswered, after + 4, every=1, rtt=2.7) == "dead_peer"


SERVERS_TTL = 57


def reset_with(ttl: int, *, to: str = "probe") -> Flow:
    """Of a connection whose probe (or data) draws an RST with such a TTL; the server's own packets have another."""
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 300).idle(15)
    if to == "probe":
        talk.ask(CLIENT)
    else:
        talk.data(CLIENT, 50, acked=False)
    server = talk.sides[SERVER]
    assert server.host.ttl == SERVERS_TTL
    server.host = replace(server.host, ttl=ttl)
    return only_flow(talk.rst(SERVER, bare=True))


@pytest.mark.parametrize("to", ["probe", "data"])
@pytest.mark.parametrize("ttl", [SERVERS_TTL + 2, SERVERS_TTL - 2, 64, 254, 128, 240])
def test_a_reset_from_nearer_than_the_peer_or_from_beyond_it_is_a_middleboxes(ttl: int, to: str) -> None:
    flow = reset_with(ttl, to=to)
    assert (flow.verdict, flow.ending.by) == ("middlebox_reset", "middlebox")
    assert flow.state[1].name == "UNKNOWN"


@pytest.mark.parametrize("ttl", [SERVERS_TTL, SERVERS_TTL - 1, SERVERS_TTL + 1, 121, 120])
def test_a_reset_from_where_the_peer_is_or_one_hop_off_is_not(ttl: int) -> None:
    """An RST may begin with another TTL than the sender's data: what counts is how many routers it passed."""
    flow = reset_with(ttl)
    assert (flow.verdict, flow.ending.by) == ("lost_state", "server")


def asks(replied: int, *, acked: bool = True, probed: bool = True, reply_after: float = 0.1) -> str:
    """The verdict of a client whose requests had so many replies, each so late, and the last has none."""
    talk = Conversation().handshake()
    for _ in range(replied):
        talk.data(CLIENT, 100).idle(reply_after).data(SERVER, 300).idle(1)
    talk.data(CLIENT, 100, acked=acked).idle(15)
    if probed:
        talk.probe(CLIENT).idle(15).probe(CLIENT)
    return only_flow(talk).verdict


@pytest.mark.parametrize("replied", [0, 1, 2, 3])
def test_a_request_without_a_reply_is_a_hung_application(replied: int) -> None:
    assert asks(replied) == "app_hung"


@pytest.mark.parametrize(
    "how",
    [
        {"replied": 3, "probed": False},  # nothing shows that even the kernel is there
        {"replied": 3, "reply_after": 9.0},  # replies take their time here
    ],
    ids=str,
)
def test_what_may_be_no_request_is_none(how: dict[str, Any]) -> None:
    assert asks(**how) != "app_hung"


def findings_of(*talks: Conversation) -> list[tuple[str, str]]:
    """Rule and confidence of each finding."""
    return [(finding.rule, finding.confidence) for finding in analyzed(*talks).findings]


def later(seconds: float) -> Conversation:
    """A packet of another connection, which shows that the capture went on for so long."""
    return Conversation(ports=(50_000, 5432), start=seconds, rtt=0.001).handshake()


def quiet() -> Conversation:
    return Conversation().handshake().data(CLIENT, 100).data(SERVER, 300).idle(30)


def test_a_peer_that_sends_while_it_does_not_answer_is_not_dead() -> None:
    talk = quiet()
    for _ in range(3):
        talk.ask(CLIENT)
        talk.idle(3).probe(SERVER).idle(3)
    assert only_flow(talk).verdict == "middlebox_drop"
    assert findings_of(talk) == [("one-way-loss", "likely")]


@pytest.mark.parametrize("last_word", ["fin", "data"])
def test_a_prober_that_tries_something_else_in_vain_has_a_dead_peer_and_a_finding(last_word: str) -> None:
    talk = quiet()
    for _ in range(3):
        talk.ask(CLIENT)
        talk.idle(5)
    if last_word == "fin":
        talk.fin(CLIENT, acked=False, arrives=False, captured=True)
    else:
        talk.data(CLIENT, 10, acked=False, arrives=False, captured=True)
    assert only_flow(talk).verdict == "dead_peer"
    assert findings_of(talk) == [("dead-peer", "likely")]


def test_one_probe_and_a_reset_long_after_are_likely_not_certain() -> None:
    talk = quiet()
    talk.ask(CLIENT)
    assert ("dead-peer", "likely") in findings_of(talk.idle(20).rst(CLIENT))


@pytest.mark.parametrize("takes", [4.0, 25.0])
def test_an_answer_may_take_its_time_while_nothing_else_is_said(takes: float) -> None:
    talk = quiet()
    for _ in range(3):
        probe = talk.ask(CLIENT)
        talk.idle(takes)
        talk.answer(probe, SERVER)
        talk.idle(50)
    [entry] = only_flow(talk).keepalive
    assert (entry.probes, entry.answered) == (3, 3)
    assert only_flow(talk).verdict == "healthy"


def test_a_syn_ack_that_nothing_acknowledges_makes_no_connection() -> None:
    talk = Conversation()
    talk.send(CLIENT, "S")
    talk.idle(0.02)
    for _ in range(3):
        talk.send(SERVER, "SA")
        talk.idle(1)
    flow = flows(talk, later(talk.now / 1e9 - START_S + 5))[0]
    assert (flow.verdict, flow.handshake.name) == ("no_answer", "PARTIAL")


def test_a_capture_of_the_client_alone_still_shows_that_it_was_answered() -> None:
    """It acknowledges the SYN-ACK that this capture does not hold."""
    talk = Conversation().handshake().data(CLIENT, 100)
    talk.segments[:] = [segment for segment in talk.segments if segment.source.port != talk.sides[SERVER].host.port]
    flow = only_flow(talk)
    assert flow.handshake.name == "PARTIAL"
    assert flow.verdict == "healthy"


def test_probes_of_one_end_without_a_word_of_the_other_are_possible_at_best() -> None:
    talk = Conversation().handshake().idle(30)
    talk.probes(CLIENT, 5, every=30)
    talk.segments[:] = [segment for segment in talk.segments if segment.source.port != talk.sides[SERVER].host.port]
    [entry] = only_flow(talk).keepalive
    assert entry.confidence == "possible"


def test_a_reset_instead_of_an_ack_to_a_syn_ack_forgot_nothing() -> None:
    talk = Conversation()
    talk.send(CLIENT, "S")
    talk.idle(0.02)
    talk.send(SERVER, "SA")
    talk.idle(0.02)
    assert only_flow(talk.rst(CLIENT, bare=True)).verdict == "aborted"


@pytest.mark.parametrize("again", [0.005, 0.2])
def test_one_retransmission_shortly_before_the_end_is_no_timeout(again: float) -> None:
    talk = Conversation(rtt=0.001).handshake().data(CLIENT, 100).data(CLIENT, 50, acked=False, arrives=False)
    talk.idle(again).resend(CLIENT, acked=False, captured=True)
    seconds = talk.now / 1e9 - START_S
    assert flows(talk, later(seconds + 0.7))[0].verdict == "healthy"


@pytest.mark.parametrize("after", [3, 61])
def test_a_peer_that_had_closed_has_not_lost_its_state(after: float) -> None:
    """Its FIN-WAIT-2 was over: it is the other end that never closed."""
    talk = Conversation().handshake().data(CLIENT, 100).fin(SERVER).idle(after)
    talk.ask(CLIENT)
    flow = only_flow(talk.rst(SERVER, bare=True))
    assert (flow.verdict, flow.ending.by, flow.ending.why) == ("close_wait_leak", "server", Why.REPLY_TO_PROBE)


def test_data_to_a_peer_that_had_closed_is_aborted() -> None:
    talk = Conversation().handshake().data(CLIENT, 100).fin(SERVER).idle(61).data(CLIENT, 50, acked=False)
    assert only_flow(talk.rst(SERVER, bare=True)).verdict == "aborted"
