"""Which captures hold the same traffic, shown by packets that no sender can have sent twice.

A TCP sends a keepalive probe, its answer, or lost data again and again, byte by byte the same unless an IP ID or a
timestamp numbers it; so equal packets prove nothing. What a sender never does is go back: its acknowledgement number
(RFC 9293 3.4), its timestamp clock (RFC 7323 5.4) and its IP ID (RFC 6864) only move on. Where several packets of one
sender that differ in one of these are in two captures, and as far apart in time, the two are of one traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from analyzer.pipeline.same_traffic.numbering import came_round, connections_of, mixed, moving_on, ticking
from analyzer.pipeline.same_traffic.samples import AT, LASTING, WHO, Sample, keys
from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import ACKNO, DST_HI, IP_ID, LEN, SEQ, SRC_HI, TIME, TSVAL

# So many packets that cannot come again, and that both hold, are no chance: not even one is.
SAME_TRAFFIC = 3
# The longest way between two places that is told from a repeated probe: half the shortest keepalive interval.
PATH_NS = 500_000_000
# A network's second copies of packets come no later: what is older than a round trip is dropped on the way.
COPIES_NS = 3_000_000_000
# Longer segments one end's network card may join or cut (TSO, GRO), so that the captures of both ends differ: this is
# what any path carries (RFC 9293 3.7.1).
NEVER_JOINED = 536
MICROSECOND = 1000
# A capture may have dropped packets, or hold one direction: this share of what both should hold is enough.
EXPLAINED = 0.5
# Of packets that repeat, nearly all need a partner.
PAIRED = 0.9
PAIRS = 4
MOST_CAPTURES = 16  # in so many a packet is looked for beside one; what is in more repeats itself
# What a translation of addresses leaves as it was.
UNTRANSLATED = tuple(field for field in LASTING if field not in (*WHO, IP_ID))


class Link(NamedTuple):
    """Two captures, by index, that hold one traffic: how far the second one's clock is ahead, and why it is so."""

    one: int
    other: int
    ahead: int  # nanoseconds
    packets: int  # that show it
    why: str


class Span(NamedTuple):
    """The first and the last time of what is known of a capture, by its own clock."""

    first: int
    last: int


class Rows:
    """The sampled packets of all captures, those of one signature side by side, each once in each capture."""

    def __init__(self, samples: Sequence[Sample], *, translated: bool) -> None:
        tables = [sample.rows() for sample in samples]
        self.table: Column = np.concatenate(tables)
        self.place = np.repeat(np.arange(len(samples)), [len(table) for table in tables])
        self.signature = mixed(self.table, UNTRANSLATED if translated else LASTING)
        order = np.lexsort((self.table[:, AT[TIME]], self.place, self.signature))
        self._keep(order)
        same = (self.signature[1:] == self.signature[:-1]) & (self.place[1:] == self.place[:-1])
        again = np.zeros(len(self.place), bool)
        again[1:] = same & (np.diff(self.table[:, AT[TIME]]) <= PATH_NS)
        self._keep(np.flatnonzero(~again))
        same = (self.signature[1:] == self.signature[:-1]) & (self.place[1:] == self.place[:-1])
        self.repeats = np.zeros(len(self.place), bool)
        self.repeats[1:] |= same
        self.repeats[:-1] |= same
        self.connection = connections_of(self.table)
        self.ticks = ticking(self.table, TSVAL) | ticking(self.table, IP_ID)
        by_place = np.argsort(self.place, kind="stable")
        ends = np.cumsum(np.bincount(self.place, minlength=len(samples)))
        self._of = np.split(by_place, ends[:-1])

    def of(self, place: int) -> Column:
        """The rows of one capture."""
        return self._of[place]

    def _keep(self, rows: Column) -> None:
        self.table, self.place, self.signature = self.table[rows], self.place[rows], self.signature[rows]

    def time(self, rows: Column) -> Column:
        """When these were captured."""
        return np.asarray(self.table[rows, AT[TIME]])

    def pairs(self) -> tuple[Column, Column]:
        """Rows of packets that are in two captures, and once in each."""
        once = np.flatnonzero(~self.repeats)
        signature = self.signature[once]
        firsts, seconds = [], []
        for step in range(1, MOST_CAPTURES):
            alike = np.flatnonzero(signature[step:] == signature[:-step])
            if not len(alike):
                break
            firsts.append(once[alike])
            seconds.append(once[alike + step])
        nothing = np.zeros(0, np.int64)
        return np.concatenate([nothing, *firsts]), np.concatenate([nothing, *seconds])


def find_links(
    samples: Sequence[Sample], spans: Sequence[Span], *, translated: bool = False, one_path: bool = False
) -> list[Link]:
    """All pairs of captures that are shown to hold the same traffic, by what is known of them so far.

    With `translated` addresses and ports may differ; with `one_path` the user says that no two follow one another.
    """
    rows = Rows(samples, translated=translated)
    first, second = rows.pairs()
    found = []
    for (one, other), a, b in _by_captures(rows, first, second):
        link = _proven(rows, (one, other), a, b, samples, spans, one_path=one_path)
        if link is not None:
            found.append(link._replace(one=samples[one].index, other=samples[other].index))
    return found


def _by_captures(rows: Rows, first: Column, second: Column) -> Iterator[tuple[tuple[int, int], Column, Column]]:
    """The pairs of packets of each pair of captures that share enough."""
    count = int(rows.place.max(initial=0)) + 1
    pair = rows.place[first] * count + rows.place[second]
    order = np.argsort(pair, kind="stable")
    numbers, begins, sizes = np.unique(pair[order], return_index=True, return_counts=True)
    for number, begin, size in zip(numbers.tolist(), begins.tolist(), sizes.tolist(), strict=True):
        if size >= SAME_TRAFFIC:
            of_both = order[begin : begin + size]
            yield divmod(number, count), first[of_both], second[of_both]


def _proven(
    rows: Rows,
    captures: tuple[int, int],
    a: Column,
    b: Column,
    samples: Sequence[Sample],
    spans: Sequence[Span],
    *,
    one_path: bool,
) -> Link | None:
    """The link between two captures that these packets show, if they do."""
    a, b = agreeing(rows, a, b)
    moving = moving_on(rows.table[a]) | rows.ticks[a]
    if np.count_nonzero(moving) < SAME_TRAFFIC:
        return None
    ahead = clock_difference(rows, a, b)
    one, other = spans[captures[0]], spans[captures[1]]
    if abs(ahead) <= COPIES_NS and not one_path:
        # The second copies of one network that a new file has cut off from the first, or the packets of another queue
        # that it has, are no other place: of clocks that nearly agree the captures must have run at the same time.
        begin, end = max(one.first, other.first), min(one.last, other.last)
        if end - begin < PATH_NS:
            return None
        begin, end = begin - abs(ahead), end + abs(ahead)  # by the clock of either
        within = (rows.time(a) >= begin) & (rows.time(b) >= begin) & (rows.time(a) <= end) & (rows.time(b) <= end)
        if np.count_nonzero(moving & within) < SAME_TRAFFIC:
            return None
    if abs(ahead) > PATH_NS and came_round(rows.table[a[moving]], ahead):
        return None
    if not explains_both(rows, captures, a, ahead, samples, spans):
        return None
    ways = both_ways(rows.table[a])
    apart = int(np.abs(rows.time(b) - rows.time(a) - ahead).max())
    why = (
        f"{len(a)} packets are in both, in {'both directions' if ways else 'one direction'}, among them "
        f"{np.count_nonzero(moving)} that no sender repeats; one difference between the clocks explains them all"
        f" within {apart / 1e6:.3g} ms"
    )
    return Link(*captures, ahead, len(a), why)


def agreeing(rows: Rows, a: Column, b: Column) -> tuple[Column, Column]:
    """Of these pairs the most that agree in one difference of the clocks, but for the way there and the way back."""
    difference = rows.time(b) - rows.time(a)
    order = np.argsort(difference, kind="stable")
    difference = difference[order]
    ends = np.searchsorted(difference, difference + 2 * PATH_NS, side="right")
    best = int(np.argmax(ends - np.arange(len(ends))))
    chosen = np.sort(order[best : int(ends[best])])
    return a[chosen], b[chosen]


def explains_both(
    rows: Rows, captures: tuple[int, int], a: Column, ahead: int, samples: Sequence[Sample], spans: Sequence[Span]
) -> bool:
    """Whether of what both captures should hold, by this difference of the clocks, both do hold the most."""
    one, other = (spans[capture] for capture in captures)
    begin, end = max(one.first, other.first - ahead) + PATH_NS, min(one.last, other.last - ahead) - PATH_NS
    below = min(samples[capture].below for capture in captures)
    connections = np.unique(rows.connection[a])
    counts = []
    for capture, shift in zip(captures, (0, ahead), strict=True):
        mine = rows.of(capture)
        time = rows.time(mine) - shift
        mine = mine[(time >= begin) & (time <= end) & ~rows.repeats[mine]]
        mine = mine[np.isin(rows.connection[mine], connections) & (rows.table[mine, AT[LEN]] <= NEVER_JOINED)]
        key = keys(*(rows.table[mine, AT[field]] for field in (SEQ, ACKNO, TSVAL)))
        counts.append(int(np.count_nonzero(key < below)))
    time = rows.time(a)
    shared = int(np.count_nonzero((time >= begin) & (time <= end) & (rows.table[a, AT[LEN]] <= NEVER_JOINED)))
    return shared >= EXPLAINED * min(counts)


def clock_difference(rows: Rows, a: Column, b: Column) -> int:
    """How far the clock of the second is ahead.

    Packets of one direction took the way between the two places forwards, those of the other backwards: the mean of
    both directions is free of it, if both ways take as long (as NTP has it, RFC 5905 8).
    """
    difference = rows.time(b) - rows.time(a)
    forwards = is_forwards(rows.table[a])
    middles = [int(np.median(difference[way])) for way in (forwards, ~forwards) if way.any()]
    return round(sum(middles) / len(middles) / MICROSECOND) * MICROSECOND


def both_ways(table: Column) -> bool:
    """Whether packets of both directions are among these."""
    forwards = is_forwards(table)
    return bool(forwards.any() and not forwards.all())


def is_forwards(table: Column) -> Mask:
    """Which packets go from the numerically lower address to the higher."""
    source, target = AT[SRC_HI], AT[DST_HI]
    high = table[:, source] == table[:, target]
    forwards = (table[:, source] < table[:, target]) | high & (table[:, source + 1] < table[:, target + 1])
    return np.asarray(forwards | high & (table[:, source + 1] == table[:, target + 1]) & (table[:, 2] < table[:, 5]))
