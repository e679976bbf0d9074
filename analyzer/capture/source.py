"""Where octets come from: a file, a pipe, standard input; gunzipped on the way when they are gzip."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from typing import Any

from analyzer.errors import CaptureError
from analyzer.wire import GZIP_MAGIC

STANDARD_INPUT = "-"


class Source:
    """Octets in order, read once; `offset` counts those handed out."""

    def __init__(self, path: str, raw: Any) -> None:
        self.path = path
        self.offset = 0
        self._raw = raw
        self._damage: str | None = None
        head = _read_head(raw)
        self._replay = _Replayed(head, raw)
        self._stream: io.RawIOBase | io.BufferedIOBase = self._replay
        self.gzipped = head == GZIP_MAGIC
        if self.gzipped:
            self._stream = gzip.GzipFile(fileobj=io.BufferedReader(self._replay, 1 << 16))

    def readinto(self, view: memoryview) -> int:
        """Fill some of `view`, as much as is there; 0 at the end. Damage to the compression ends it, and is noted."""
        try:
            count = self._stream.readinto(view) or 0
        except EOFError:
            self._damage = "the gzip stream ends before its end marker"
            return 0
        except (OSError, zlib.error) as error:
            self._damage = f"reading failed: {error}"
            return 0
        self.offset += count
        return count

    @property
    def damage(self) -> str | None:
        """Why the octets ended early, if they did."""
        return self._damage

    @property
    def octets_read(self) -> int:
        """Octets taken from the file as it lies on disk."""
        return self._replay.octets

    @property
    def size_hint(self) -> int:
        """Octets in the file as it lies on disk; 0 where nobody can say."""
        try:
            status = os.fstat(self._raw.fileno())
        except (OSError, ValueError):
            return 0
        return status.st_size

    def close(self) -> None:
        """Give the file back; standard input stays open."""
        self._raw.close()


class _Replayed(io.RawIOBase):
    """A raw stream whose first octets have been read already."""

    def __init__(self, head: bytes, raw: Any) -> None:
        self._head = head
        self._raw = raw
        self.octets = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]
        if self._head:
            count = min(len(self._head), len(buffer))
            buffer[:count] = self._head[:count]
            self._head = self._head[count:]
        else:
            count = self._raw.readinto(buffer) or 0
        self.octets += count
        return count


def open_source(path: str) -> Source:
    """Open a file, or standard input for `-`.

    Raises CaptureError when it cannot be opened.
    """
    try:
        if path == STANDARD_INPUT:
            return Source("standard input", open(sys.stdin.fileno(), "rb", buffering=0, closefd=False))
        return Source(path, open(path, "rb", buffering=0))  # noqa: PTH123
    except (OSError, io.UnsupportedOperation) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CaptureError(f"cannot be opened: {reason}", path=path) from error


def _read_head(raw: Any) -> bytes:
    """The first two octets (fewer when there are no more): enough to know gzip by."""
    head = b""
    while len(head) < len(GZIP_MAGIC):
        more = raw.read(len(GZIP_MAGIC) - len(head))
        if not more:
            break
        head += more
    return head
