"""Resets: who sent them, what they answered, and what they leave the other end in."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import assert_as_built, ending, keepalive, only_flow, states

from analyzer.model.words import Outcome, Why


def talk(**how: object) -> Conversation:
    return Conversation(**how).handshake().data(CLIENT, 300).data(SERVER, 200)  # type: ignore[arg-type]


@pytest.mark.parametrize("sender", [CLIENT, SERVER])
def test_an_abort_closes_both_ends(sender: str) -> None:
    reset = talk().idle(3).rst(sender)
    flow = only_flow(reset)
    assert_as_built(reset, flow)
    assert flow.ending.why is Why.ABORT
    assert flow.verdict == "aborted"


def test_an_exhausted_prober_resets_and_nobody_knows_whether_the_peer_heard_it() -> None:
    reset = talk().idle(10).probes(CLIENT, 5, every=5, answered=False).rst(CLIENT)
    flow = only_flow(reset)
    assert_as_built(reset, flow)
    assert flow.ending.why is Why.KEEPALIVE_EXHAUSTED
    assert states(flow) == ("CLOSED", "UNKNOWN")
    assert flow.verdict == "dead_peer"


def test_one_probe_and_the_probers_reset_one_interval_later_is_exhaustion() -> None:
    reset = talk().idle(10).probes(SERVER, 1, every=3, answered=False).rst(SERVER)
    flow = only_flow(reset)
    assert flow.ending.why is Why.KEEPALIVE_EXHAUSTED
    assert flow.verdict == "dead_peer"


def test_an_application_that_resets_in_the_middle_of_an_interval_aborts() -> None:
    reset = talk().idle(10).probes(CLIENT, 3, every=10, answered=False)
    reset.idle(-6).rst(CLIENT)
    flow = only_flow(reset)
    assert flow.ending.why is Why.ABORT


def test_a_peer_without_state_answers_a_probe_with_a_bare_reset() -> None:
    reset = talk().idle(15).probe(CLIENT, answered="rst")
    flow = only_flow(reset)
    assert_as_built(reset, flow)
    assert flow.ending.why is Why.REPLY_TO_PROBE
    assert states(flow) == ("CLOSED", "CLOSED")
    entry = keepalive(flow, CLIENT)
    assert entry is not None and entry.reset == 1
    assert entry.episodes[0].outcome is Outcome.RESET


def test_a_reset_after_a_run_of_unanswered_probes_answers_the_last_of_them() -> None:
    reset = talk().idle(15).probes(CLIENT, 3, every=5, answered=False).probe(CLIENT, answered="rst")
    flow = only_flow(reset)
    entry = keepalive(flow, CLIENT)
    assert entry is not None
    assert (entry.answered, entry.unanswered, entry.reset) == (0, 3, 1)
    assert flow.verdict == "lost_state"
    # The prober has received an answer: nothing is in doubt.
    assert states(flow) == ("CLOSED", "CLOSED")


def test_a_peer_without_state_answers_data_with_a_bare_reset() -> None:
    reset = talk().idle(15).data(CLIENT, 10, acked=False)
    reset.send(SERVER, "R", seq=reset.sides[CLIENT].rcv_nxt, options=[], window=0)
    flow = only_flow(reset)
    assert flow.ending.why is Why.REPLY_TO_DATA
    assert flow.verdict == "lost_state"


def test_data_after_the_peers_application_closed_draws_a_reset_that_aborts() -> None:
    reset = talk().fin(SERVER).idle(1).data(CLIENT, 10, acked=False)
    reset.send(SERVER, "R", seq=reset.sides[CLIENT].rcv_nxt, options=[], window=0)
    flow = only_flow(reset)
    assert flow.verdict == "aborted"
    assert ending(flow) == ("rst", SERVER)


def test_a_reset_after_unanswered_retransmissions_leaves_the_peer_unknown() -> None:
    reset = talk().idle(1).data(CLIENT, 10, arrives=False).retransmissions(CLIENT, 4).idle(5).rst(CLIENT)
    assert states(only_flow(reset)) == ("CLOSED", "UNKNOWN")


def test_a_reset_after_unanswered_data_that_was_never_resent_arrives() -> None:
    reset = talk().idle(1).data(CLIENT, 10, acked=False).idle(0.1).rst(CLIENT)
    assert states(only_flow(reset)) == ("CLOSED", "CLOSED")


def test_the_first_reset_is_the_ending_even_when_both_ends_reset() -> None:
    reset = talk().rst(SERVER)
    reset.send(CLIENT, "RA")
    assert ending(only_flow(reset)) == ("rst", SERVER)


def test_a_reset_after_both_fins_leaves_a_close() -> None:
    reset = talk().fin(CLIENT).fin(SERVER).idle(0.1)
    reset.send(CLIENT, "R", options=[], window=0)
    flow = only_flow(reset)
    assert flow.verdict == "closed"
    assert ending(flow) == ("fin", CLIENT)


def test_a_half_closed_connection_that_is_reset_ended_by_the_reset() -> None:
    reset = talk().fin(CLIENT).idle(1).rst(SERVER)
    flow = only_flow(reset)
    assert ending(flow) == ("rst", SERVER)
    assert states(flow) == ("CLOSED", "CLOSED")


def test_both_ends_give_up_on_each_other() -> None:
    reset = talk().idle(10).probes(CLIENT, 3, every=5, answered=False)
    reset.ask(SERVER)
    reset.rst(CLIENT)
    flow = only_flow(reset)
    assert ending(flow) == ("rst", CLIENT)
    assert flow.ending.why is Why.KEEPALIVE_EXHAUSTED
