"""Closed windows: probes of the window, keepalive probes to a stalled peer, and what is neither."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import assert_as_built, built_probes, keepalive, only_flow, probes_of


def stalled(**how: object) -> Conversation:
    """The server has stopped reading and the client's last data filled its window."""
    return Conversation(**how).handshake().data(CLIENT, 3000).data(CLIENT, 1000, window=0)  # type: ignore[arg-type]


def test_doubling_probes_into_a_closed_window_are_window_probes() -> None:
    flow = only_flow(stalled().persist(CLIENT, 6))
    assert flow.zero_window_probes == (6, 0)
    assert flow.keepalive == ()
    assert flow.verdict == "zero_window_stall"


def test_window_probes_that_nothing_answers_are_window_probes() -> None:
    flow = only_flow(stalled().persist(CLIENT, 6, reply_window=None))
    assert flow.zero_window_probes == (6, 0)
    assert flow.keepalive == ()


def test_even_probes_into_a_closed_window_are_keepalive_on_a_stalled_peer() -> None:
    talk = stalled().idle(10)
    for _ in range(5):
        talk.probe(CLIENT).idle(9.95)
    flow = only_flow(talk)
    assert probes_of(flow, CLIENT) == built_probes(talk, CLIENT)
    assert flow.zero_window_probes == (0, 0)


def test_window_probes_that_reached_their_ceiling_are_window_probes() -> None:
    flow = only_flow(stalled().persist(CLIENT, 16))
    assert flow.zero_window_probes == (16, 0)
    assert flow.keepalive == ()


def test_one_probe_into_a_closed_window_is_a_window_probe() -> None:
    flow = only_flow(stalled().persist(CLIENT, 1))
    assert flow.zero_window_probes == (1, 0)
    assert flow.keepalive == ()


@pytest.mark.parametrize("count", [3, 6])
def test_window_probes_of_one_new_octet(count: int) -> None:
    talk = stalled(timestamps=False)
    wait = 5.0
    for _ in range(count):
        talk.idle(wait)
        talk.send(CLIENT, "A", b"c", seq=talk.sides[CLIENT].una, in_window=False)
        talk.sides[CLIENT].nxt = talk.sides[CLIENT].una
        talk.acknowledge(SERVER, at=talk.now + talk.rtt // 2)
        wait = min(60.0, 2 * wait)
    flow = only_flow(talk)
    assert flow.zero_window_probes == (count, 0)
    assert flow.keepalive == ()


def test_a_window_that_opens_again_ends_the_stall() -> None:
    talk = stalled().persist(CLIENT, 4).window_update(SERVER, 502).data(CLIENT, 2000).idle(5).data(SERVER, 10)
    flow = only_flow(talk)
    assert flow.zero_window_probes == (4, 0)
    assert flow.verdict == "healthy"


def test_keepalive_after_a_window_has_opened_again_is_keepalive() -> None:
    talk = stalled().persist(CLIENT, 4).window_update(SERVER, 502).data(CLIENT, 200).idle(15).probe(CLIENT)
    flow = only_flow(talk)
    assert probes_of(flow, CLIENT) == built_probes(talk, CLIENT)
    assert flow.zero_window_probes == (4, 0)


def test_two_stalls_of_two_probes_each() -> None:
    talk = stalled().persist(CLIENT, 2).window_update(SERVER, 502)
    talk.data(CLIENT, 900, window=0).persist(CLIENT, 2).window_update(SERVER, 502)
    flow = only_flow(talk)
    assert flow.zero_window_probes == (4, 0)
    assert flow.keepalive == ()


def test_keepalive_of_the_stalled_end_is_keepalive() -> None:
    talk = stalled().idle(15)
    talk.probe(SERVER).idle(15).probe(SERVER)
    assert_as_built(talk, only_flow(talk))


def test_probes_of_a_window_that_closed_before_the_capture() -> None:
    talk = stalled().persist(CLIENT, 2).capture_begins().persist(CLIENT, 5, first=0.9)
    flow = only_flow(talk)
    assert flow.zero_window_probes[0] >= 4
    assert flow.keepalive == ()


def test_a_one_octet_retransmission_to_a_stalled_peer_is_no_keepalive() -> None:
    talk = stalled()
    talk.sides[SERVER].window = 0
    talk.data(CLIENT, 1, arrives=False).retransmissions(CLIENT, 3)
    assert keepalive(only_flow(talk), CLIENT) is None


def test_the_first_octet_of_a_connection_is_data() -> None:
    flow = only_flow(Conversation().handshake().data(CLIENT, 1))
    assert flow.bytes == (1, 0)
    assert flow.zero_window_probes == (0, 0)


def test_the_octets_of_window_probes_count_as_payload_once() -> None:
    """The byte is new data that the receiver took when its window opened (RFC 9293 3.8.6.1)."""
    talk = stalled(timestamps=False).idle(5)
    talk.send(CLIENT, "A", b"c")
    talk.idle(0.05)
    talk.sides[SERVER].window = 502
    talk.acknowledge(SERVER)
    talk.idle(0.05).data(CLIENT, 10)
    assert only_flow(talk).bytes == (4011, 0)


@pytest.mark.parametrize("at", [CLIENT, SERVER])
@pytest.mark.parametrize("rtt", [0.3, 0.7, 1.5])
def test_window_probes_over_a_long_round_trip_are_window_probes(rtt: float, at: str) -> None:
    flow = only_flow(stalled(rtt=rtt, at=at).persist(CLIENT, 3))
    assert flow.zero_window_probes == (3, 0)
    assert flow.keepalive == ()
