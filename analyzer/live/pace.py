"""How often something is done that costs time: so often as is wanted, and never more than a share of the time.

And how long bytes may come together before they are read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 0.05
# To read costs as much as hundreds of packets do, whether there is one or a thousand of them.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.05
# Of what a pipe holds: with more than this in it whoever writes may soon have to wait, and packets be dropped.
MUCH, LITTLE = 1 / 4, 1 / 8


class Pace:
    """Tells when it is time again."""

    def __init__(self, every_s: float, share: float = SHARE) -> None:
        self._every = every_s
        self._share = share
        self._next = 0.0  # at once

    @property
    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._next

    def hasten(self) -> None:
        """It is time now."""
        self._next = 0.0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Do it, within this block: what it takes says when it is time again."""
        began = time.monotonic()
        yield
        ended = time.monotonic()
        self._next = max(began + self._every, ended + (ended - began) / self._share)


class Pause:
    """How long to leave what comes through pipes there: as long as it fills some of them, but none much."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._fullest = 0.0  # share of its pipe that was read now

    def read(self, octets: int, room: int) -> None:
        """So many bytes were there, of a pipe that holds so many; of what is no pipe nobody waits for more."""
        self._fullest = max(self._fullest, octets / room if room else 1.0)

    def next(self) -> float:
        """Seconds until it is time to read again."""
        if self._fullest > MUCH:
            self._seconds = self._seconds / 2 if self._seconds > FIRST_PAUSE_S else 0.0
        elif 0 < self._fullest < LITTLE:
            self._seconds = min(max(2 * self._seconds, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        seconds, self._fullest = self._seconds if self._fullest else 0.0, 0.0
        return seconds
