"""Packets from several places in one order of time, each place opened when its time comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar

from analyzer.kernels import Kernels
from analyzer.kernels.merge import LANE_AT, LANE_END, LANE_LATEST, LANE_SHIFT, LANE_SIZE
from analyzer.kernels.turns import Turns
from analyzer.model.columns import Packets
from analyzer.tables.fields import PACKET_SIZE


class Ordered(Protocol):
    """Packets in the order of their capture, some at a time."""

    index: int  # of the file: of packets with one time, those of the file named first come first
    shift: int  # nanoseconds that its clock is ahead
    latest: int  # time of the packets taken so far
    packets: Packets
    row: int  # the first packet not taken yet

    @property
    def horizon(self) -> int:
        """The latest time among the packets read so far."""

    def advance(self) -> bool:
        """Have the next packets, of which there may be none; False at the end."""

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""


Lane = TypeVar("Lane", bound=Ordered)


class Waiting(Protocol[Lane]):
    """Places that have not been opened."""

    def next_is_due(self, horizon: int | None) -> bool:
        """Whether one begins before the end of what is at hand, or at all where nothing is (None)."""

    def open_next(self) -> Lane | None:
        """Open that one; None where it cannot be."""

    def has_ended(self, lane: Lane) -> None:
        """Nothing is left of this one."""


class Merging(Generic[Lane]):
    """Packets of all places in order of time; `lanes` are those that are open."""

    def __init__(self, kernels: Kernels, waiting: Waiting[Lane], tables: int = 1) -> None:
        """`tables` is how many batches are used at one time."""
        self.lanes: list[Lane] = []
        self._kernels = kernels
        self._waiting = waiting
        self._pool: Any = kernels.ints(0)
        self._merged = Turns(kernels, tables)

    def add(self, lane: Lane) -> None:
        """One more place is open."""
        self.lanes.append(lane)
        self.lanes.sort(key=lambda lane: lane.index)

    def batches(self) -> Iterator[Packets]:
        """All packets in order of time; each batch is overwritten when all tables have been used."""
        while True:
            # Every open place has packets at hand, or is closed.
            self.lanes = [lane for lane in self.lanes if lane.row < lane.packets.size or self._advances(lane)]
            if self._waiting.next_is_due(max((lane.horizon for lane in self.lanes), default=None)):
                lane = self._waiting.open_next()
                if lane is not None:
                    self.add(lane)
                continue
            if not self.lanes:
                return
            first = self.lanes[0]
            if len(self.lanes) == 1 and not first.shift and not first.row:
                yield first.packets
                first.row = first.packets.size
            else:
                yield self._merge()

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._kernels = kernels
        self._pool = kernels.ints(0)
        self._merged.use(kernels)
        for lane in self.lanes:
            lane.use(kernels)

    def _advances(self, lane: Lane) -> bool:
        more = lane.advance()
        if not more:
            self._waiting.has_ended(lane)
        return more

    def _merge(self) -> Packets:
        """The packets at hand in order of time, up to where one place must be read on."""
        table = self._kernels.ints(len(self.lanes) * LANE_SIZE)
        total = sum(lane.packets.size - lane.row for lane in self.lanes)
        if len(self._pool) < total * PACKET_SIZE:
            self._pool = self._kernels.ints(total * PACKET_SIZE)
        merged = self._merged.next(total * PACKET_SIZE)
        start = 0
        for number, lane in enumerate(self.lanes):
            end = start + lane.packets.size - lane.row
            self._pool[start * PACKET_SIZE : end * PACKET_SIZE] = lane.packets.rows[
                lane.row * PACKET_SIZE : lane.packets.size * PACKET_SIZE
            ]
            for field, value in (
                (LANE_AT, start),
                (LANE_END, end),
                (LANE_LATEST, lane.latest),
                (LANE_SHIFT, lane.shift),
            ):
                table[number * LANE_SIZE + field] = value
            start = end
        count = self._kernels.merge(self._pool, table, merged)
        for number, lane in enumerate(self.lanes):
            lane.row = lane.packets.size - int(table[number * LANE_SIZE + LANE_END] - table[number * LANE_SIZE])
            lane.latest = int(table[number * LANE_SIZE + LANE_LATEST])
        return Packets(merged, count)
