"""Captures that share nothing but packets that repeat: of clocks that agree their times tell, else nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np

from analyzer.pipeline.same_traffic.places import PAIRED, PAIRS, PATH_NS, Link, Rows, Span, agreeing, clock_difference
from analyzer.pipeline.same_traffic.samples import Sample
from analyzer.tables.arrays import Column

FAR = 1 << 62
MOST_ROWS = 2000  # of each capture, where every packet is compared with every other


def find_repeats(
    samples: Sequence[Sample], spans: Sequence[Span], linked: set[tuple[int, int]]
) -> tuple[list[Link], list[Link]]:
    """Of captures that ran at the same time, by their own clocks: those that are one traffic, and those that may be.

    `linked` are the pairs, by index, that have been decided.
    """
    same: list[Link] = []
    perhaps: list[Link] = []
    rows = Rows(samples, translated=False)
    for one, other in _meeting(rows, len(samples)):
        if (samples[one].index, samples[other].index) in linked:
            continue
        if min(spans[one].last, spans[other].last) - max(spans[one].first, spans[other].first) <= 2 * PATH_NS:
            continue
        link, decided = _compared(rows, one, other, spans)
        if link is not None:
            named = link._replace(one=samples[one].index, other=samples[other].index)
            (same if decided else perhaps).append(named)
    return same, perhaps


def _meeting(rows: Rows, captures: int) -> list[tuple[int, int]]:
    """The pairs of captures that have a connection in common: of thousands of captures few of all pairs."""
    both = np.unique(np.stack([rows.connection, rows.place], axis=1), axis=0)
    another = np.ones(len(both), bool)
    another[1:] = both[1:, 0] != both[:-1, 0]
    begins = np.flatnonzero(another)
    pairs: set[int] = set()
    for start, end in pairwise([*begins.tolist(), len(both)]):
        if end - start > 1:
            places = both[start:end, 1].tolist()
            pairs.update(one * captures + other for one, other in combinations(places, 2))
    return [divmod(pair, captures) for pair in sorted(pairs)]


def _compared(rows: Rows, one: int, other: int, spans: Sequence[Span]) -> tuple[Link | None, bool]:
    """What the packets of two captures show that are in both connections, and whether it is certain."""
    a, b = _in_common(rows, one, other)
    begin = max(spans[one].first, spans[other].first) + PATH_NS
    end = min(spans[one].last, spans[other].last) - PATH_NS
    ways = []
    for mine, others in ((a, b), (b, a)):
        time = rows.time(mine)
        mine = mine[(time >= begin) & (time <= end)]
        partner, near = _nearest(rows, mine, others)
        ways.append((mine, partner, near))
    if any(len(mine) < PAIRS for mine, _, _ in ways):
        return None, False
    together = [np.count_nonzero(near <= PATH_NS) >= PAIRED * len(near) for _, _, near in ways]
    if all(together):
        mine, partner, near = ways[0]
        mine, partner = mine[near <= PATH_NS], partner[near <= PATH_NS]
        ahead = clock_difference(rows, mine, partner)
        why = (
            f"the clocks agree, both ran at the same time, and {len(mine)} packets of {len(ways[0][0])} have their "
            f"partner within {int(near[near <= PATH_NS].max()) / 1e6:.3g} ms"
        )
        return Link(one, other, ahead, len(mine), why), True
    if all(_steady(rows, *way) for way in ways):
        mine, partner, _ = ways[0]
        ahead = int(np.median(rows.time(partner) - rows.time(mine)))
        return Link(one, other, ahead, len(mine), ""), False
    return None, False


def _in_common(rows: Rows, one: int, other: int) -> tuple[Column, Column]:
    """The packets of each of two captures, of the connections that are in both."""
    a, b = rows.of(one), rows.of(other)
    connections, others = rows.connection[a], rows.connection[b]
    return a[np.isin(connections, others)], b[np.isin(others, connections)]


def _nearest(rows: Rows, mine: Column, others: Column) -> tuple[Column, Column]:
    """For each packet the nearest of the other capture that looks the same, and how far it is."""
    partner, near = np.full(len(mine), -1), np.full(len(mine), FAR)
    # Rows lie in order of signature, then of time.
    signature = rows.signature[others]
    low = np.searchsorted(signature, rows.signature[mine], side="left")
    high = np.searchsorted(signature, rows.signature[mine], side="right")
    if np.count_nonzero(high > low) < PAIRED * len(mine):
        return partner, near
    times, time = rows.time(others), rows.time(mine)
    for place, (begin, end) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        if begin == end:
            continue
        at = begin + int(np.searchsorted(times[begin:end], time[place]))
        for one in (at - 1, at):
            if begin <= one < end and abs(int(times[one] - time[place])) < near[place]:
                partner[place], near[place] = others[one], abs(int(times[one] - time[place]))
    return partner, near


def _steady(rows: Rows, mine: Column, partner: Column, near: Column) -> bool:
    """Whether each kind of packet has its partner always as far away: the same rounds, by another clock."""
    found = near < FAR
    if np.count_nonzero(found) < max(PAIRED * len(mine), PAIRS):
        return False
    mine, partner = mine[found], partner[found]
    difference = rows.time(partner) - rows.time(mine)
    _, group, sizes = np.unique(rows.signature[mine], return_inverse=True, return_counts=True)
    steady = 0
    for one in range(len(sizes)):
        of_one = difference[group == one]
        steady += int(np.count_nonzero(np.abs(of_one - np.median(of_one)) <= PATH_NS)) if len(of_one) > 1 else 0
    return steady >= PAIRED * int(sizes[sizes > 1].sum()) > 0


def best_guess(samples: Sequence[Sample], one: int, other: int) -> Link | None:
    """The difference of two clocks that makes most packets meet, where the user knows that it is one traffic."""
    rows = Rows([samples[one], samples[other]], translated=False)
    once, again = rows.pairs()
    certain = len(once) > 0
    if certain:
        a, b = agreeing(rows, once, again)
    else:
        mine, others = (rows_of[:MOST_ROWS] for rows_of in _in_common(rows, 0, 1))
        alike = rows.signature[mine][:, None] == rows.signature[others][None, :]
        left, right = np.nonzero(alike)
        if not len(left):
            return None
        a, b = agreeing(rows, mine[left], others[right])
    ahead = clock_difference(rows, a, b)
    why = f"--same-traffic yes: {len(a)} packets that look the same meet"
    if not certain:
        why += "; they repeat themselves, so the clock may be wrong by any multiple of their period"
    return Link(samples[one].index, samples[other].index, ahead, len(a), why)
