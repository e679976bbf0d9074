"""What another thread does ahead of this one: reading and decoding, while connections are tracked."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
# So many batches are under way at once: being decoded, waiting, being tracked. Each has rows of its own.
AT_ONCE = 4
CLOSING_S = 0.1


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
