"""How a command that watches ends: Ctrl-C stops it, and it still says what it has seen."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ending(stop: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C, or SIGTERM, stops what runs in this block; a second one ends at once."""

    def end(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
