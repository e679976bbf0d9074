"""A file of a store, read once from front to back by a thread that is ahead, and that nobody waits for for ever."""

from __future__ import annotations

import contextlib
import errno
import io
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from analyzer.errors import CaptureError
from analyzer.fleet.places import is_address, open_file

PIECE = 1 << 22  # bytes that one request fetches
PIECES_AHEAD = 3  # fetched before anybody has asked for them
STALLED_S = 60.0  # a store that says nothing for so long is asked again
# To try these again changes nothing.
FINAL = frozenset((errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR))
One = TypeVar("One")


class Stalled(OSError):
    """A store has said nothing for too long."""


class Streamed(io.RawIOBase):
    """The bytes of a file, of which nothing is kept: `opened` gives it, in the thread that reads it.

    Raises OSError where the store fails, or says nothing for `stalled` seconds.
    """

    def __init__(self, opened: Callable[[], Any], stalled: float = STALLED_S) -> None:
        super().__init__()
        self._opened, self._stalled = opened, stalled
        self._pieces: queue.Queue[bytes | Exception] = queue.Queue(PIECES_AHEAD)
        self._piece = memoryview(b"")
        self._ended = self._stop = False
        threading.Thread(target=self._fetch, daemon=True).start()
        self._take()  # whatever keeps it from being opened is known here

    def _fetch(self) -> None:
        try:
            with contextlib.closing(self._opened()) as file:
                while not self._stop:
                    piece = file.read(PIECE)
                    self._put(piece)
                    if not piece:
                        return
        except Exception as error:  # whatever a store's library raises
            self._put(error)

    def _put(self, piece: bytes | Exception) -> None:
        while not self._stop:
            with contextlib.suppress(queue.Full):
                self._pieces.put(piece, timeout=0.1)
                return

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill some of the buffer; 0 at the end."""
        if not self._piece and not self._ended:
            self._take()
        view = memoryview(buffer)
        count = min(len(view), len(self._piece))
        view[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def _take(self) -> None:
        try:
            piece = self._pieces.get(timeout=self._stalled)
        except queue.Empty:
            self._ended = True
            raise Stalled(errno.ETIMEDOUT, f"the store has said nothing for {self._stalled:g} s") from None
        if isinstance(piece, Exception):
            self._ended = True
            number = getattr(piece, "errno", None) or errno.EIO
            raise OSError(number, getattr(piece, "strerror", None) or str(piece) or type(piece).__name__) from piece
        self._piece = memoryview(piece)
        self._ended = not piece

    def close(self) -> None:
        """Read no more."""
        self._stop = True
        super().close()


class Unopened(CaptureError):
    """A capture that cannot be opened; `final` where trying again changes nothing."""

    def __init__(self, address: str, error: OSError) -> None:
        super().__init__(f"cannot be opened: {error.strerror or error}", path=address)
        self.final = error.errno in FINAL


def open_stream(address: str, stalled: float = STALLED_S) -> Any:
    """A capture's bytes, of a file or of a store; raises Unopened when it cannot be opened."""
    try:
        return Streamed(lambda: open_file(address), stalled) if is_address(address) else open_file(address)
    except OSError as error:
        raise Unopened(address, error) from error


def within(seconds: float, work: Callable[[], One]) -> One:
    """What comes of this; raises Stalled where it takes longer, and is left alone."""
    done: queue.Queue[One | Exception] = queue.Queue()

    def run() -> None:
        try:
            done.put(work())
        except Exception as error:
            done.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        result = done.get(timeout=seconds)
    except queue.Empty:
        raise Stalled(errno.ETIMEDOUT, f"the store has said nothing for {seconds:g} s") from None
    if isinstance(result, Exception):
        raise result
    return result
