"""How often something is done that costs time: so often as is wanted, and never more than a share of the time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 0.05


class Pace:
    """Tells when it is time again."""

    def __init__(self, every_s: float) -> None:
        self._every = every_s
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
        self._next = max(began + self._every, ended + (ended - began) / SHARE)
