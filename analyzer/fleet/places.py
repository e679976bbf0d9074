"""Where captures lie and results go: a path, or an address that fsspec knows (`s3://`, `gs://`, `sftp://`, `http://`)."""

from __future__ import annotations

import contextlib
import io
import os
import queue
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from analyzer.errors import CaptureError, UsageError

PIECE = 1 << 22  # bytes that one request fetches
PIECES_AHEAD = 3  # fetched before anybody has asked for them
STALLED_S = 60.0  # a store that says nothing for so long is asked again
NEEDED = "scan and query need more than is installed: pip install 'tcp-keepalive-analyzer[fleet]'"
OTHERS = frozenset((".rows", ".tracks", ".tmp", ".parquet", ".json", ".ndjson", ".csv", ".html", ".txt", ".md", ".log"))
STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "created")  # what changes with a file's contents


class Found(NamedTuple):
    """A capture as its store lists it; `stamp` changes when the file does."""

    address: str
    size: int
    stamp: str
    named: bool = False  # itself, not a directory or a pattern: then it is meant to be a capture


def find_captures(sources: Iterable[str]) -> list[Found]:
    """The captures that these name - a file, a pattern, a directory with all below it - in order of their addresses.

    Raises UsageError where a store cannot be asked, or a source names nothing.
    """
    found: dict[str, Found] = {}
    for source in sources:
        mine = list(_find(source))
        if not mine:
            raise UsageError(f"{source}: no capture there")
        found |= {one.address: one for one in mine}
    return [found[address] for address in sorted(found)]


def _find(source: str) -> Iterator[Found]:
    filesystem, path = _at(source)
    try:
        if any(letter in path for letter in "*?["):
            listed = filesystem.glob(path, detail=True)
        elif filesystem.isdir(path):
            listed = filesystem.find(path, detail=True)
        else:
            listed = {path: filesystem.info(path)}
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{source}: {error.strerror or error}") from error
    except Exception as error:  # each store has errors of its own
        raise UsageError(f"{source}: {error}") from error
    for name, info in sorted(listed.items()):
        if info.get("type") == "file" and (name == path or not _is_other(name)):
            yield Found(_address(filesystem, name), int(info.get("size") or 0), _stamp(info), name == path)


def _is_other(name: str) -> bool:
    """Whether a file that nobody named is no capture by its name: notes and results may lie beside captures."""
    return Path(name).suffix.lower() in OTHERS


def look_again(found: Found) -> Found | None:
    """What a store says of this capture now; None where it is gone, or cannot be asked."""
    filesystem, path = _at(found.address)
    try:
        filesystem.invalidate_cache()
        info = filesystem.info(path)
    except Exception:
        return None
    return found._replace(size=int(info.get("size") or 0), stamp=_stamp(info))


def _stamp(info: dict[str, Any]) -> str:
    for name in STAMPS:
        if info.get(name):
            return str(info[name]).strip('"')
    return str(info.get("size") or 0)


class Streamed(io.RawIOBase):
    """A file of a store, read once from front to back by a thread that is ahead: nothing of it is kept.

    Raises OSError where the store fails, or says nothing for `stalled` seconds.
    """

    def __init__(self, file: IO[bytes], stalled: float = STALLED_S) -> None:
        super().__init__()
        self.failed = False
        self._file, self._stalled = file, stalled
        self._pieces: queue.Queue[bytes | Exception] = queue.Queue(PIECES_AHEAD)
        self._piece = memoryview(b"")
        self._ended = self._stop = False
        threading.Thread(target=self._fetch, daemon=True).start()

    def _fetch(self) -> None:
        try:
            while not self._stop:
                piece = self._file.read(PIECE)
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
            self._piece = memoryview(self._next())
            self._ended = not self._piece
        view = memoryview(buffer)
        count = min(len(view), len(self._piece))
        view[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def _next(self) -> bytes:
        try:
            piece = self._pieces.get(timeout=self._stalled)
        except queue.Empty:
            self.failed = self._ended = True
            raise OSError(f"the store has said nothing for {self._stalled:g} s") from None
        if isinstance(piece, Exception):
            self.failed = self._ended = True
            raise OSError(str(piece) or type(piece).__name__) from piece
        return piece

    def close(self) -> None:
        """Read no more."""
        self._stop = True
        super().close()


def open_stream(address: str, stalled: float = STALLED_S) -> Streamed:
    """A capture's bytes; raises CaptureError when it cannot be opened."""
    filesystem, path = _at(address)
    try:
        return Streamed(filesystem.open(path, "rb", block_size=PIECE, cache_type="none"), stalled)
    except FileNotFoundError as error:
        raise CaptureError("cannot be opened: No such file or directory", path=address) from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise CaptureError(f"cannot be opened: {reason}", path=address) from error


class Folder:
    """A directory of results, in whatever store; each file in it is whole or not there."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.filesystem, self._path = _at(address)

    def __reduce__(self) -> tuple[type[Folder], tuple[str]]:
        return Folder, (self.address,)

    def at(self, name: str) -> str:
        """The path of a file in it, as its store has it."""
        return f"{self._path.rstrip('/')}/{name}"

    @property
    def local(self) -> bool:
        """Whether it lies in this machine's own file system, which other machines may not see."""
        return "file" in _protocols(self.filesystem)

    def write(self, name: str, octets: bytes) -> None:
        """Write a file."""
        with self.written(name) as out:
            out.write(octets)

    @contextlib.contextmanager
    def written(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write: made beside, and renamed once it is whole; most stores do so by themselves."""
        path = self.at(name)
        if not self.local:
            with self.filesystem.open(path, "wb") as out:
                try:
                    yield out
                except BaseException:
                    with contextlib.suppress(Exception):
                        out.discard()
                    raise
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        try:
            with beside.open("wb") as out:
                yield out
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)

    def read(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """A file's bytes, or some of them: from its end where `start` is negative. Raises FileNotFoundError."""
        octets: bytes = self.filesystem.cat_file(self.at(name), start=start, end=end)
        return octets

    def names(self, below: str) -> list[str]:
        """The files directly in a directory of it, in order of name; none where it is not there."""
        self.filesystem.invalidate_cache()
        try:
            listed = self.filesystem.ls(self.at(below), detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(name).rsplit("/", 1)[-1] for name in listed)

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        self.filesystem.invalidate_cache()
        return bool(self.filesystem.exists(self.at(name)))

    def remove(self, below: str) -> None:
        """Remove a directory of it with all in it, if it is there."""
        self.filesystem.invalidate_cache()
        if self.filesystem.exists(self.at(below)):
            self.filesystem.rm(self.at(below), recursive=True)


def _at(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    try:
        import fsspec
    except ImportError as error:
        raise UsageError(NEEDED) from error
    try:
        filesystem, path = fsspec.core.url_to_fs(address)
    except ImportError as error:  # the store's own library
        raise UsageError(f"{address}: {error}") from error
    except ValueError as error:
        raise UsageError(f"{address}: {error}") from error
    return filesystem, path


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _address(filesystem: Any, name: str) -> str:
    return name if "file" in _protocols(filesystem) else str(filesystem.unstrip_protocol(name))
