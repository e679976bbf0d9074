"""Where bytes come from: a file, a pipe, standard input; unpacked on the way when they are compressed."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any

from analyzer.errors import CaptureError
from analyzer.wire import COMPRESSED, LONGEST_MAGIC

if TYPE_CHECKING:
    from analyzer.capture.compression import Ahead

STANDARD_INPUT = "-"
CHUNK = 1 << 18  # bytes of a compressed file read at once
# What a pipe may hold at most without privileges (pipe(7), /proc/sys/fs/pipe-max-size), instead of 64 KB: fewer and
# larger reads, and whoever writes waits less often.
WIDE_PIPE = 1 << 20


class Source:
    """Bytes in order, read once."""

    def __init__(self, path: str, raw: Any) -> None:
        self.path = path
        self.damage: str | None = None  # why the bytes ended early, if they did
        self.failed = False  # they did because reading failed, and not because of what was read
        self.octets_read = 0  # of the file as it lies on disk
        self._raw = raw
        self.room = _widen(raw)  # bytes that the pipe they come through holds; 0 where it is none
        self._head = self._read_head()
        self.compression: str | None = None
        self._unpacked: Ahead | None = None
        self._piece = b""
        if self._head.startswith(COMPRESSED):
            from analyzer.capture.compression import Ahead, recognise

            self.compression, unpack = recognise(self._head)
            self._unpacked = Ahead(unpack(self._read_raw).read)
        else:
            self._piece, self._head = self._head, b""

    def readinto(self, view: memoryview) -> int | None:
        """Fill some of `view`, as much as is there; 0 at the end, or at damage, which is noted.

        None where a stream that was made not to wait has nothing now.
        """
        try:
            if self._unpacked is not None:
                return self._unpack_into(view, self._unpacked)
            if self._piece:
                return self._hand_out(view)
            count: int | None = self._raw.readinto(view)
            self.octets_read += count or 0
            return count
        except OSError as error:
            self.damage, self.failed = f"reading failed: {error.strerror or error}", True
        except EOFError as error:
            self.damage = str(error)
        return 0

    def _unpack_into(self, view: memoryview, unpacked: Ahead) -> int:
        """Fill `view` with what has been unpacked; wait only when there is nothing."""
        if not self._piece:
            self._piece = unpacked.read()
        filled = self._hand_out(view)
        while filled < len(view) and unpacked.ready:
            self._piece = unpacked.read()
            filled += self._hand_out(view[filled:])
        return filled

    def _hand_out(self, view: memoryview) -> int:
        """Move some of the piece at hand to `view`."""
        count = min(len(self._piece), len(view))
        view[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    @property
    def size_hint(self) -> int:
        """Bytes in the file as it lies on disk; 0 where nobody can say."""
        try:
            return os.fstat(self._raw.fileno()).st_size
        except (OSError, ValueError):
            return 0

    def close(self) -> None:
        """Give the file back; standard input stays open."""
        if self._unpacked is not None:
            self._unpacked.close()
        self._raw.close()

    def _read_head(self) -> bytes:
        """The first bytes (fewer when there are no more): enough to know a compression by."""
        head = b""
        try:
            while len(head) < LONGEST_MAGIC:
                more = self._raw.read(LONGEST_MAGIC - len(head))
                if not more:
                    break
                head += more
        except OSError as error:
            self.damage, self.failed = f"reading failed: {error.strerror or error}", True
        self.octets_read = len(head)
        return head

    def _read_raw(self) -> bytes:
        """Some of the file as it lies on disk."""
        if self._head:
            head, self._head = self._head, b""
            return head
        chunk = bytes(self._raw.read(CHUNK) or b"")
        self.octets_read += len(chunk)
        return chunk


def _widen(raw: Any) -> int:
    """Have a pipe hold more, where the system can do that and lets us; what it holds then."""
    try:
        import fcntl

        descriptor = raw.fileno()
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, WIDE_PIPE)
        return fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
    except (ImportError, AttributeError, OSError, ValueError):
        return 0


def standard_input() -> Any:
    """Standard input as an open file without a buffer, which stays open when this one is closed."""
    return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)


def open_source(path: str) -> Source:
    """Open a file, or standard input for `-`.

    Raises CaptureError when it cannot be opened.
    """
    if path == STANDARD_INPUT:
        return Source("standard input", standard_input())
    return Source(path, open_file(path))


def open_file(path: str) -> Any:
    """A file without a buffer; raises CaptureError when it cannot be opened."""
    try:
        return open(path, "rb", buffering=0)  # noqa: PTH123
    except (OSError, io.UnsupportedOperation) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CaptureError(f"cannot be opened: {reason}", path=path) from error
