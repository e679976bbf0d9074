"""A store in memory that counts what is asked of it as S3 would count it: by fsspec, at `counted://`."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

ASKED: Counter[str] = Counter()  # LIST, HEAD, GET, PUT, DELETE, and `PUT parquet` of those
_LOCK = threading.Lock()  # counted by the threads that read ahead, too


def _count(kind: str) -> None:
    with _LOCK:
        ASKED[kind] += 1


class _Read:
    """A file that is open to be read: each piece that holds something is a request."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._file.read(size)
        if piece:
            _count("GET")
        return piece

    def close(self) -> None:
        self._file.close()


class CountedStore(MemoryFileSystem):  # type: ignore[misc] # fsspec is not typed
    """Files appear once they are whole, and a listing says all of them, as in S3 (`folder.WHOLE`)."""

    protocol = ("counted", "s3")
    store: dict[str, Any] = {}  # noqa: RUF012 - one for all, as that of its parent
    pseudo_dirs = [""]  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(MemoryFileSystem._strip_protocol(path.removeprefix("counted:/")))

    def unstrip_protocol(self, name: str) -> str:
        return f"counted:/{name}"

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode == "rb":
            _count("HEAD")
            return _Read(super()._open(path, mode, **options))
        _count("PUT")
        if path.endswith(".parquet"):
            _count("PUT parquet")
        return super()._open(path, mode, **options)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        _count("GET")
        octets: bytes = super()._open(path, "rb").getvalue()
        return octets[slice(start, end)]

    def info(self, path: str, **options: Any) -> Any:
        _count("HEAD")
        return super().info(path, **options)

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        _count("LIST")
        return super().ls(path, detail, **options)

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, **options: Any) -> Any:
        """One listing of all keys with a prefix, wherever they lie."""
        _count("LIST")
        prefix = self._strip_protocol(path).rstrip("/") + "/"
        names = [name for name in sorted(self.store) if name.startswith(prefix)]
        return {name: super(CountedStore, self).info(name) for name in names} if options.get("detail") else names

    def rm_file(self, path: str) -> None:
        _count("DELETE")
        super().rm_file(path)


def counted_store() -> Counter[str]:
    """Make the store known, empty it, and begin to count anew."""
    fsspec.register_implementation("counted", CountedStore, clobber=True)
    CountedStore.store.clear()
    CountedStore.pseudo_dirs[:] = [""]
    ASKED.clear()
    return ASKED
