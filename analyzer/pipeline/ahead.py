"""What other threads do meanwhile: reading and decoding ahead of tracking, and all of that during imports."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
# So many batches are under way at once: being decoded, waiting, being tracked. Each has rows of its own.
AT_ONCE = 4
# They are larger than where one thread does all: whoever is done with one waits for Python's lock, which others hold.
LARGER = 8
CLOSING_S = 0.1
# How long a thread that runs Python may keep others from it: imports take milliseconds each, and who reads or tracks
# needs Python for microseconds, and seldom.
SHORT_TURN_S = 0.0002
OFTEN_S = 0.1


class Ahead(Generic[Item]):
    """Another thread's iteration, a few items ahead; an error that it raises is raised here, behind them."""

    def __init__(self, items: Iterator[Item], prepare: Callable[[Item], None]) -> None:
        """`prepare` is called with each item by the other thread; an item is done with when the next is asked for."""
        self._items, self._prepare = items, prepare
        self._room = threading.Semaphore(AT_ONCE)
        self._done: queue.SimpleQueue[tuple[Item | None, BaseException | None]] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                self._room.acquire()
                if self._closed:
                    return
                item = next(self._items, None)
                if item is not None:
                    self._prepare(item)
                self._done.put((item, None))
                if item is None:
                    return
        except BaseException as error:
            self._done.put((None, error))

    def __iter__(self) -> Iterator[Item]:
        """The items, until they end."""
        while True:
            item, error = self._done.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
            self._room.release()

    def close(self) -> None:
        """End the thread; one that waits for a pipe is left waiting, which keeps no process from ending."""
        self._closed = True
        self._room.release()
        self._thread.join(timeout=CLOSING_S)


def meanwhile(work: Callable[[], None], here: Callable[[], None], tell: Callable[[], None]) -> None:
    """Have another thread do `work`, this one `here`, and then `tell` several times a second until the other has ended.

    Raises what `work` raised. An interrupt is raised here, and leaves the other thread at work.
    """
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SHORT_TURN_S)
    try:
        thread.start()
        here()
    finally:
        sys.setswitchinterval(usual)
    works = True
    while works:
        thread.join(OFTEN_S)
        works = thread.is_alive()
        tell()
    if failed:
        raise failed[0]
