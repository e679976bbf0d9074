"""Where captures lie: a path, or an address that fsspec knows (`s3://`, `gs://`, `sftp://`, `http://`)."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from analyzer.errors import UsageError

NEEDED = "scan and query need more than is installed: pip install 'tcp-keepalive-analyzer[fleet]'"
# What lies beside captures, and nobody would take for one.
OTHERS = frozenset((".rows", ".tracks", ".tmp", ".parquet", ".json", ".ndjson", ".csv", ".html", ".txt", ".md", ".log"))
STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "created", "Last-Modified")  # change with contents
LISTED_WHOLE = frozenset(("file", "s3", "s3a", "gs", "gcs", "abfs", "az"))  # a listing says what `info` would
Notify = Callable[[str], None]


class Found(NamedTuple):
    """A capture as its store lists it; `stamp` changes when the file does, and is empty where nothing says that."""

    address: str
    size: int
    stamp: str
    named: bool = False  # itself, not a directory or a pattern: then it is meant to be a capture


def find_captures(sources: Iterable[str], notify: Notify = lambda text: None) -> list[Found]:
    """The captures that these name - a file, a pattern, a directory with all below it - in order of their addresses.

    `notify` is told what cannot be looked into. Raises UsageError where a store cannot be asked, or a source names
    nothing.
    """
    found: dict[str, Found] = {}
    for source in sources:
        mine = list(_in_store(source) if is_address(source) else _in_files(source, notify))
        if not mine:
            raise UsageError(f"{source}: no capture there")
        for one in mine:
            if one.named or one.address not in found:
                found[one.address] = one
    return [found[address] for address in sorted(found)]


def is_address(source: str) -> bool:
    """Whether this is the address of a store, and no path."""
    return "://" in source


def _in_files(source: str, notify: Notify) -> Iterator[Found]:
    path = Path(source)
    if path.is_dir():
        yield from _below(source, notify)
    elif os.path.lexists(source):
        yield _file(source, named=True)
    elif glob.has_magic(source):
        for name in glob.iglob(source, recursive=True):  # noqa: PTH207
            if Path(name).is_file() and not _is_other(name):
                yield _file(name)


def _below(folder: str, notify: Notify) -> Iterator[Found]:
    """All files below a directory, behind links, too; of what has been looked at once nothing again."""
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            status = os.stat(here)  # noqa: PTH116
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            notify(f"{here}: cannot be looked into: {error.strerror or error}")
            continue
        for entry in entries:
            if entry.is_dir():
                waiting.append(entry.path)
            elif entry.is_file() and not _is_other(entry.name):
                yield _file(entry.path)
            elif entry.is_symlink() and not entry.is_file():
                notify(f"{entry.path}: leads nowhere")


def _file(path: str, *, named: bool = False) -> Found:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:  # a link that leads nowhere, which is told when it is read
        return Found(os.path.abspath(path), 0, "", named)  # noqa: PTH100
    return Found(os.path.abspath(path), status.st_size, str(status.st_mtime_ns), named)  # noqa: PTH100


def _in_store(source: str) -> Iterator[Found]:
    filesystem, path = store_of(source)
    try:
        listed = _listed(filesystem, path, source)
    except FileNotFoundError as error:
        raise UsageError(f"{source}: no capture there, or no store ({error})") from error
    except Exception as error:  # each store has errors of its own
        raise UsageError(f"{source}: {getattr(error, 'strerror', None) or error or type(error).__name__}") from error
    whole = not LISTED_WHOLE.isdisjoint(protocols_of(filesystem))
    for name, info in sorted(listed.items()):
        if info.get("type") == "file" and (name == path or not _is_other(name)):
            told = info if whole else filesystem.info(name)
            address = str(filesystem.unstrip_protocol(name))
            yield Found(address, int(told.get("size") or 0), _stamp(told), name == path)


def _listed(filesystem: Any, path: str, source: str) -> dict[str, dict[str, Any]]:
    if any(letter in path for letter in "*?["):
        found: dict[str, dict[str, Any]] = filesystem.glob(path, detail=True)
        return found
    # Of a file some stores would send the whole, were they asked whether it is a directory.
    info = {} if source.endswith("/") else filesystem.info(path)
    if info.get("type") == "file":
        return {path: info}
    below: dict[str, dict[str, Any]] = filesystem.find(path, detail=True)
    return below


def _is_other(name: str) -> bool:
    """Whether a file that nobody named is no capture by its name: notes and results may lie beside captures."""
    return Path(name).suffix.lower() in OTHERS


def look_again(found: Found) -> Found | None:
    """What a store says of this capture now; None where it is gone. Raises OSError where it cannot be asked."""
    if not is_address(found.address):
        return _file(found.address, named=found.named) if Path(found.address).exists() else None
    filesystem, path = store_of(found.address)
    filesystem.invalidate_cache()
    try:
        info = filesystem.info(path)
    except FileNotFoundError:
        return None
    except Exception as error:
        raise OSError(str(error) or type(error).__name__) from error
    return found._replace(size=int(info.get("size") or 0), stamp=_stamp(info))


def _stamp(info: dict[str, Any]) -> str:
    return next((str(info[name]).strip('"') for name in STAMPS if info.get(name)), "")


def store_of(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it; raises UsageError where there is no such."""
    try:
        import fsspec
    except ImportError as error:
        raise UsageError(NEEDED) from error
    if not is_address(address):
        return fsspec.filesystem("file"), os.path.abspath(address)  # noqa: PTH100
    if "::" in address:
        raise UsageError(f"{address}: name a file of a store, not one inside another")
    try:
        filesystem, path = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:  # the store's own library lacks, or nobody knows such a store
        raise UsageError(f"{address}: {error}") from error
    return filesystem, path


def protocols_of(filesystem: Any) -> tuple[str, ...]:
    """By which names a file system is known."""
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def open_file(address: str) -> Any:
    """A capture, to be read from front to back; raises whatever its store raises.

    What is no file of this machine - a pipe that took its place - is refused, for it might never say anything.
    """
    if not is_address(address):
        descriptor = os.open(address, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError("no regular file")
        return open(descriptor, "rb", buffering=0)  # noqa: PTH123
    filesystem, path = store_of(address)
    return filesystem.open(path, "rb", cache_type="none")
