"""Which segments are probes: the rules R1 to R10 of detection, one after the other."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import assert_as_built, built_probes, keepalive, only_flow, probes_of


def talk(**how: object) -> Conversation:
    return Conversation(**how).handshake().data(CLIENT, 300).data(SERVER, 200)  # type: ignore[arg-type]


# R1: SND.UNA - 1, no data, nothing outstanding.


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("timestamps", [False, True])
@pytest.mark.parametrize("sender", [CLIENT, SERVER])
@pytest.mark.parametrize("at", [CLIENT, SERVER])
def test_answered_probes_of_either_end(sender: str, at: str, timestamps: bool, v6: bool) -> None:
    probed = talk(at=at, timestamps=timestamps, v6=v6).idle(15).probe(sender).idle(15).probe(sender)
    flow = only_flow(probed)
    assert_as_built(probed, flow)
    assert flow.verdict == "healthy"


def test_a_connection_that_never_carried_data_is_probed_at_its_initial_sequence_number() -> None:
    probed = Conversation().handshake().idle(60).probe(CLIENT).idle(60).probe(SERVER)
    assert_as_built(probed, only_flow(probed))


def test_both_ends_probe_on_clocks_of_their_own() -> None:
    probed = talk()
    for _ in range(4):
        probed.idle(10).probe(SERVER).idle(3).probe(CLIENT)
    assert_as_built(probed, only_flow(probed))


def test_both_ends_probe_in_the_same_moment() -> None:
    probed = talk(rtt=0.04)
    for _ in range(3):
        probed.idle(20)
        first, second = probed.ask(CLIENT), probed.ask(SERVER)
        probed.answer(first, "ack")
        probed.answer(second, "ack")
    assert_as_built(probed, only_flow(probed))


def test_probes_at_the_wrap_of_the_sequence_numbers() -> None:
    probed = Conversation(client_isn=2**32 - 301, server_isn=2**32 - 202).handshake()
    probed.data(CLIENT, 300).data(SERVER, 200).idle(15)
    assert probed.sides[CLIENT].nxt == 2**32
    probed.probe(CLIENT).idle(1).probe(SERVER).data(SERVER, 1).idle(15).probe(SERVER)
    assert_as_built(probed, only_flow(probed))


def test_a_probe_below_unacknowledged_data_is_none() -> None:
    stalled = talk().data(CLIENT, 10, arrives=False).idle(5)
    stalled.send(CLIENT, "A", seq=stalled.sides[CLIENT].una - 1)
    assert only_flow(stalled).keepalive == ()


@pytest.mark.parametrize("vlan", [None, 7])
def test_encapsulation_changes_nothing(vlan: int | None) -> None:
    probed = talk(v6=True, vlan=vlan, extension_headers=True).idle(15).probe(CLIENT).probe(SERVER)
    assert_as_built(probed, only_flow(probed))


def test_a_probe_after_unseen_data_stands_below_what_the_peer_acknowledged() -> None:
    probed = talk().data(CLIENT, 500, captured=False).idle(15).probe(CLIENT)
    assert_as_built(probed, only_flow(probed))


# R2: the capture starts in silence; probes are held until an acknowledgement explains them.


@pytest.mark.parametrize("sender", [CLIENT, SERVER])
def test_a_capture_that_starts_in_an_idle_connection_finds_its_first_probe(sender: str) -> None:
    probed = talk().idle(15).capture_begins().probe(sender).idle(15).probe(sender)
    flow = only_flow(probed)
    assert_as_built(probed, flow)
    assert flow.verdict == "healthy"


def test_a_capture_that_starts_in_an_unanswered_run_finds_all_of_it() -> None:
    probed = talk().idle(15).capture_begins().probes(CLIENT, 4, every=5, answered=False).rst(CLIENT)
    flow = only_flow(probed)
    assert probes_of(flow, CLIENT) == built_probes(probed, CLIENT)


def test_an_answer_after_an_unanswered_run_proves_the_whole_run() -> None:
    probed = talk().idle(15).capture_begins().probes(CLIENT, 4, every=5, answered=False).probe(CLIENT)
    flow = only_flow(probed)
    assert probes_of(flow, CLIENT) == built_probes(probed, CLIENT)
    entry = keepalive(flow, CLIENT)
    assert entry is not None and entry.confidence == "certain"


def test_data_shows_a_held_back_probe_to_be_one() -> None:
    probed = talk().idle(15).capture_begins().probes(CLIENT, 1, every=5, answered=False).data(CLIENT, 40)
    assert probes_of(only_flow(probed), CLIENT) == built_probes(probed, CLIENT)


def test_data_shows_a_held_back_ack_to_be_an_ordinary_one() -> None:
    plain = talk().idle(15).capture_begins()
    plain.acknowledge(CLIENT)
    plain.idle(2).data(CLIENT, 40)
    assert only_flow(plain).keepalive == ()


def test_a_lone_ack_at_the_start_of_a_capture_is_no_probe() -> None:
    plain = talk().capture_begins()
    plain.acknowledge(CLIENT)
    plain.idle(0.01).data(SERVER, 1000)
    assert only_flow(plain).keepalive == ()


# R3: only one direction was captured.


def test_even_pure_acks_without_any_of_the_peer_are_possible_probes_and_never_a_dead_peer() -> None:
    probed = talk().idle(15).capture_begins().probes(CLIENT, 6, every=15, answered=False)
    flow = only_flow(probed)
    entry = keepalive(flow, CLIENT)
    assert entry is not None and entry.probes == 6
    assert entry.confidence in ("likely", "possible")
    assert flow.verdict not in ("dead_peer", "lossy_path")


def test_two_identical_acks_within_a_second_and_alone_are_no_probes() -> None:
    plain = talk().capture_begins()
    plain.acknowledge(CLIENT)
    plain.idle(0.3).acknowledge(CLIENT)
    assert only_flow(plain).keepalive == ()


# R6: one byte.


@pytest.mark.parametrize("sender", [CLIENT, SERVER])
def test_probes_with_one_garbage_octet(sender: str) -> None:
    probed = talk().idle(15).probe(sender, octets=1).idle(15).probe(sender, octets=1)
    flow = only_flow(probed)
    assert_as_built(probed, flow)
    entry = keepalive(flow, sender)
    assert entry is not None and entry.probe_length == 1


def test_the_garbage_octet_is_no_payload() -> None:
    probed = talk().idle(15).probe(CLIENT, octets=1)
    assert only_flow(probed).bytes == (300, 200)


def test_one_unacknowledged_octet_sent_again_is_a_retransmission() -> None:
    resent = talk().data(CLIENT, 1, arrives=False).retransmissions(CLIENT, 4)
    assert only_flow(resent).keepalive == ()


def test_one_acknowledged_octet_sent_again_at_once_is_a_spurious_retransmission() -> None:
    resent = talk().data(CLIENT, 1).idle(0.2).resend(CLIENT)
    assert only_flow(resent).keepalive == ()


def test_one_octet_that_is_all_there_was_to_send_again_is_no_probe_where_only_one_direction_was_captured() -> None:
    resent = talk().capture_begins().data(CLIENT, 1, arrives=False).idle(3).resend(CLIENT, acked=False)
    assert only_flow(resent).keepalive == ()


def test_one_octet_at_the_start_of_a_capture_that_is_answered_is_a_probe() -> None:
    probed = talk().idle(15).capture_begins().probe(CLIENT, octets=1).idle(15).probe(CLIENT, octets=1)
    assert probes_of(only_flow(probed), CLIENT) == built_probes(probed, CLIENT)


def test_one_pushed_octet_of_data_at_the_start_of_a_capture_is_no_probe() -> None:
    plain = talk().idle(15).capture_begins().data(CLIENT, 1).idle(15).data(CLIENT, 1)
    assert only_flow(plain).keepalive == ()


# R7: reordering.


def test_a_pure_ack_overtaken_by_one_octet_is_no_probe() -> None:
    overtaken = talk()
    side = overtaken.sides[CLIENT]
    before = side.nxt
    overtaken.send(CLIENT, "PA", b"x")
    overtaken.idle(0.001).send(CLIENT, "A", seq=before)
    overtaken.idle(0.05).acknowledge(SERVER)
    assert only_flow(overtaken).keepalive == ()


def test_a_pure_ack_overtaken_by_an_acknowledged_octet_is_no_probe() -> None:
    overtaken = talk().data(CLIENT, 1).idle(0.002)
    overtaken.send(CLIENT, "A", seq=overtaken.sides[CLIENT].nxt - 1)
    assert only_flow(overtaken).keepalive == ()


# R8: duplicates.


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("timestamps", [False, True])
def test_a_probe_captured_twice_counts_once(timestamps: bool, v6: bool) -> None:
    probed = talk(timestamps=timestamps, v6=v6).idle(15).probe(CLIENT, copies=2).idle(15).probe(CLIENT, copies=2)
    assert_as_built(probed, only_flow(probed))


# R9: how long it had been quiet.


def test_a_probe_sooner_than_any_keepalive_timer_is_only_possible() -> None:
    probed = talk().idle(0.5).probe(CLIENT)
    entry = keepalive(only_flow(probed), CLIENT)
    assert entry is None or entry.confidence == "possible"


def test_the_peers_own_probe_does_not_restart_the_idle_clock() -> None:
    probed = talk().idle(9.7).probe(SERVER).idle(0.3).probe(CLIENT)
    entry = keepalive(only_flow(probed), CLIENT)
    assert entry is not None and entry.confidence == "certain"
    assert entry.episodes[0].start < probed.built(SERVER)[0].segment.time


# R10: a pure ACK at the number of the FIN.


def test_a_probe_in_fin_wait_2_has_the_number_of_the_fin() -> None:
    probed = talk().fin(CLIENT).idle(15).probe(CLIENT).idle(15).probe(CLIENT)
    assert_as_built(probed, only_flow(probed))


def test_a_probe_in_close_wait() -> None:
    probed = talk().fin(CLIENT).idle(15).probe(SERVER).idle(15).probe(SERVER)
    flow = only_flow(probed)
    assert_as_built(probed, flow)
    assert flow.verdict == "close_wait_leak"


def test_a_pure_ack_overtaken_by_a_fin_is_no_probe() -> None:
    overtaken = talk()
    overtaken.fin(CLIENT).idle(0.001)
    overtaken.send(CLIENT, "A", seq=overtaken.sides[CLIENT].nxt - 1)
    assert only_flow(overtaken).keepalive == ()


def test_a_late_copy_of_an_ack_before_an_unacknowledged_fin_is_no_probe() -> None:
    overtaken = talk().fin(CLIENT, arrives=False).idle(2)
    overtaken.send(CLIENT, "A", seq=overtaken.sides[CLIENT].nxt - 1)
    assert only_flow(overtaken).keepalive == ()


# What is no probe.


def test_duplicate_acks_are_no_probes() -> None:
    plain = talk()
    for _ in range(3):
        plain.idle(2).acknowledge(CLIENT)
    assert only_flow(plain).keepalive == ()


def test_window_updates_are_no_probes() -> None:
    plain = talk().idle(2).window_update(SERVER, 100).idle(2).window_update(SERVER, 400)
    assert only_flow(plain).keepalive == ()
