"""Captures of other hosts, or other days, in which the same addresses and ports are other connections.

A sender's numbers move on by what it sends (RFC 9293 3.4). Where those of both ends are far from where the other
capture left them, with no SYN between, the two are no one connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from analyzer.model.captures import CaptureFacts
from analyzer.pipeline.same_traffic.numbering import FACTOR, connections_of, mixed
from analyzer.pipeline.same_traffic.samples import AT, WHO, Sample
from analyzer.tables.arrays import Column
from analyzer.tables.fields import FLAGS, LEN, SEQ, TIME
from analyzer.tcp import RST, SECOND, SYN

WRAP = 1 << 32
# What an idle connection may have sent unseen, and how much faster than before a busy one may have become.
UNSEEN = 1 << 24
FASTER = 4
# Files of one ring are of one host: there a single connection may have been closed and made again unseen.
FEWEST_IN_RING = 2
STRANGER = (
    "{} of the same addresses and ports as in {} go by numbers that contradict those: other hosts, or another time; "
    "they are kept apart"
)


class _Senders:
    """What each sender's numbers were first and last in each capture: one row for each, in order of sender and time."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        tables = [sample.rows() for sample in samples]
        table: Column = np.concatenate(tables)
        place = np.repeat(np.arange(len(samples)), [len(one) for one in tables])
        flags = table[:, AT[FLAGS]]
        syn = flags & SYN != 0
        self.opened = _in_place(connections_of(table[syn]), place[syn])
        usual = ~syn & (flags & RST == 0)
        table, place = table[usual], place[usual]
        sender = mixed(table, WHO)
        order = np.lexsort((table[:, AT[TIME]], place, sender))
        table, place, sender = table[order], place[order], sender[order]
        another = np.ones(len(sender), bool)
        another[1:] = (sender[1:] != sender[:-1]) | (place[1:] != place[:-1])
        begins = np.flatnonzero(another)
        ends = np.append(begins[1:], len(sender)) - 1 if len(begins) else begins
        by_time = np.lexsort((table[begins, AT[TIME]], sender[begins]))
        begins, ends = begins[by_time], ends[by_time]
        self.sender, self.place = sender[begins], place[begins]
        self.connection = connections_of(table[begins])
        self.begin, self.end = table[begins, AT[TIME]], table[ends, AT[TIME]]
        self.first = table[begins, AT[SEQ]]
        self.last = table[ends, AT[SEQ]] + table[ends, AT[LEN]]
        self.moved = np.abs(_signed(self.last - self.first))

    def contradictions(self) -> tuple[Column, Column]:
        """Rows that follow another of the same sender in another capture, and which of them contradict that."""
        follows = np.flatnonzero((self.sender[1:] == self.sender[:-1]) & (self.place[1:] != self.place[:-1])) + 1
        before = follows - 1
        elapsed = np.maximum(self.begin[follows] - self.end[before], 0) / SECOND
        lasted = (self.end[follows] - self.begin[follows] + self.end[before] - self.begin[before]) / SECOND
        moved = self.moved[follows] + self.moved[before]
        most = UNSEEN + moved + FASTER * moved / (lasted + 1) * elapsed
        far = np.abs(_signed(self.first[follows] - self.last[before])) > most
        return follows, np.asarray(far)


def _signed(difference: Column) -> Column:
    return np.asarray((difference + WRAP // 2) % WRAP - WRAP // 2)


def find_strangers(samples: Sequence[Sample], captures: Sequence[CaptureFacts], rings: Sequence[str]) -> None:
    """Give captures whose connections contradict each other different numbers as their `world`.

    `rings` says for each sample of which ring it is. Captures that hold the same traffic are of one world.
    """
    for sample in samples:
        captures[sample.index].world = captures[sample.index].strangers = 0
    found, agreeing = _counted(samples)
    for place, sample in enumerate(samples):
        facts = captures[sample.index]
        contradicting = {}
        for (other, mine), count in found.items():
            ring = rings[other] == rings[mine]
            if place == mine and count > 2 * agreeing[other, mine] and count >= (FEWEST_IN_RING if ring else 1):
                contradicting[other] = count
        if not contradicting or facts.same_traffic is not None:
            continue
        taken = {captures[samples[other].index].world for other in contradicting}
        facts.world = next(world for world in range(len(samples) + 1) if world not in taken)
        other = max(contradicting, key=lambda other: contradicting[other])
        facts.strangers, facts.stranger_to = contradicting[other], samples[other].index
        words = f"{facts.strangers} connection" + ("s" if facts.strangers > 1 else "")
        facts.same_traffic_why = STRANGER.format(words, captures[samples[other].index].path)


def _counted(samples: Sequence[Sample]) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int]]]:
    """For pairs of captures, how many connections contradict each other in both directions, and how many do not."""
    senders = _Senders(samples)
    rows, far = senders.contradictions()
    if not far.any():
        return Counter(), Counter()
    connection, mine, its = senders.connection[rows], senders.place[rows], senders.place[rows - 1]
    began = np.isin(_in_place(connection, mine), senders.opened) & (senders.begin[rows] > senders.end[rows - 1])
    count = len(samples)
    pair = np.minimum(mine, its) * count + np.maximum(mine, its)
    connection, pair, far = connection[~began], pair[~began], far[~began]
    _, first, group = np.unique(_in_place(connection, pair), return_index=True, return_inverse=True)
    ways, far_ways = np.bincount(group), np.bincount(group, far)
    contradicts = (ways > 1) & (far_ways == ways)
    contradicting, agreeing = (Counter(pair[first[those]].tolist()) for those in (contradicts, ~contradicts))
    return _by_pair(contradicting, count), _by_pair(agreeing, count)


def _in_place(connection: Column, place: Column) -> Column:
    """One word for a connection in a capture, or in a pair of them."""
    with np.errstate(over="ignore"):
        return np.asarray((connection ^ place) * FACTOR + place)


def _by_pair(counts: Counter[int], captures: int) -> Counter[tuple[int, int]]:
    return Counter({divmod(pair, captures): count for pair, count in counts.items()})
