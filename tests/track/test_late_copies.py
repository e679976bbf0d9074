"""A probe that the network doubles is one probe, also where nothing numbers it; what only looks like it is not."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from conversation import CLIENT, SERVER, Conversation
from naive import track
from observe import analyzed, keepalive, only_flow
from wirebytes import pcap_bytes

from analyzer.model.flows import Flow

every = pytest.mark.parametrize(
    ("v6", "timestamps"), [(True, False), (False, False), (True, True), (False, True)], ids=["v6", "v4", "v6-ts", "ts"]
)


def talk(v6: bool, timestamps: bool, rtt: float = 0.0003) -> Conversation:
    return Conversation(v6=v6, timestamps=timestamps, rtt=rtt).handshake().data(CLIENT, 100).data(SERVER, 300)


def again(made: Conversation, number: int, after: float) -> None:
    """The network delivers this segment once more."""
    one = made.segments[number]
    made.segments.append(replace(one, time=one.time + round(after * 1e9)))


def doubled(v6: bool, timestamps: bool, after: float, *, answers: bool, ids: bool = True) -> Conversation:
    """Five rounds of probes, each packet of which comes twice."""
    made = talk(v6, timestamps)
    for _ in range(5):
        made.idle(10)
        begin = len(made.segments)
        made.probe(CLIENT)
        again(made, begin, after)
        if answers:
            again(made, begin + 1, after)
    if not ids:
        for segment in made.segments:
            segment.ip_id = 0
    return made


def settled(flow: Flow) -> tuple[int, int, float]:
    """Probes, answers, and the shortest time between two probes."""
    entry = keepalive(flow, CLIENT)
    assert entry is not None
    times = [probe.time for episode in entry.episodes for probe in episode.probes]
    return entry.probes, entry.answered, min(b - a for a, b in pairwise(times)) / 1e9


@every
@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("after", [0.006, 0.02, 0.08, 0.14])
@pytest.mark.parametrize("answers", [False, True])
def test_a_doubled_probe_counts_once(v6: bool, timestamps: bool, after: float, answers: bool, ids: bool) -> None:
    made = doubled(v6, timestamps, after, answers=answers, ids=ids)
    analysis = analyzed(made)
    probes, answered, shortest = settled(analysis.flow(0))
    assert (probes, answered) == (5, 5)
    assert shortest > 9.9
    assert analysis.captures[0].duplicates == 5 * (1 + answers)
    [naive] = track(pcap_bytes(made.segments))
    assert [len(end.probes) for end in (naive.client, naive.server)] == [5, 0]


@every
def test_a_doubled_probe_that_nobody_answers(v6: bool, timestamps: bool) -> None:
    made = talk(v6, timestamps).idle(10)
    for _ in range(4):
        made.ask(CLIENT)
        again(made, len(made.segments) - 1, 0.05)
        made.idle(3)
    assert settled(only_flow(made)) == (4, 0, 3.0)


def test_on_a_long_way_the_second_may_come_later() -> None:
    made = talk(True, False, rtt=0.6).idle(10)
    made.probe(CLIENT)
    again(made, len(made.segments) - 2, 0.4)
    made.idle(10).probe(CLIENT)
    assert settled(only_flow(made))[:2] == (2, 2)


# Near misses.


@every
@pytest.mark.parametrize("every_s", [1.0, 0.95])
def test_probes_by_the_shortest_timer_are_all_counted(v6: bool, timestamps: bool, every_s: float) -> None:
    made = talk(v6, timestamps).idle(3).probes(CLIENT, 6, every=every_s, answered=False).idle(5)
    assert settled(only_flow(made))[:2] == (6, 0)


@every
def test_answered_probes_a_second_apart_are_all_counted(v6: bool, timestamps: bool) -> None:
    made = talk(v6, timestamps).idle(3).probes(CLIENT, 6, every=1.0).idle(5)
    assert settled(only_flow(made))[:2] == (6, 6)


@every
@pytest.mark.parametrize("after", [0.2, 0.3])
def test_data_sent_again_by_a_timer_is_no_copy(v6: bool, timestamps: bool, after: float) -> None:
    made = talk(v6, timestamps).data(CLIENT, 50, arrives=False, captured=True).idle(after).resend(CLIENT)
    analysis = analyzed(made)
    assert analysis.captures[0].duplicates == 0


def test_data_sent_again_after_two_round_trips_is_no_copy() -> None:
    """A tail loss probe (RFC 8985 7.2), without anything that numbers it."""
    made = talk(True, False).data(CLIENT, 50, arrives=False, captured=True).idle(0.012).resend(CLIENT)
    assert analyzed(made).captures[0].duplicates == 0


def test_acknowledgements_that_tell_of_loss_are_all_counted() -> None:
    """The first segment of five was lost; each of the others draws the same ACK."""
    made = talk(True, False)
    made.data(CLIENT, 100, arrives=False, captured=False, acked=False)
    for _ in range(4):
        made.now += 7_000_000
        made.send(CLIENT, "A", b"x" * 100, seq=made.sides[CLIENT].nxt, arrives=False, captured=True)
        made.send(SERVER, "A", captured=True)
    analysis = analyzed(made)
    assert analysis.captures[0].duplicates == 0


@every
def test_window_probes_are_all_counted(v6: bool, timestamps: bool) -> None:
    made = talk(v6, timestamps).data(CLIENT, 700, window=0).persist(CLIENT, 5)
    flow = only_flow(made)
    assert flow.zero_window_probes == (5, 0)
