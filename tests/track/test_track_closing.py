"""How connections end by FIN, and which states that leaves both ends in, as far as a capture shows it."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import assert_as_built, ending, flows, only_flow, states


def talk(at: str = CLIENT) -> Conversation:
    return Conversation(at=at).handshake().data(CLIENT, 300).data(SERVER, 2000)


@pytest.mark.parametrize("at", [CLIENT, SERVER])
@pytest.mark.parametrize("closer", [CLIENT, SERVER])
def test_four_segments_close_a_connection(closer: str, at: str) -> None:
    other = SERVER if closer == CLIENT else CLIENT
    closed = talk(at).fin(closer).idle(0.3).fin(other)
    flow = only_flow(closed)
    assert_as_built(closed, flow)
    assert flow.verdict == "closed"
    assert sorted(states(flow)) == ["CLOSED", "TIME-WAIT"]


def test_three_segments_close_a_connection() -> None:
    closed = talk().fin(CLIENT, acked=False).fin(SERVER)
    flow = only_flow(closed)
    assert_as_built(closed, flow)
    assert states(flow) == ("TIME-WAIT", "CLOSED")


def test_two_segments_close_a_connection_but_for_the_last_ack() -> None:
    closed = talk().fin(CLIENT, acked=False).fin(SERVER, acked=False)
    flow = only_flow(closed)
    assert_as_built(closed, flow)
    assert states(flow) == ("FIN-WAIT-2", "LAST-ACK")


def test_two_fins_that_cross_leave_both_ends_in_time_wait() -> None:
    closed = talk().simultaneous_close()
    flow = only_flow(closed)
    assert states(flow) == ("TIME-WAIT", "TIME-WAIT")
    assert ending(flow)[0] == "fin"


def test_one_acknowledged_fin_half_closes() -> None:
    closed = talk().fin(SERVER)
    flow = only_flow(closed)
    assert_as_built(closed, flow)
    assert states(flow) == ("CLOSE-WAIT", "FIN-WAIT-2")


def test_an_unacknowledged_fin_counts_as_sent_and_not_as_received() -> None:
    closed = talk().fin(CLIENT, arrives=False)
    flow = only_flow(closed)
    assert_as_built(closed, flow)
    assert states(flow) == ("FIN-WAIT-1", "ESTABLISHED")


def test_data_may_follow_the_other_ends_fin() -> None:
    closed = talk().fin(CLIENT).data(SERVER, 5000).idle(1).data(SERVER, 10)
    assert_as_built(closed, only_flow(closed))


def test_a_fin_that_carries_data_is_acknowledged_as_a_whole() -> None:
    closed = talk()
    segment = closed.send(CLIENT, "PFA", b"bye")
    closed.sides[CLIENT].fin_end = segment.seq + 4
    closed.sides[CLIENT].state = "FIN-WAIT-1"
    closed.truth.ending = ("half_closed", CLIENT)
    closed.idle(0.05).acknowledge(SERVER)
    flow = only_flow(closed)
    assert_as_built(closed, flow)
    assert flow.bytes[0] == 303


def test_an_ack_of_only_the_data_before_a_fin_does_not_acknowledge_the_fin() -> None:
    closed = talk()
    before = closed.sides[CLIENT].nxt
    closed.send(CLIENT, "PFA", b"bye", arrives=False)
    closed.idle(0.05).acknowledge(SERVER, ack=before + 3)
    assert states(only_flow(closed)) == ("FIN-WAIT-1", "ESTABLISHED")


def test_a_repeated_fin_moves_nothing() -> None:
    closed = talk().fin(CLIENT, arrives=False).idle(0.2).resend(CLIENT)
    flow = only_flow(closed)
    assert states(flow) == ("FIN-WAIT-2", "CLOSE-WAIT")
    assert ending(flow) == ("half_closed", CLIENT)


def test_a_fin_resent_until_its_sender_falls_silent_is_a_timeout() -> None:
    closed = talk().fin(CLIENT, arrives=False).retransmissions(CLIENT, 6)
    other = Conversation(ports=(50_000, 80), start=1000).handshake()
    flow, _ = flows(closed, other)
    assert ending(flow) == ("timeout", CLIENT)
    assert flow.verdict == "retransmission_timeout"


def test_a_close_seen_only_from_its_last_ack_on_is_no_new_state() -> None:
    closed = talk().fin(CLIENT).fin(SERVER, acked=False).capture_begins()
    closed.acknowledge(CLIENT)
    flow = only_flow(closed)
    assert flow.handshake.name == "NOT_CAPTURED"
    assert flow.roles == "guess"


def test_time_wait_repeats_its_ack_for_a_repeated_fin() -> None:
    closed = talk().fin(CLIENT).fin(SERVER).idle(0.2).resend(SERVER)
    assert_as_built(closed, only_flow(closed))


def test_of_two_fins_with_one_timestamp_the_first_in_the_capture_came_first() -> None:
    closed = talk().fin(SERVER, acked=False).fin(CLIENT)
    first, second = (segment for segment in closed.segments if "F" in segment.flags)
    assert first.time == second.time
    assert ending(only_flow(closed)) == ("fin", SERVER)


def test_fins_close_a_connection_whose_sequence_numbers_wrap() -> None:
    closed = Conversation(client_isn=2**32 - 301, server_isn=2**32 - 2).handshake().data(CLIENT, 300)
    closed.fin(CLIENT).fin(SERVER)
    assert_as_built(closed, only_flow(closed))
