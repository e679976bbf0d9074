"""What passed the point of capture is not always heard; and what comes after the end rewrites nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed, ending, keepalive, only_flow
from sides import BuiltProbe

from analyzer.model.flows import Estimate, Flow
from analyzer.model.words import Why

SHAPES = pytest.mark.parametrize("shape", [{}, {"v6": True}, {"timestamps": False}, {"v6": True, "timestamps": False}])


def value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def settings(flow: Flow, sender: str) -> tuple[float | None, float | None, float | None]:
    entry = keepalive(flow, sender)
    assert entry is not None
    return (
        value(entry.tcp_keepalive_time),
        value(entry.tcp_keepalive_intvl),
        value(entry.tcp_keepalive_probes),
    )


def answer_unheard(talk: Conversation, probe: BuiltProbe) -> None:
    """The answer passes the point of capture, and is lost behind it."""
    recent = talk.sides[probe.sender].ts_recent
    talk.answer(probe, "ack")
    talk.sides[probe.sender].ts_recent = recent


def rounds(talk: Conversation, prober: str, *gaps: float, heard: bool = True) -> Conversation:
    """Answered probes, each so long after what its prober heard or sent last."""
    for gap in gaps:
        talk.idle(gap)
        probe = talk.ask(prober)
        if heard:
            talk.answer(probe, "ack")
        else:
            answer_unheard(talk, probe)
    return talk


def begin(prober: str, **how: object) -> Conversation:
    """Captured where the prober's peer is."""
    at = SERVER if prober == CLIENT else CLIENT
    return Conversation(at=at, rtt=0.004, **how).handshake().data(CLIENT, 50).data(SERVER, 200)  # type: ignore[arg-type]


@SHAPES
@pytest.mark.parametrize("prober", [CLIENT, SERVER])
@pytest.mark.parametrize(
    ("idle", "late", "interval", "pace", "count"), [(20, 20.224, 6, 6.144, 5), (9, 9.216, 2, 2.016, 3)]
)
def test_answers_lost_behind_the_capture_leave_the_prober_alone(
    shape: dict[str, bool], prober: str, idle: int, late: float, interval: int, pace: float, count: int
) -> None:
    talk = rounds(begin(prober, **shape), prober, late, late)
    rounds(talk, prober, late, *[pace] * (count - 1), heard=False)
    flow = only_flow(talk.idle(pace).rst(prober))
    assert (flow.verdict, flow.ending.why, ending(flow)) == ("dead_peer", Why.KEEPALIVE_EXHAUSTED, ("rst", prober))
    assert settings(flow, prober) == (idle, interval, count)
    entry = keepalive(flow, prober)
    assert entry is not None
    assert (entry.probes, entry.answered) == (count + 2, count + 2)
    assert [one.rule for one in analyzed(talk).findings if one.severity == "high"] == ["one-way-loss"]
    assert entry.former_tcp_keepalive_time is None


def test_where_time_and_interval_are_alike_timestamps_tell() -> None:
    talk = rounds(begin(CLIENT), CLIENT, 15.104, 15.104)
    rounds(talk, CLIENT, *[15.104] * 9, heard=False)
    flow = only_flow(talk.idle(15.1).rst(CLIENT))
    assert (flow.verdict, settings(flow, CLIENT)) == ("dead_peer", (15, 15, 9))


@SHAPES
def test_an_application_that_resets_after_answered_probes_aborted(shape: dict[str, bool]) -> None:
    talk = rounds(begin(CLIENT, **shape), CLIENT, 20.224, 20.224, 20.224).idle(7.3)
    flow = only_flow(talk.rst(CLIENT))
    assert (flow.verdict, flow.ending.why) == ("aborted", Why.ABORT)
    assert settings(flow, CLIENT)[0] == 20


def test_a_stack_that_does_not_echo_pure_acks_is_not_deaf() -> None:
    """RFC 1323 let TSecr stand still where nothing but pure ACKs came; the pace of its probes does not change."""
    talk = begin(CLIENT)
    for _ in range(5):
        talk.idle(30.08)
        answer_unheard(talk, talk.ask(CLIENT))
    flow = only_flow(talk.data(CLIENT, 20).data(SERVER, 20).idle(5))
    entry = keepalive(flow, CLIENT)
    assert entry is not None
    assert (flow.verdict, entry.answered) == ("healthy", 5)
    assert all(len(episode.probes) == 1 for episode in entry.episodes)


@SHAPES
def test_data_that_never_arrives_does_not_restart_the_idle_clock(shape: dict[str, bool]) -> None:
    """The server sends, in vain; the client asks on as if nothing had come, for nothing has."""
    talk = rounds(begin(CLIENT, **shape), CLIENT, 20.224)
    rounds(talk, CLIENT, 20.224, 5.12, heard=False)
    talk.idle(2).data(SERVER, 100, arrives=False, acked=False)
    talk.idle(3.12)
    answer_unheard(talk, talk.ask(CLIENT))
    entry = keepalive(only_flow(talk.idle(1)), CLIENT)
    assert entry is not None
    assert entry.tcp_keepalive_time is None or entry.tcp_keepalive_time.value in (20, None)
    gaps = [later.start - earlier.start for earlier, later in pairwise(entry.episodes)]
    assert all(gap > 10**9 for gap in gaps)


@SHAPES
@pytest.mark.parametrize("late", ["data", "fin", "ack", "probe"])
@pytest.mark.parametrize("prober", [CLIENT, SERVER])
def test_a_peer_that_speaks_after_it_was_given_up_was_given_up_all_the_same(
    shape: dict[str, bool], late: str, prober: str
) -> None:
    peer = SERVER if prober == CLIENT else CLIENT
    talk = Conversation(rtt=0.02, at=prober, **shape).handshake().data(CLIENT, 100).data(SERVER, 200)  # type: ignore[arg-type]
    talk.idle(30.72).probes(prober, 4, every=10.24, answered=False)
    talk.send(prober, "RA", arrives=False, captured=True)
    talk.idle(45)
    if late == "data":
        talk.send(peer, "PA", b"x" * 50)
        talk.send(prober, "R", options=[], window=0)
    elif late == "fin":
        talk.send(peer, "FA")
        talk.send(prober, "R", options=[], window=0)
    elif late == "ack":
        talk.send(peer, "A")
    else:
        talk.ask(peer)
        talk.send(prober, "R", options=[], window=0)
    flow = only_flow(talk.idle(1))
    assert (flow.verdict, flow.ending.by, flow.ending.why) == ("dead_peer", prober, Why.KEEPALIVE_EXHAUSTED)
    assert settings(flow, prober) == (30, 10, 4)


@SHAPES
@pytest.mark.parametrize("fin", [False, True])
@pytest.mark.parametrize("again", [0, 3])
def test_a_peer_that_sends_the_same_after_each_reset_does_not_hear_them(
    shape: dict[str, bool], fin: bool, again: int
) -> None:
    """It goes on in a state that the capture does not show; what an RST met once is over."""
    talk = Conversation(**shape).handshake().data(CLIENT, 100).data(SERVER, 200).idle(5)  # type: ignore[arg-type]
    talk.probes(CLIENT, 3, every=2, answered=False).rst(CLIENT).idle(9)
    if fin:
        talk.fin(SERVER, arrives=False, acked=False, captured=True)
    else:
        talk.data(SERVER, 300, acked=False, arrives=False, captured=True)
    talk.send(CLIENT, "R", options=[], window=0)
    for _ in range(again):
        talk.retransmissions(SERVER, 1).send(CLIENT, "R", options=[], window=0)
    flow = only_flow(talk.idle(1))
    assert (flow.verdict, flow.state[1].name) == ("dead_peer", "UNKNOWN" if again else "CLOSED")


@SHAPES
@pytest.mark.parametrize("fin", [False, True])
def test_who_resends_and_then_resets_has_given_up(shape: dict[str, bool], fin: bool) -> None:
    talk = Conversation(**shape).handshake().data(CLIENT, 100).data(SERVER, 200)  # type: ignore[arg-type]
    if fin:
        talk.fin(CLIENT, arrives=False, acked=False, captured=True)
    else:
        talk.data(CLIENT, 300, acked=False, arrives=False, captured=True)
    talk.retransmissions(CLIENT, 5).idle(6.4)
    flow = only_flow(talk.rst(CLIENT))
    assert (flow.verdict, flow.ending.by, flow.ending.why) == ("retransmission_timeout", CLIENT, Why.NONE)


def test_who_resends_once_and_then_resets_aborted() -> None:
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 200)
    talk.data(CLIENT, 300, acked=False, arrives=False, captured=True).retransmissions(CLIENT, 1).idle(0.1)
    flow = only_flow(talk.rst(CLIENT))
    assert (flow.verdict, flow.ending.why) == ("aborted", Why.ABORT)


@pytest.mark.parametrize("data", [{40, 90, 91, 200}, {10, 11, 12, 13, 14, 230}])
def test_one_direction_of_a_stream_with_some_segments_twice_is_not_stuck(data: set[int]) -> None:
    talk = Conversation().handshake()
    talk.capture_begins()
    for number in range(240):
        talk.data(SERVER, 500, ack_captured=False).idle(0.1)
        if number in data:
            last = talk.sides[SERVER].last
            assert last is not None
            talk.send(SERVER, last.flags, last.payload, seq=last.seq).captured = True
            talk.idle(0.02)
    flow = only_flow(talk)
    assert flow.verdict == "healthy"


def test_one_direction_that_sends_the_same_again_and_nothing_else_is() -> None:
    talk = Conversation().handshake().capture_begins()
    talk.data(SERVER, 500, ack_captured=False).idle(0.1).data(SERVER, 500, acked=False, arrives=False, captured=True)
    flow = only_flow(talk.retransmissions(SERVER, 5))
    assert flow.verdict == "retransmission_timeout"


@SHAPES
def test_a_reset_that_was_not_heard_is_followed_by_the_one_that_is(shape: dict[str, bool]) -> None:
    talk = Conversation(at=SERVER, rtt=0.002, **shape).handshake().data(CLIENT, 50).data(SERVER, 200)  # type: ignore[arg-type]
    rounds(talk, CLIENT, 8.19, 8.19).idle(3)
    talk.send(SERVER, "RA", arrives=False, captured=True)
    talk.idle(5.19)
    talk.answer(talk.ask(CLIENT), "rst")
    flow = only_flow(talk.idle(1))
    assert (flow.verdict, flow.ending.why) == ("lost_state", Why.REPLY_TO_PROBE)
