"""Compressed bytes: gzip, zstd, lz4, xz and bzip2, recognised by their first bytes, unpacked in a thread of its own.

What precedes damage is handed out first. Memory is bounded whatever the bytes claim: WINDOW_LOG_MAX and XZ_MEMORY for
what a decompressor keeps, PIECE for what it hands out at once, AHEAD lots that wait.
"""

from __future__ import annotations

import queue
import threading
import zlib
from collections.abc import Callable
from typing import Protocol

from analyzer.wire import BZIP2_MAGIC, GZIP_MAGIC, LZ4_MAGIC, XZ_MAGIC, ZSTD_MAGIC

FEED = 1 << 15  # bytes given to a decompressor at once: what a call unpacks before it meets damage is lost
PIECE = 1 << 20  # bytes that it may hand out at once
LOT = 1 << 20  # bytes that wait together
AHEAD = 4  # lots unpacked before anybody has asked for them
WINDOW_LOG_MAX = 27  # zstd: 128 MB, its own limit for what is unpacked without being asked for more
XZ_MEMORY = 1 << 28  # the strongest preset needs 65 MB
Read = Callable[[], bytes]


class Decompressor(Protocol):
    """What the decompressors of Python's `bz2` and `lzma`, and of zstd and lz4, have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end marker has been met."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out before more goes in."""

    @property
    def unused_data(self) -> bytes | None:
        """What went in after the end marker."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take `data` in; hand out at most `max_length` bytes."""


def _zstd() -> Decompressor:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from backports import zstd
    made: Decompressor = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX})
    return made


def _lz4() -> Decompressor:
    import lz4.frame

    made: Decompressor = lz4.frame.LZ4FrameDecompressor()
    return made


def _xz() -> Decompressor:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def _bzip2() -> Decompressor:
    import bz2

    return bz2.BZ2Decompressor()


class Gunzip:
    """The bytes inside gzip (RFC 1952), member after member; what precedes damage is handed out first."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._packed = b""
        self._rest = b""
        self._start_member()

    def _start_member(self) -> None:
        self._member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self._fresh = True

    def read(self) -> bytes:
        """Some more; nothing at the end. Raises EOFError, saying why, where the gzip stream is damaged."""
        while True:
            ended = not self._packed and not self._refill()
            if ended and self._fresh:
                return b""
            before = self._member.copy()
            try:
                octets = self._member.decompress(self._packed, PIECE)
            except zlib.error as error:
                # zlib keeps what it unpacked before the damage: go again in smaller pieces, to the very byte.
                if len(self._packed) <= 1:
                    raise EOFError(f"the gzip stream is damaged: {error}") from error
                self._member = before
                self._rest = self._packed[len(self._packed) // 2 :] + self._rest
                self._packed = self._packed[: len(self._packed) // 2]
                continue
            self._fresh = False
            self._packed = self._member.unconsumed_tail
            if self._member.eof:
                # Zero bytes after a member are padding (gzip(1)).
                self._packed = (self._member.unused_data + self._rest).lstrip(b"\0")
                self._rest = b""
                self._start_member()
            if octets:
                return octets
            if ended and not self._fresh:
                raise EOFError("the gzip stream ends before its end marker")

    def _refill(self) -> bool:
        self._packed, self._rest = self._rest or self._read(), b""
        return bool(self._packed)


class Members:
    """The bytes inside zstd, lz4, xz or bzip2, frame after frame."""

    def __init__(self, name: str, start: Callable[[], Decompressor], read: Read) -> None:
        self._name = name
        self._begin = start
        self._read = read
        self._member = start()
        self._fresh = True
        self._packed = b""

    def read(self) -> bytes:
        """Some more; nothing at the end. Raises EOFError, saying why, where the stream is damaged."""
        while True:
            if not self._packed and (self._member.eof or self._member.needs_input):
                self._packed = self._read()
                if not self._packed and not self._fresh and not self._member.eof:
                    raise EOFError(f"the {self._name} stream ends before its end marker")
                if not self._packed:
                    return b""
            octets = self._unpack()
            if octets:
                return octets

    def _unpack(self) -> bytes:
        """Give the decompressor some more."""
        if self._member.eof:
            self._packed = self._packed.lstrip(b"\0")  # padding between and after members (.xz file format 2.2)
            if not self._packed:
                return b""
            self._member, self._fresh = self._begin(), True
        feed, self._packed = self._packed[:FEED], self._packed[FEED:]
        try:
            octets = self._member.decompress(feed, PIECE)
        except Exception as error:  # each library has its own kind, lz4 a bare RuntimeError
            raise EOFError(f"the {self._name} stream is damaged: {error}") from error
        self._fresh = False
        if self._member.eof:
            self._packed = (self._member.unused_data or b"") + self._packed
        return octets


class Ahead:
    """Another thread's reading: up to AHEAD lots of bytes wait in a queue, and an error waits behind them."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lots: queue.Queue[list[bytes] | Exception] = queue.Queue(AHEAD)
        self._lot: list[bytes] = []  # what has been taken from the queue, the next piece last
        self._stop = False
        self._end: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        lot: list[bytes] = []
        size = 0
        try:
            while not self._stop:
                piece = self._read()
                lot.append(piece)
                size += len(piece)
                # Each lot costs a change of threads: while the other has some left to read, this one gathers more.
                if not piece or size >= LOT or self._lots.empty():
                    self._lots.put(lot[::-1])
                    lot, size = [], 0
                if not piece:
                    return
        except Exception as error:
            self._lots.put(lot[::-1])
            self._lots.put(error)

    def read(self) -> bytes:
        """The next piece; nothing at the end. Raises what the reading raised."""
        while not self._lot:
            if self._end is not None:
                raise self._end
            lot = self._lots.get()
            if isinstance(lot, Exception):
                self._end = lot
            else:
                self._lot = lot
        if not self._lot[-1]:
            return b""  # stays there: the end is the end however often it is asked for
        return self._lot.pop()

    @property
    def ready(self) -> bool:
        """Whether `read` would return bytes at once."""
        return bool(self._lot and self._lot[-1])

    def close(self) -> None:
        """End the thread; one that waits for a pipe is left waiting, which keeps no process from ending."""
        self._stop = True
        while not self._lots.empty():
            self._lots.get()
        self._thread.join(timeout=0.1)


class Compression(Protocol):
    """What unpacks: `read` as of Gunzip and Members."""

    def read(self) -> bytes:
        """Some more; nothing at the end."""


KINDS: dict[bytes, tuple[str, Callable[[Read], Compression]]] = {
    GZIP_MAGIC: ("gzip", Gunzip),
    ZSTD_MAGIC: ("zstd", lambda read: Members("zstd", _zstd, read)),
    LZ4_MAGIC: ("lz4", lambda read: Members("lz4", _lz4, read)),
    XZ_MAGIC: ("xz", lambda read: Members("xz", _xz, read)),
    BZIP2_MAGIC: ("bzip2", lambda read: Members("bzip2", _bzip2, read)),
}


def recognise(head: bytes) -> tuple[str, Callable[[Read], Compression]]:
    """The name of the compression that begins so, as one of wire.COMPRESSED, and what unpacks it."""
    return next(kind for magic, kind in KINDS.items() if head.startswith(magic))
