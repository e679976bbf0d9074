"""Keeps what a capture that goes on for days needs in memory bounded: what is over leaves it, for the disk."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analyzer.tables.arrays import Mask
from analyzer.track import Tracker
from analyzer.track.leaving import LEFT, least_interesting, old_probes, over

# Connections in memory, and rows of the probe log: below so many nothing leaves; above, when there are half as many
# again as were left.
FEW_CONNECTIONS = 1 << 14
FEW_PROBES = 1 << 17


class Memory:
    """Tells when it is time for some to leave, and has them leave."""

    def __init__(self, tracker: Tracker, notify: Callable[[str], None], most: int) -> None:
        """At most so many connections stay."""
        self.left_open = 0  # connections that left although they were not over
        self._tracker = tracker
        self._notify = notify
        self._most = most
        self._connections = min(FEW_CONNECTIONS, most)
        self._probes = FEW_PROBES
        self._full = False

    @property
    def crowded(self) -> bool:
        """Whether it is time for some to leave."""
        connections, probes = self._tracker.sizes
        return not self._full and (connections > self._connections or probes > self._probes)

    def relieve(self, now: int) -> tuple[Mask, Mask] | None:
        """Have those leave that can; which connections and which rows of the probe log stayed, None if all did."""
        living = self._tracker.living()
        leaving = over(living, now)
        left = len(leaving) - np.count_nonzero(leaving)
        early = np.zeros(len(leaving), bool)
        if left > self._most:
            early = least_interesting(living, leaving, int(self._most * LEFT))
            leaving |= early
        done = old_probes(living)
        try:
            stayed = self._tracker.release(leaving, done)
        except OSError as error:
            self._full = True
            self._notify(f"the disk for what is over takes no more ({error.strerror}): all stays in memory from now on")
            return None
        self._note_left_open(int(np.count_nonzero(early)))
        connections, probes = self._tracker.sizes
        self._connections = min(max(FEW_CONNECTIONS, connections * 3 // 2), max(self._most, connections))
        self._probes = max(FEW_PROBES, probes * 3 // 2)
        return stayed

    def _note_left_open(self, count: int) -> None:
        if count and not self.left_open:
            self._notify(f"more than {self._most} connections: those that say least leave memory before they end")
        self.left_open += count
