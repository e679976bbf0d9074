"""When the ends of chosen connections sent something, thinned to what a picture can show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyzer.tables.fields import FRAME, KIND, STREAM, TIME

if TYPE_CHECKING:
    from analyzer.tables.arrays import Column, Mask

SLOTS = 2000  # more than a chart has points across
LATEST = 1 << 62


class Activity:
    """Of each slot of time the first and the last segment, by stream and sender: memory grows with no packet."""

    def __init__(self, streams: Sequence[int], start: int, end: int) -> None:
        """For these streams, from `start` to `end` in nanoseconds."""
        self._streams = np.unique(np.asarray(streams, np.int64))
        self._start = start
        self._slot = max((end - start) // SLOTS + 1, 1)
        shape = (len(self._streams), 2, SLOTS)
        self._first, self._last = np.full(shape, LATEST), np.full(shape, -LATEST)
        self._wanted: Column = np.zeros(0, np.int64)
        self.times_of: dict[int, int] = {}  # of the frames that were asked for

    def look_for(self, frames: Sequence[int]) -> None:
        """Note when these frames were captured."""
        self._wanted = np.unique(np.asarray(frames, np.int64))

    def add(self, rows: Column, by_server: Mask, left_out: Column) -> None:
        """Take note of packets, rows of (packets, PACKET_SIZE), but for those in the frames `left_out`."""
        seen = rows[np.isin(rows[:, FRAME], self._wanted)]
        self.times_of.update(zip(seen[:, FRAME].tolist(), seen[:, TIME].tolist(), strict=True))
        chosen = (rows[:, KIND] == 0) & ~np.isin(rows[:, FRAME], left_out) & np.isin(rows[:, STREAM], self._streams)
        rows, side = rows[chosen], by_server[chosen].astype(np.int64)
        slot = (rows[:, TIME] - self._start) // self._slot
        place = (np.searchsorted(self._streams, rows[:, STREAM]), side, np.clip(slot, 0, SLOTS - 1))
        np.minimum.at(self._first, place, rows[:, TIME])
        np.maximum.at(self._last, place, rows[:, TIME])

    def times(self, stream: int, side: int | None = None) -> Column:
        """When this end, or either, sent something: each slot's first and last, in order, in nanoseconds."""
        place = int(np.searchsorted(self._streams, stream))
        sides = slice(None) if side is None else slice(side, side + 1)
        first, last = self._first[place, sides].min(axis=0), self._last[place, sides].max(axis=0)
        used = first < LATEST
        both = np.stack([first[used], last[used]], axis=1).reshape(-1)
        return np.asarray(both[np.diff(both, prepend=-LATEST) > 0])
