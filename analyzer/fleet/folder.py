"""The directory of results, in whatever store: each file in it is whole or not there."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from analyzer.errors import UsageError
from analyzer.fleet.places import protocols_of, store_of

# Stores in which a file appears once all of it has been sent; elsewhere it is written beside, and renamed.
WHOLE = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "az"))
LOCK = "scan.lock"


class Folder:
    """A directory of results, by its path or address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.filesystem, self._path = store_of(address)

    def __reduce__(self) -> tuple[type[Folder], tuple[str]]:
        return Folder, (self.address,)

    def at(self, name: str = "") -> str:
        """The path of a file in it, as its store has it."""
        return f"{self._path.rstrip('/')}/{name}".rstrip("/")

    @property
    def local(self) -> bool:
        """Whether it lies in this machine's own file system, which other machines may not see."""
        return "file" in protocols_of(self.filesystem)

    def write(self, name: str, octets: bytes) -> None:
        """Write a file."""
        with self.written(name) as out:
            out.write(octets)

    @contextlib.contextmanager
    def written(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write: it is there once it is whole, and not before."""
        if not WHOLE.isdisjoint(protocols_of(self.filesystem)):
            with self.filesystem.open(self.at(name), "wb") as out:
                try:
                    yield out
                except BaseException:
                    with contextlib.suppress(Exception):
                        out.discard()
                    raise
            return
        beside = f"{name}.{uuid.uuid4().hex}.tmp"
        self.filesystem.makedirs(self.at(name).rsplit("/", 1)[0], exist_ok=True)
        try:
            with self.filesystem.open(self.at(beside), "wb") as out:
                yield out
            if self.local:
                Path(self.at(beside)).replace(self.at(name))
            else:
                self.filesystem.mv(self.at(beside), self.at(name))
        finally:
            with contextlib.suppress(FileNotFoundError):
                self.filesystem.rm_file(self.at(beside))

    def read(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """A file's bytes, or some of them: from its end where `start` is negative. Raises FileNotFoundError."""
        octets: bytes = self.filesystem.cat_file(self.at(name), start=start, end=end)
        return octets

    def names(self, below: str = "") -> list[str]:
        """The names directly in a directory of it, in order; none where it is not there."""
        self.filesystem.invalidate_cache()
        try:
            listed = self.filesystem.ls(self.at(below), detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(name).rstrip("/").rsplit("/", 1)[-1] for name in listed)

    def files(self, below: str) -> list[str]:
        """The paths of all files below a directory of it, as its store has them, in order."""
        self.filesystem.invalidate_cache()
        try:
            return sorted(self.filesystem.find(self.at(below)))
        except FileNotFoundError:
            return []

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        self.filesystem.invalidate_cache()
        return bool(self.filesystem.exists(self.at(name)))

    def remove(self, below: str, ours: re.Pattern[str]) -> None:
        """Remove the files below a directory of it that are called so, and directories in which nothing is left."""
        start = len(self.at(below)) + 1
        gone = [path for path in self.files(below) if ours.fullmatch(path[start:])]
        for path in gone:
            with contextlib.suppress(FileNotFoundError):
                self.filesystem.rm_file(path)
        if self.local:
            emptied = {str(folder) for path in gone for folder in Path(path).parents if len(str(folder)) >= start - 1}
            for folder in sorted(emptied, key=len, reverse=True):
                with contextlib.suppress(OSError):  # something else is in it
                    Path(folder).rmdir()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """This process alone writes here, as long as it runs; in a store that locks nothing nobody can see to that.

        Raises UsageError where another one does.
        """
        if not self.local:
            yield
            return
        try:
            import fcntl
        except ImportError:  # not on Windows
            yield
            return
        Path(self.at()).mkdir(parents=True, exist_ok=True)
        with Path(self.at(LOCK)).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(f"{self.address}: another scan writes there now") from error
            yield
