"""Where octets come from: a file, a pipe, standard input; gunzipped on the way when they are gzip."""

from __future__ import annotations

import io
import os
import sys
import zlib
from collections.abc import Callable
from typing import Any

from analyzer.errors import CaptureError
from analyzer.wire import GZIP_MAGIC

STANDARD_INPUT = "-"
CHUNK = 1 << 16


class Source:
    """Octets in order, read once."""

    def __init__(self, path: str, raw: Any) -> None:
        self.path = path
        self.damage: str | None = None  # why the octets ended early, if they did
        self.octets_read = 0  # of the file as it lies on disk
        self._raw = raw
        self._head = self._read_head()
        self.gzipped = self._head == GZIP_MAGIC
        self._gunzip = Gunzip(self._read_raw) if self.gzipped else None

    def readinto(self, view: memoryview) -> int:
        """Fill some of `view`, as much as is there; 0 at the end, or at damage, which is noted."""
        try:
            if self._gunzip is not None:
                return self._gunzip.readinto(view)
            if self._head:
                count = min(len(self._head), len(view))
                view[:count] = self._head[:count]
                self._head = self._head[count:]
                return count
            count = self._raw.readinto(view) or 0
            self.octets_read += count
            return count
        except OSError as error:
            self.damage = f"reading failed: {error.strerror or error}"
        except EOFError as error:
            self.damage = str(error)
        return 0

    @property
    def size_hint(self) -> int:
        """Octets in the file as it lies on disk; 0 where nobody can say."""
        try:
            return os.fstat(self._raw.fileno()).st_size
        except (OSError, ValueError):
            return 0

    def close(self) -> None:
        """Give the file back; standard input stays open."""
        self._raw.close()

    def _read_head(self) -> bytes:
        """The first octets (fewer when there are no more): enough to know gzip by."""
        head = b""
        try:
            while len(head) < len(GZIP_MAGIC):
                more = self._raw.read(len(GZIP_MAGIC) - len(head))
                if not more:
                    break
                head += more
        except OSError as error:
            self.damage = f"reading failed: {error.strerror or error}"
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


class Gunzip:
    """The octets inside gzip (RFC 1952), member after member; what precedes damage is handed out first."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._packed = b""
        self._rest = b""
        self._start_member()

    def _start_member(self) -> None:
        self._member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self._fresh = True

    def readinto(self, view: memoryview) -> int:
        """Fill some of `view`; 0 at the end. Raises EOFError, saying why, where the gzip stream is damaged."""
        while True:
            ended = not self._packed and not self._refill()
            if ended and self._fresh:
                return 0
            before = self._member.copy()
            try:
                octets = self._member.decompress(self._packed, len(view))
            except zlib.error as error:
                # zlib keeps what it unpacked before the damage: go again in smaller pieces, to the very octet.
                if len(self._packed) <= 1:
                    raise EOFError(f"the gzip stream is damaged: {error}") from error
                self._member = before
                self._rest = self._packed[len(self._packed) // 2 :] + self._rest
                self._packed = self._packed[: len(self._packed) // 2]
                continue
            self._fresh = False
            self._packed = self._member.unconsumed_tail
            if self._member.eof:
                # Zero octets after a member are padding (gzip(1)).
                self._packed = (self._member.unused_data + self._rest).lstrip(b"\0")
                self._rest = b""
                self._start_member()
            if octets:
                view[: len(octets)] = octets
                return len(octets)
            if ended and not self._fresh:
                raise EOFError("the gzip stream ends before its end marker")

    def _refill(self) -> bool:
        self._packed, self._rest = self._rest or self._read(), b""
        return bool(self._packed)


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
