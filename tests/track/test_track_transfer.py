"""Data on its way: retransmission, reordering, wrap, copies in the capture, counters, and falling silent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed, assert_as_built, ending, flows, only_flow, states
from wirebytes import Segment


def talk(**how: object) -> Conversation:
    return Conversation(**how).handshake().data(CLIENT, 300).data(SERVER, 200)  # type: ignore[arg-type]


def test_packets_and_payload_are_counted_by_sender() -> None:
    flow = only_flow(talk())
    assert flow.packets == (4, 3)
    assert flow.bytes == (300, 200)


def test_a_resent_segment_counts_as_a_packet_of_its_sender() -> None:
    resent = talk().data(CLIENT, 50, arrives=False).idle(0.2).resend(CLIENT)
    assert_as_built(resent, only_flow(resent))
    assert only_flow(resent).packets == (6, 4)


def test_a_resent_segment_that_gets_through_leaves_a_connection_that_can_be_probed() -> None:
    resent = talk().data(CLIENT, 50, arrives=False).idle(0.2).resend(CLIENT).idle(15).probe(CLIENT)
    assert_as_built(resent, only_flow(resent))


def test_data_resent_until_the_sender_falls_silent_is_a_retransmission_timeout() -> None:
    lost = talk().data(CLIENT, 50, arrives=False).retransmissions(CLIENT, 6)
    flow, _ = flows(lost, Conversation(ports=(50_001, 80), start=300).handshake())
    assert ending(flow) == ("timeout", CLIENT)
    assert flow.verdict == "retransmission_timeout"
    assert flow.keepalive == ()


def test_data_still_being_resent_when_the_capture_ends_has_not_timed_out() -> None:
    lost = talk().data(CLIENT, 50, arrives=False).retransmissions(CLIENT, 4)
    assert ending(only_flow(lost)) == ("open", None)


def test_segments_that_overtake_each_other_change_nothing() -> None:
    swapped = talk()
    first = swapped.send(CLIENT, "A", b"a" * 1000)
    second = swapped.send(CLIENT, "PA", b"b" * 1000)
    first.time, second.time = second.time + 1_000_000, first.time
    swapped.idle(0.05).acknowledge(SERVER)
    swapped.idle(15).probe(CLIENT)
    flow = only_flow(swapped)
    assert_as_built(swapped, flow)
    assert flow.bytes == (2300, 200)


def test_an_old_ack_that_arrives_late_takes_nothing_back() -> None:
    late = talk().data(CLIENT, 100)
    late.send(SERVER, "A", ack=late.sides[CLIENT].nxt - 100)
    late.idle(15).probe(CLIENT).idle(15).probe(SERVER)
    assert_as_built(late, only_flow(late))


@pytest.mark.parametrize("isn", [2**31 - 150, 2**32 - 150, 2**32 - 1])
@pytest.mark.parametrize("sender", [CLIENT, SERVER])
def test_sequence_numbers_wrap_in_the_middle_of_a_segment(sender: str, isn: int) -> None:
    wrapped = Conversation(client_isn=isn, server_isn=isn).handshake().data(sender, 5000).idle(15).probe(sender)
    wrapped.data(sender, 5000).fin(sender)
    assert_as_built(wrapped, only_flow(wrapped))


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("timestamps", [False, True])
def test_every_packet_captured_twice_gives_the_same_result(timestamps: bool, v6: bool) -> None:
    def build(copies: int) -> Conversation:
        built = talk(v6=v6, timestamps=timestamps).idle(15).probe(CLIENT).idle(15).probe(CLIENT, octets=1)
        built.idle(3).fin(CLIENT).fin(SERVER)
        for segment in built.segments:
            segment.copies = copies
        return built

    once, twice = analyzed(build(1)), analyzed(build(2))
    [flow], [same] = once.flows, twice.flows
    assert (same.packets, same.bytes, same.state, same.ending) == (flow.packets, flow.bytes, flow.state, flow.ending)
    assert [entry.probes for entry in same.keepalive] == [entry.probes for entry in flow.keepalive]
    assert twice.captures[0].duplicates == sum(flow.packets)


def test_data_captured_twice_is_no_retransmission() -> None:
    copied = talk().data(CLIENT, 50, copies=2).idle(15).probe(CLIENT)
    assert_as_built(copied, only_flow(copied))


@pytest.mark.parametrize("apart", [0.006, 0.5, 1.0])
def test_two_equal_segments_further_apart_than_copies_are_two(apart: float) -> None:
    """Without timestamps, and in IPv6 without an IP ID, nothing but time tells them apart."""
    repeated = talk(v6=True, timestamps=False)
    repeated.acknowledge(CLIENT)
    repeated.idle(apart).acknowledge(CLIENT)
    analysis = analyzed(repeated)
    assert analysis.captures[0].duplicates == 0
    assert analysis.flow(0).packets == (6, 3)


def test_segments_that_differ_in_their_addresses_alone_are_no_copies() -> None:
    """Whatever the addresses have in common: in a capture that a program made up they may count up together."""
    talks = []
    for number in range(4):
        one = talk(timestamps=False)
        for name, network in ((CLIENT, 1), (SERVER, 2)):
            moved = replace(one.sides[name].host, address=f"10.0.{network}.{number + 4}")
            for segment in one.segments:
                if segment.source == one.sides[name].host:
                    segment.source = moved
                if segment.target == one.sides[name].host:
                    segment.target = moved
        talks.append(one)
    analysis = analyzed(*talks)
    assert analysis.captures[0].duplicates == 0
    assert [flow.packets for flow in analysis.flows] == [(4, 3)] * 4


def test_two_connections_between_the_same_hosts_do_not_mix() -> None:
    one = talk().idle(15).probe(CLIENT)
    two = talk(ports=(40_001, 5432), start=0.01).idle(10).probes(SERVER, 3, every=5, answered=False)
    first, second = flows(one, two)
    assert_as_built(one, first)
    assert_as_built(two, second)


def test_a_connection_between_two_ports_of_one_number() -> None:
    same = talk(ports=(179, 179)).idle(30).probe(SERVER).fin(CLIENT)
    assert_as_built(same, only_flow(same))


def test_an_icmp_error_about_data_is_no_packet_of_the_connection() -> None:
    unreachable = talk().data(CLIENT, 10, arrives=False)
    about = unreachable.segments[-1]
    error = Segment(unreachable.now, "router", about.target, about.source, "", 0, error_about=about)
    unreachable.segments.append(error)
    flow = only_flow(unreachable)
    assert flow.packets == (5, 3)
    assert states(flow) == ("ESTABLISHED", "ESTABLISHED")


def test_microseconds_and_nanoseconds_show_the_same() -> None:
    probed = talk().idle(15).probe(CLIENT).idle(15).probes(CLIENT, 2, every=5, answered=False)
    [fine] = analyzed(probed, nanoseconds=True).flows
    [coarse] = analyzed(probed, nanoseconds=False).flows
    assert fine == coarse
