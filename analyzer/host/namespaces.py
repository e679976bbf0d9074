"""Network namespaces of this host: those with a name (ip-netns(8)), and those that processes live in."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from analyzer.errors import UsageError

NAMED = Path("/run/netns")
CLONE_NEWNET = 0x40000000  # linux/sched.h
ALL = "all"
_libc = ctypes.CDLL(None, use_errno=True)


def find_namespaces(name: str) -> dict[str, Path]:
    """The namespace of this name or, for `all`, each that can be seen, once; raises UsageError where there is none.

    One without a name is called by a process that lives in it: `pid 123`.
    """
    if name != ALL:
        path = NAMED / name
        if "/" in name or not path.exists():
            there = ", ".join(sorted(one.name for one in NAMED.iterdir())) if NAMED.is_dir() else ""
            known = f"there are {there}" if there else "none has a name"
            raise UsageError(f"--netns {name}: no such network namespace; {known}")
        return {name: path}
    found = {_inode(Path("/proc/self/ns/net")): ("", Path("/proc/self/ns/net"))}
    for path in sorted(NAMED.iterdir()) if NAMED.is_dir() else []:
        with contextlib.suppress(OSError):
            found.setdefault(_inode(path), (path.name, path))
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                path = process / "ns" / "net"
                found.setdefault(_inode(path), (f"pid {process.name}", path))
    return dict(found.values())


@contextlib.contextmanager
def entered(path: Path) -> Iterator[None]:
    """This thread lives in another network namespace, in this block; raises OSError without the right to (root)."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _enter(back)
    finally:
        os.close(back)


def _inode(path: Path) -> int:
    return path.stat().st_ino


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
