"""How connections begin: handshakes whole, simultaneous, refused, unanswered, or before the capture."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import assert_as_built, ending, flows, handshake, only_flow, states

MS = 1_000_000


@pytest.mark.parametrize("at", [CLIENT, SERVER])
@pytest.mark.parametrize("rtt", [0.0002, 0.05, 0.6])
def test_three_way_handshake_shows_its_round_trip_at_either_end(at: str, rtt: float) -> None:
    talk = Conversation(at=at, rtt=rtt).handshake()
    flow = only_flow(talk)
    assert_as_built(talk, flow)
    assert flow.roles == "handshake"
    assert flow.handshake_rtt == pytest.approx(rtt * 1e9)


def test_without_its_last_ack_a_handshake_is_partial_and_the_server_still_waits() -> None:
    flow = only_flow(Conversation().syn().syn_ack())
    assert handshake(flow) == "partial"
    assert flow.handshake_rtt is None
    assert states(flow) == ("SYN-SENT", "SYN-RECEIVED")


def test_data_completes_a_handshake_whose_ack_was_not_captured() -> None:
    talk = Conversation().handshake(ack_captured=False).idle(0.1).data(CLIENT, 10)
    flow = only_flow(talk)
    assert handshake(flow) == "complete"
    assert states(flow) == ("ESTABLISHED", "ESTABLISHED")


def test_round_trip_of_a_repeated_syn_counts_from_the_syn_that_was_answered() -> None:
    talk = Conversation().syn(arrives=False).idle(1).handshake()
    flow = only_flow(talk)
    assert_as_built(talk, flow)
    assert flow.handshake_rtt == 50 * MS


def test_round_trip_of_a_repeated_syn_without_timestamps_counts_from_the_last_syn() -> None:
    flow = only_flow(Conversation(timestamps=False).syn(arrives=False).idle(1).handshake())
    assert flow.handshake_rtt == 50 * MS


def test_two_syns_that_cross_are_one_simultaneous_open() -> None:
    talk = Conversation().simultaneous_open().idle(1).data(SERVER, 10)
    assert_as_built(talk, only_flow(talk))


def test_the_sender_of_the_first_syn_is_the_client_of_a_simultaneous_open() -> None:
    flow = only_flow(Conversation(at=SERVER).simultaneous_open())
    assert flow.client.port == 5432
    assert handshake(flow) == "simultaneous"


def test_a_syn_that_nothing_answers_is_no_answer() -> None:
    talk = Conversation().syn(arrives=False).idle(1).syn(arrives=False).idle(2).syn(arrives=False)
    flow = only_flow(talk)
    assert_as_built(talk, flow)
    assert flow.verdict == "no_answer"
    assert states(flow)[0] == "SYN-SENT"


def test_a_syn_that_draws_a_rst_is_refused() -> None:
    talk = Conversation().refused()
    flow = only_flow(talk)
    assert_as_built(talk, flow)
    assert flow.verdict == "refused"


def test_a_syn_again_after_a_refusal_is_one_refused_connection() -> None:
    talk = Conversation().refused().idle(0.5).syn()
    talk.truth.handshake = "refused"
    assert handshake(only_flow(talk)) == "refused"


@pytest.mark.parametrize("v6", [False, True])
def test_a_capture_that_starts_in_mid_stream_guesses_the_lower_port_to_be_the_server(v6: bool) -> None:
    talk = Conversation(v6=v6).handshake().capture_begins().data(SERVER, 100).data(CLIENT, 10)
    flow = only_flow(talk)
    assert_as_built(talk, flow)
    assert flow.roles == "guess"
    assert (flow.client.port, flow.server.port) == (40_000, 5432)


def test_a_capture_that_starts_with_the_syn_ack_knows_who_is_the_server() -> None:
    talk = Conversation(ports=(22, 50_000)).handshake().data(CLIENT, 5)
    talk.cut(2)
    flow = only_flow(talk)
    assert (flow.client.port, flow.server.port) == (22, 50_000)
    assert states(flow) == ("ESTABLISHED", "ESTABLISHED")
    assert handshake(flow) == "partial"


def test_an_endpoint_that_was_never_seen_has_no_known_state() -> None:
    talk = Conversation().handshake().capture_begins()
    talk.data(CLIENT, 10, ack_captured=False)
    flow = only_flow(talk)
    assert states(flow) == ("ESTABLISHED", "UNKNOWN")


def test_sequence_numbers_wrap_within_a_handshake() -> None:
    talk = Conversation(client_isn=2**32 - 1, server_isn=2**32 - 1).handshake()
    talk.data(CLIENT, 10).data(SERVER, 10).idle(20).probe(CLIENT)
    assert_as_built(talk, only_flow(talk))


def test_port_reuse_after_a_close_is_the_next_connection() -> None:
    first = Conversation().handshake().data(CLIENT).fin(CLIENT).fin(SERVER)
    second = Conversation(start=100, client_isn=777, server_isn=888).handshake().data(CLIENT)
    old, new = flows(first, second)
    assert_as_built(first, old)
    assert_as_built(second, new)


def test_port_reuse_of_a_connection_that_never_closed_is_the_next_connection() -> None:
    first = Conversation().handshake().data(CLIENT)
    second = Conversation(start=100, client_isn=777, server_isn=888).handshake().data(CLIENT).fin(CLIENT)
    old, new = flows(first, second)
    assert_as_built(first, old)
    assert_as_built(second, new)


def test_a_challenge_ack_and_the_rst_that_it_draws_belong_to_the_old_connection() -> None:
    first = Conversation().handshake().data(CLIENT)
    second = Conversation(start=100, client_isn=777, server_isn=888).syn(arrives=False)
    first.now = second.now + 25_000_000
    challenge = first.acknowledge(SERVER)
    first.idle(0.025)
    first.send(CLIENT, "R", seq=challenge.ack, options=[], window=0)
    second.idle(1).handshake()
    old, new = flows(first, second)
    assert ending(old) == ("rst", CLIENT)
    assert states(old) == ("CLOSED", "CLOSED")
    assert_as_built(second, new)
    assert sum(old.packets) + sum(new.packets) == len(first.segments) + len(second.segments)


def test_an_old_connection_still_answered_while_its_ports_are_asked_for_anew() -> None:
    first = Conversation().handshake().data(CLIENT, 10)
    second = Conversation(start=100, client_isn=777, server_isn=888).syn(arrives=False)
    first.now = second.now + 500_000_000
    first.data(SERVER, 40, acked=False)
    old, new = flows(first, second)
    assert old.bytes == (10, 40)
    assert handshake(new) == "no_answer"


def test_third_connection_on_the_same_ports_is_counted_apart() -> None:
    talks = [
        Conversation(start=10 * n, client_isn=10_000 * (n + 1), server_isn=50_000 * (n + 1)).handshake().rst(CLIENT)
        for n in range(3)
    ]
    found = flows(*talks)
    assert [ending(flow) for flow in found] == [("rst", CLIENT)] * 3
