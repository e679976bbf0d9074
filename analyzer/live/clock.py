"""Capture time while no packet comes: the last packet's, and what has passed since it arrived."""

from __future__ import annotations

import time

from analyzer.tcp import SECOND

# A stream whose packets are this fresh by our own clock is captured now.
FRESH_NS = 5 * SECOND
# One whose clock is another's keeps pace when, so long after some packet, it is no further ahead than this.
PACE_NS = 5 * SECOND
SLACK_NS = 2 * SECOND


class Clock:
    """Tells capture time, of streams that are captured as we read; a replay's clock stands still between packets."""

    def __init__(self) -> None:
        self.live = False  # packets are captured as we read: known of an interface, else it must be seen
        self._ours = False  # by our own clock
        self._time = 0  # of the last packet
        self._arrived = 0
        self.lag = 0  # how old the latest packet was on its arrival; 0 where its clock is not ours
        self._from: tuple[int, int] | None = None  # capture time and arrival of a packet to measure pace from

    def capturing(self) -> None:
        """Packets are captured by this host."""
        self.live = self._ours = True

    def packet(self, captured: int) -> None:
        """The latest time among the packets that have just come."""
        self._arrived = time.monotonic_ns()
        self._time = max(self._time, captured)
        age = time.time_ns() - captured
        self.lag = max(age, 0) if self._ours else 0
        if self.live:
            return
        if abs(age) < FRESH_NS:
            self.live = self._ours = True
        elif self._from is None or self._ahead > SLACK_NS:
            self._from = captured, self._arrived
        elif self._arrived - self._from[1] > PACE_NS and self._ahead > -SLACK_NS:
            self.live = True

    @property
    def _ahead(self) -> int:
        """How far capture time has run ahead of ours since the packet that pace is measured from."""
        assert self._from is not None
        return (self._time - self._from[0]) - (self._arrived - self._from[1])

    def now(self) -> int:
        """Capture time; 0 before the first packet."""
        if not self.live or not self._time:
            return self._time
        return self._time + time.monotonic_ns() - self._arrived
