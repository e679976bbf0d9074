"""Openings of which packets were lost, on the path or by the capture: they are one connection, and shift nothing."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed, flows, handshake, keepalive, only_flow, probes_of

SHAPES = pytest.mark.parametrize("shape", [{}, {"v6": True}, {"timestamps": False}, {"v6": True, "timestamps": False}])


def opened_again(shape: dict[str, bool], *, times: int = 1, rtt: float = 0.0004) -> Conversation:
    """The SYN-ACK is lost; the SYN is sent again, and the answer echoes the first SYN's timestamp, as Linux has it."""
    talk = Conversation(rtt=rtt, **shape).syn()  # type: ignore[arg-type]
    first = talk.sides[SERVER].ts_recent
    for _ in range(times):
        talk.idle(1.024).syn()
    talk.sides[SERVER].ts_recent = first
    talk.syn_ack().acknowledge(CLIENT)
    return talk.established("complete")


@SHAPES
@pytest.mark.parametrize("times", [1, 2])
def test_after_a_syn_again_the_round_trip_is_that_of_the_last(shape: dict[str, bool], times: int) -> None:
    talk = opened_again(shape, times=times).data(CLIENT, 50).data(SERVER, 200)
    talk.idle(8.192).probe(SERVER).idle(8.192).probe(SERVER)
    entry = keepalive(only_flow(talk), SERVER)
    assert entry is not None
    assert entry.tcp_keepalive_time is not None
    assert entry.tcp_keepalive_time.value == 8


@SHAPES
def test_after_a_syn_again_an_immediate_answer_is_not_the_lost_probes(shape: dict[str, bool]) -> None:
    talk = opened_again(shape).idle(10)
    lost = talk.ask(CLIENT)
    talk.idle(2)
    asked = talk.ask(CLIENT)
    answer = talk.answer(asked, "ack")
    flow = only_flow(talk.idle(1))
    assert probes_of(flow, CLIENT) == [(lost.segment.frame, None), (asked.segment.frame, answer.frame)]


def test_a_path_of_seconds_is_one_though_its_syn_was_sent_again() -> None:
    talk = Conversation(rtt=2.7).syn().idle(1).syn()
    talk.now -= 10**9
    talk.syn_ack().acknowledge(CLIENT)
    talk.established("complete").idle(20)
    asked = talk.ask(CLIENT)
    answer = talk.answer(asked, "ack")
    flow = only_flow(talk.idle(10))
    assert probes_of(flow, CLIENT) == [(asked.segment.frame, answer.frame)]
    assert flow.verdict == "healthy"


@SHAPES
@pytest.mark.parametrize("first", [CLIENT, SERVER])
def test_a_simultaneous_open_with_a_syn_again_is_one_connection(shape: dict[str, bool], first: str) -> None:
    """One end's first SYN was lost behind the capture, or before it."""
    talk = Conversation(**shape)  # type: ignore[arg-type]
    talk.syn(first, arrives=False, captured=True).idle(0.4).syn(first, arrives=False, captured=True).idle(0.6)
    talk.simultaneous_open()
    flow = only_flow(talk.data(CLIENT, 10).idle(6.144).probe(CLIENT).fin(CLIENT).fin(SERVER))
    assert (handshake(flow), flow.verdict) == ("simultaneous", "closed")
    [entry] = flow.keepalive
    assert (entry.sender, entry.probes) == ("client" if first == CLIENT else "server", 1)


@SHAPES
@pytest.mark.parametrize("octets", [0, 1])
@pytest.mark.parametrize("seen", ["handshake", "syn", "nothing"])
def test_probes_behind_a_hole_are_all_found(shape: dict[str, bool], octets: int, seen: str) -> None:
    """The capture lacks what was sent before the silence, and holds the probes after it."""
    talk = Conversation(**shape)  # type: ignore[arg-type]
    talk.handshake()
    kept = {"handshake": 3, "syn": 1, "nothing": 0}[seen]
    talk.data(CLIENT, 300, captured=False, ack_captured=False)
    talk.data(SERVER, 1200, captured=False, ack_captured=False)
    for segment in talk.segments[kept:]:
        segment.captured = False
    for _ in range(4):
        talk.idle(12.032).probe(CLIENT, octets=octets)
    entry = keepalive(only_flow(talk.idle(3)), CLIENT)
    assert entry is not None
    assert (entry.probes, entry.answered) == (4, 4)
    assert entry.tcp_keepalive_time is not None
    assert entry.tcp_keepalive_time.value == 12


@SHAPES
def test_an_acknowledgement_behind_a_hole_is_no_probe(shape: dict[str, bool]) -> None:
    """The window opens after a silence: an ordinary ACK, whose number lies ahead of all that was captured too."""
    talk = Conversation(**shape).handshake()  # type: ignore[arg-type]
    talk.data(CLIENT, 300, captured=False, ack_captured=False).idle(12)
    talk.acknowledge(CLIENT)
    talk.idle(0.1).data(CLIENT, 40).data(SERVER, 60).idle(2)
    assert not only_flow(talk).keepalive


@SHAPES
@pytest.mark.parametrize("older", [3_000_000_000, 500_000])
def test_a_challenge_ack_of_an_older_life_ends_nothing(shape: dict[str, bool], older: int) -> None:
    talk = Conversation(**shape).syn()  # type: ignore[arg-type]
    talk.idle(0.01)
    talk.send(SERVER, "A", seq=123_456, ack=older, in_window=False)
    talk.idle(0.03)
    talk.send(CLIENT, "R", seq=older, options=[], window=0, in_window=False)
    talk.idle(3).syn().syn_ack().acknowledge(CLIENT)
    talk.established("complete").data(CLIENT, 100).data(SERVER, 400).fin(SERVER)
    flow = only_flow(talk)
    assert (handshake(flow), flow.ending.how.name) == ("complete", "HALF_CLOSED")
    [told] = [one for one in analyzed(talk).findings if one.rule == "older-connection-held"]
    assert "by 3.0 s" in told.summary
    closed = only_flow(talk.fin(CLIENT))
    assert closed.verdict == "closed"


@SHAPES
def test_an_older_life_alone_is_no_answer(shape: dict[str, bool]) -> None:
    """The SYN is sent again and again; all that comes back is about a connection before it."""
    talk = Conversation(**shape).syn()  # type: ignore[arg-type]
    for wait in (1, 2, 4):
        talk.idle(wait).syn()
    talk.idle(20).send(SERVER, "FA", seq=123_456, ack=3_000_000_000, in_window=False)
    flow = only_flow(talk.idle(5))
    assert (handshake(flow), flow.verdict) == ("no_answer", "no_answer")


def test_an_answer_of_which_the_syn_ack_is_missing_is_of_this_life() -> None:
    talk = Conversation().syn().syn_ack(captured=False)
    talk.acknowledge(CLIENT, captured=False)
    talk.data(CLIENT, 400, captured=False).data(SERVER, 30).idle(5)
    found = analyzed(talk)
    assert "older-connection-held" not in {one.rule for one in found.findings}
    assert found.flow(0).bytes[1] == 30


@SHAPES
@pytest.mark.parametrize("count", [1, 3])
def test_a_lone_ack_and_its_reset_are_no_lost_connection(shape: dict[str, bool], count: int) -> None:
    """A scan sends such ACKs; of a connection nothing was ever seen."""
    talks = []
    for number in range(count):
        talk = Conversation(ports=(40_000, 80 + number), **shape)  # type: ignore[arg-type]
        ack = talk.send(CLIENT, "A", ack=777)
        talk.idle(0.001).send(SERVER, "R", seq=ack.ack, options=[], window=0)
        talks.append(talk)
    assert {flow.verdict for flow in flows(*talks)} == {"aborted"}
    assert not [one for one in analyzed(*talks).findings if one.severity in ("high", "medium")]


def test_a_probe_of_which_two_are_seen_meets_a_lost_state() -> None:
    """Answered once, and then with RST: this was a connection."""
    talk = Conversation().handshake().data(CLIENT, 50).capture_begins().idle(15).probe(CLIENT).idle(15)
    talk.answer(talk.ask(CLIENT), "rst")
    assert only_flow(talk).verdict == "lost_state"
