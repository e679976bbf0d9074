"""Packets -> flow table, probe log and event log; the packets themselves are forgotten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from analyzer.kernels import Ints, Kernels
from analyzer.layout import (
    COUNTS_SIZE,
    DUPLICATES,
    EVENT_COUNT_,
    EVENT_SIZE,
    FLOW_COUNT,
    FLOW_SIZE,
    PROBE_COUNT,
    PROBE_SIZE,
    RECENT_SIZE,
)
from analyzer.model import Packets, Tracks

if TYPE_CHECKING:
    from analyzer.model import Column

FIRST_ROOM = 64
LARGE = 1 << 18  # words: 2 MB


class Tracker:
    """Owns the tables that the kernels fill, and gives them room."""

    def __init__(self, kernels: Kernels) -> None:
        self._kernels = kernels
        self._flows = kernels.ints(FIRST_ROOM * FLOW_SIZE)
        self._probes = kernels.ints(FIRST_ROOM * PROBE_SIZE)
        self._events = kernels.ints(FIRST_ROOM * EVENT_SIZE)
        self._slots = kernels.ints(4 * FIRST_ROOM)
        self._recent = kernels.ints(RECENT_SIZE)
        self._counts = kernels.ints(COUNTS_SIZE)
        self._seed = int.from_bytes(os.urandom(7))

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels, from the same state."""
        self._kernels = kernels
        for name in ("_flows", "_probes", "_events", "_slots", "_recent", "_counts"):
            setattr(self, name, kernels.adopt(getattr(self, name)))

    def feed(self, packets: Packets, start: int = 0, stop: int | None = None) -> None:
        """Track a batch of packets, or its rows from `start` to before `stop`."""
        stop = packets.size if stop is None else stop
        while start < stop:
            self._make_room()
            start = self._kernels.track(
                packets.rows,
                start,
                stop,
                self._flows,
                self._slots,
                self._recent,
                self._probes,
                self._events,
                self._counts,
                self._seed,
            )

    @property
    def duplicates(self) -> int:
        """Second copies of packets, so far."""
        return int(self._counts[DUPLICATES])

    def finish(self) -> Tracks:
        """The tables as arrays, each cut to what is in it."""
        return Tracks(
            _rows(self._flows, self._counts[FLOW_COUNT], FLOW_SIZE),
            _rows(self._probes, self._counts[PROBE_COUNT], PROBE_SIZE),
            _rows(self._events, self._counts[EVENT_COUNT_], EVENT_SIZE),
            self.duplicates,
        )

    def _make_room(self) -> None:
        self._probes = self._grown(self._probes, self._counts[PROBE_COUNT] + 1, PROBE_SIZE)
        self._events = self._grown(self._events, self._counts[EVENT_COUNT_] + 3, EVENT_SIZE)
        self._flows = self._grown(self._flows, self._counts[FLOW_COUNT] + 1, FLOW_SIZE)
        if len(self._slots) * FLOW_SIZE < 2 * len(self._flows):  # at most half full: probing stays short
            size = len(self._slots)
            while size * FLOW_SIZE < 2 * len(self._flows):
                size *= 2
            self._slots = self._kernels.ints(size)
            self._kernels.rehash(self._flows, int(self._counts[FLOW_COUNT]), self._slots)

    def _grown(self, table: Ints, rows: int, size: int) -> Ints:
        """The table with room for at least `rows`: half as much again while it is small, a sixteenth when it is large.

        Growing moves no octets (see `Kernels.adopt`), and room that is not used yet counts as memory all the same.
        """
        if rows * size <= len(table):
            return table
        room = len(table) // size
        return self._kernels.adopt(table, (room + (room // 2 if len(table) < LARGE else room // 16) + 1) * size)


def _rows(table: Any, count: int, size: int) -> Column:
    """The first `count` rows of a flat table as a two-dimensional array."""
    import numpy as np

    return np.asarray(table[: int(count) * size], np.int64).reshape(-1, size)
