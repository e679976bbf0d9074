"""The decisive segments of one connection, chosen from its segments as they go by: few, however many there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from analyzer.model.icmp import address_text, icmp_text
from analyzer.tables.fields import ACKNO, FLAGS, FRAME, KIND, LEN, SEQ, TIME, TSECR, TSVAL, WINDOW
from analyzer.tcp import ACK, SYN

if TYPE_CHECKING:
    from analyzer.tables.arrays import Column, Mask

HEAD, BEFORE, TAIL = 5, 2, 4  # segments that are always shown: the first, those before a chosen one, the last
MOST = 44
FIRST = 10  # of those, from the beginning
WRAP = 1 << 32


class Segment(NamedTuple):
    """One segment, or an ICMP error about one; sequence numbers as Wireshark shows them, relative to the first."""

    place: int  # among all of the connection
    frame: int
    time: int
    side: int  # who sent it: 0 client, 1 server; of an ICMP error, whose segment it is about
    icmp: str  # what an ICMP error says, and who sent it; empty of a segment
    flags: int
    seq: int
    ack: int | None
    len: int
    window: int


class Segments:
    """Takes the packets of one connection in order and keeps the decisive ones."""

    def __init__(self, chosen: Collection[int]) -> None:
        """`chosen` are frames to keep, and what goes right before them: probes, answers, the end."""
        self._chosen = set(chosen)
        self._before: deque[Segment] = deque(maxlen=BEFORE)
        self._tail: deque[Segment] = deque(maxlen=TAIL)
        self._kept: dict[int, Segment] = {}
        self._first: list[int | None] = [None, None]  # sequence numbers that count as 0, by side
        self.count = 0

    def add(self, rows: Column, by_server: Mask) -> None:
        """Take note of packets, rows of (packets, PACKET_SIZE), and which of them the server sent."""
        for row, side in zip(rows.tolist(), by_server.tolist(), strict=True):
            segment = self._segment(row, int(side))
            self.count += 1
            if segment.place < HEAD or segment.frame in self._chosen:
                if segment.frame in self._chosen:
                    self._kept |= {one.place: one for one in self._before}
                self._kept[segment.place] = segment
            self._before.append(segment)
            self._tail.append(segment)

    def decisive(self) -> list[Segment]:
        """The segments in order; of too many those at the beginning and at the end."""
        kept = self._kept | {one.place: one for one in self._tail}
        found = [kept[place] for place in sorted(kept)]
        return found if len(found) <= MOST else found[:FIRST] + found[FIRST - MOST :]

    def _segment(self, row: list[int], side: int) -> Segment:
        flags, seq, ack = row[FLAGS], row[SEQ], row[ACKNO]
        if row[KIND] == 0:
            if self._first[side] is None or flags & SYN:
                self._first[side] = seq if flags & SYN else (seq - 1) % WRAP
            if self._first[1 - side] is None and flags & ACK:
                self._first[1 - side] = (ack - 1) % WRAP
        return Segment(
            place=self.count,
            frame=row[FRAME],
            time=row[TIME],
            side=side,
            icmp=f"{icmp_text(row[KIND])} from {address_text(row[TSVAL], row[TSECR])}" if row[KIND] else "",
            flags=flags,
            seq=self._relative(seq, side) or 0,
            ack=self._relative(ack, 1 - side) if flags & ACK else None,
            len=row[LEN],
            window=row[WINDOW],
        )

    def _relative(self, number: int, side: int) -> int | None:
        """A sequence number counted from the first; one before that is negative."""
        first = self._first[side]
        if first is None:
            return None
        ahead = (number - first) % WRAP
        return ahead - WRAP if ahead >= WRAP - (1 << 16) else ahead
