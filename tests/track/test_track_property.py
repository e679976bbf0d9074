"""Whatever happens on a connection, the analysis finds what happened; plain, compiled, switched, in any batches."""

from __future__ import annotations

import naive
from conversation import Conversation
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_view import from_naive, from_tables, run_kernels
from noise import noise
from observe import assert_as_built, flows, only_flow
from timelines import conversations

from analyzer.kernels import Kernels, plain

SIZES = st.lists(st.integers(1, 97), min_size=1, max_size=5)


@given(talk=conversations())
def test_every_probe_answer_state_and_ending_is_found_as_built(talk: Conversation) -> None:
    assert_as_built(talk, only_flow(talk))


@given(talk=conversations(), sizes=SIZES)
def test_kernels_agree_with_the_naive_tracker_in_any_batches(talk: Conversation, sizes: list[int]) -> None:
    capture = talk.pcap()
    expected = [from_naive(connection) for connection in naive.track(capture)]
    assert from_tables(run_kernels(capture, [plain()], sizes)) == expected


@given(talk=conversations(), sizes=SIZES, switch_after=st.integers(0, 5))
def test_compiled_and_switched_kernels_agree_with_plain_ones(
    compiled: Kernels, talk: Conversation, sizes: list[int], switch_after: int
) -> None:
    capture = talk.pcap()
    expected = from_tables(run_kernels(capture, [plain()], [10**6]))
    assert from_tables(run_kernels(capture, [compiled], sizes)) == expected
    switched = [*[plain()] * switch_after, compiled]
    assert from_tables(run_kernels(capture, switched, sizes)) == expected


@settings(max_examples=settings().max_examples // 3)
@given(talks=st.lists(conversations(), min_size=2, max_size=3))
def test_connections_in_one_capture_do_not_touch_each_other(talks: list[Conversation]) -> None:
    for number, talk in enumerate(talks):
        talk.use_ports(40_000 + number, 5432)
    found = {flow.client.port: flow for flow in flows(*talks)}
    for number, talk in enumerate(talks):
        assert_as_built(talk, found[40_000 + number])


@given(talk=noise(), sizes=SIZES)
def test_segments_that_no_tcp_would_send_show_the_same_to_plain_and_compiled_kernels(
    compiled: Kernels, talk: Conversation, sizes: list[int]
) -> None:
    capture = talk.pcap()
    expected = from_tables(run_kernels(capture, [plain()], [10**6]))
    assert from_tables(run_kernels(capture, [compiled], sizes)) == expected
    assert sum(sum(connection.packets) for connection in expected) <= len(talk.segments)
