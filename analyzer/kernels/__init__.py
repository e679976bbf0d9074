"""The per-packet work, written once: run plain as it stands, or compiled by numba from the same source.

Plain needs no import and no compiling and suits small captures. Compiled is a hundred times faster per packet; its
machine code is kept in the user's cache directory, in a folder named by a digest of everything it was made from,
because numba itself does not notice when an inner kernel or a constant in another file changes.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import stat
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

from analyzer.kernels import flows, records, segments, transport
from analyzer.kernels.registry import KERNELS, Buffer, Ints

__all__ = ["KERNELS", "Buffer", "Ints", "Kernels", "cached", "compiled", "plain"]

# What is called from outside; everything else is inlined into these.
ENTRY_POINTS = ("scan_pcap", "scan_pcapng", "decode", "look_ahead", "track", "rehash")
# Seldom run and large: inlining them would only slow down the compiler.
OUTLINED = (
    "on_reset",
    "on_icmp",
    "on_syn",
    "on_fin",
    "end_resending",
    "on_handshake_ack",
    "new_flow",
    "icmp",
)
COMPLETE = "complete"


class Kernels(NamedTuple):
    """The entry points, and the tables that suit them."""

    compiled: bool
    scan_pcap: Callable[..., int]
    scan_pcapng: Callable[..., int]
    decode: Callable[..., int]
    track: Callable[..., int]
    rehash: Callable[..., None]

    def ints(self, size: int) -> Ints:
        """A table of `size` zeros."""
        if not self.compiled:
            return [0] * size
        import numpy as np

        return cast(Ints, np.zeros(size, np.int64))

    def adopt(self, table: Ints, size: int | None = None) -> Ints:
        """The same table in the form that these kernels work on, grown with zeros to `size`."""
        size = len(table) if size is None else size
        if not self.compiled:
            cast("list[int]", table).extend([0] * (size - len(table)))
            return table
        import numpy as np

        if isinstance(table, list):
            table = cast(Ints, np.array(table, np.int64))
        if size > len(table):
            # In place: the kernel of the system moves pages instead of copying them.
            cast(Any, table).resize(size, refcheck=False)
        return table

    def view(self, buffer: bytearray) -> Buffer:
        """A buffer of octets as these kernels read it."""
        if not self.compiled:
            return buffer
        import numpy as np

        return cast(Buffer, np.frombuffer(buffer, np.uint8))


def plain() -> Kernels:
    """The kernels as CPython runs them."""
    return Kernels(
        False,
        records.scan_pcap,
        records.scan_pcapng,
        transport.decode,
        segments.track,
        flows.rehash,
    )


def compiled(notify: Callable[[str], None] = lambda text: None) -> Kernels:
    """The kernels as machine code; `notify` is told when they must be compiled first.

    Raises ImportError where numba cannot be had.
    """
    numba = importlib.import_module("numba")
    folder = cache_folder()
    fresh = folder is None or not (folder / COMPLETE).exists()
    if fresh:
        notify("compiling the kernels for this machine, once: about 15 seconds")
    before = numba.config.CACHE_DIR
    try:
        if folder is not None:
            numba.config.CACHE_DIR = str(folder)
        made = _compile_all(numba, cache=folder is not None)
    finally:
        numba.config.CACHE_DIR = before
    if fresh and folder is not None:
        (folder / COMPLETE).touch()
    return Kernels(True, *(made[name] for name in Kernels._fields[1:]))


def cached() -> bool:
    """Whether `compiled` would find its machine code ready."""
    folder = cache_folder()
    return folder is not None and (folder / COMPLETE).exists()


def _compile_all(numba: Any, cache: bool) -> dict[str, Any]:
    """Every kernel as a dispatcher that calls the others; the entry points are compiled, for one signature each."""
    made: dict[str, Any] = {}
    spaces: dict[str, dict[str, Any]] = {}
    for name, function in KERNELS.items():
        space = {key: _constant(value) for key, value in function.__globals__.items()}
        copy = types.FunctionType(function.__code__, space, name, function.__defaults__)
        copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
        copy.__annotations__ = function.__annotations__
        # Kernels never allocate, so numba's reference counting (atomic, per call and array) can be left out: it
        # costs two thirds of the time.
        options = {"cache": cache and name in ENTRY_POINTS, "nogil": True, "_nrt": False}
        options["forceinline"] = name not in ENTRY_POINTS and name not in OUTLINED
        made[name] = numba.njit(**options)(copy)
        spaces[name] = space
    for space in spaces.values():
        space.update({name: made[name] for name in made if name in space})
    for name in ENTRY_POINTS:
        made[name].compile(signature(numba, KERNELS[name]))
    return made


def signature(numba: Any, function: Callable[..., Any]) -> tuple[Any, ...]:
    """The argument types of a kernel, from its annotations."""
    kinds = {"int": numba.int64, "bool": numba.boolean, "Ints": numba.int64[::1], "Buffer": numba.uint8[::1]}
    return tuple(kinds[kind] for name, kind in function.__annotations__.items() if name != "return")


def _constant(value: Any) -> Any:
    """A tuple of numbers as an array: numba would copy the tuple to the stack at each use."""
    if isinstance(value, tuple) and value and all(type(item) is int for item in value):
        import numpy as np

        return np.array(value, np.int64)
    return value


def cache_folder() -> Path | None:
    """The folder for this very source's machine code; None where no folder is ours alone.

    Loading machine code means trusting it, so a folder that others can write to is passed over.
    """
    name = f"kernels-{digest()}"
    for base in _cache_bases():
        folder = base / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if _is_ours(folder) and os.access(folder, os.W_OK):
            return folder
    return None


def _cache_bases() -> list[Path]:
    """Where a cache may lie, best first (XDG Base Directory Specification; its counterparts elsewhere)."""
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    fallback = Path(tempfile.gettempdir()) / f"tcp-keepalive-analyzer{user}"
    if "XDG_CACHE_HOME" in os.environ:
        base = Path(os.environ["XDG_CACHE_HOME"])
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", "~")).expanduser()
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches").expanduser()
    else:
        base = Path("~/.cache").expanduser()
    return [base / "tcp-keepalive-analyzer", fallback]


def _is_ours(folder: Path) -> bool:
    """Whether only this user can have written here, the folder above included."""
    if not hasattr(os, "getuid"):
        return True
    for path in (folder, folder.parent):
        status = path.lstat()
        if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o022:
            return False
    return True


def digest() -> str:
    """What the machine code depends on, as a short hash: our sources, numba, Python, bounds checking."""
    from importlib.metadata import version

    here = Path(__file__).parent
    sources = sorted([*here.glob("*.py"), *(here.parent / name for name in ("tcp.py", "wire.py", "layout.py"))])
    state = hashlib.sha256()
    for path in sources:
        state.update(path.read_bytes())
    for part in (version("numba"), sys.version, os.environ.get("NUMBA_BOUNDSCHECK", "")):
        state.update(part.encode())
    return state.hexdigest()[:16]
