"""The per-packet work, written once: run plain as it stands, or compiled by numba from the same source.

Plain needs no import and no compiling and suits small captures. Compiled is a hundred times faster per packet; its
machine code is kept in the user's cache directory, in a folder named by a digest of everything it was made from.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

from analyzer.kernels import merge, records
from analyzer.kernels.decode import transport
from analyzer.kernels.engine.registry import KERNELS, Buffer, Ints
from analyzer.kernels.track import flows, segments
from analyzer.tables.fields import LINE

__all__ = ["KERNELS", "Buffer", "Ints", "Kernels", "cached", "compiled", "plain"]

# What is called from outside; everything else is inlined into these.
ENTRY_POINTS = ("scan_records", "scan_pcapng", "decode", "merge", "track", "rehash")
WORD = 8
SYMBOL = ".symbol"
OBJECT = ".o"


class Kernels(NamedTuple):
    """The entry points, and the tables that suit them."""

    compiled: bool
    scan_records: Callable[..., int]
    scan_pcapng: Callable[..., int]
    decode: Callable[..., int]
    merge: Callable[..., int]
    track: Callable[..., int]
    rehash: Callable[..., int]

    def ints(self, size: int) -> Ints:
        """A table of `size` zeros."""
        if not self.compiled:
            return [0] * size
        import numpy as np

        return _aligned(np.zeros(size + LINE, np.int64), size)

    def adopt(self, table: Ints, size: int | None = None) -> Ints:
        """The same table in the form that these kernels work on, grown with zeros to `size`."""
        size = len(table) if size is None else size
        if not self.compiled:
            cast("list[int]", table).extend([0] * (size - len(table)))
            return table
        if isinstance(table, list):
            made = self.ints(size)
            cast(Any, made)[: len(table)] = table
            return made
        return _grown(table, size) if size > len(table) else table

    def view(self, buffer: bytearray) -> Buffer:
        """A buffer of octets as these kernels read it."""
        if not self.compiled:
            return buffer
        import numpy as np

        return cast(Buffer, np.frombuffer(buffer, np.uint8))


def _aligned(memory: Any, size: int) -> Ints:
    """So many words of this memory, which has LINE more, from the first on that begins a cache line."""
    first = -_address(memory) // WORD % LINE
    return cast(Ints, memory[first : first + size])


def _grown(table: Any, size: int) -> Ints:
    """The same table with zeros after it; no other view of it is to be used from now on."""
    memory, used = table.base, len(table)
    first = (_address(table) - _address(memory)) // WORD
    # In place: the kernel of the system moves pages instead of copying them.
    memory.resize(size + LINE, refcheck=False)
    grown = _aligned(memory, size)
    now = (_address(grown) - _address(memory)) // WORD
    if now != first:
        memory[now : now + used] = memory[first : first + used]
        memory[now + used : first + used] = 0
    return grown


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def plain() -> Kernels:
    """The kernels as CPython runs them."""
    return Kernels(
        False,
        records.scan_records,
        records.scan_pcapng,
        transport.decode,
        merge.merge,
        segments.track,
        flows.rehash,
    )


def compiled(notify: Callable[[str], None] = lambda text: None) -> Kernels:
    """The kernels as machine code; `notify` is told when they must be compiled first.

    Raises ImportError where numba cannot be had, or is of a kind that we do not know.
    """
    from analyzer.kernels.engine import machine

    folder = cache_folder()
    codes = _stored(folder)
    if codes is None:
        import numba

        notify("compiling the kernels for this machine, once: about 15 seconds")
        codes = machine.compile_kernels(numba, ENTRY_POINTS)
        _store(folder, codes)
    made = machine.load_kernels(codes)
    return Kernels(True, *[made[name] for name in Kernels._fields[1:]])


def compiled_if_possible(notify: Callable[[str], None]) -> Kernels:
    """The kernels as machine code or, where numba cannot be had, plain, which `notify` is told."""
    try:
        return compiled(notify)
    except ImportError as error:
        notify(f"numba is not available ({error}): continuing without it, slowly")
        return plain()


def cached() -> bool:
    """Whether `compiled` would find its machine code ready."""
    folder = cache_folder()
    return folder is not None and _is_complete(folder)


def _is_complete(folder: Path) -> bool:
    return all((folder / (name + SYMBOL)).exists() for name in ENTRY_POINTS)


def _stored(folder: Path | None) -> dict[str, Any] | None:
    """The machine code in this folder, or None when it is not all there."""
    from analyzer.kernels.engine.machine import Code

    if folder is None or not _is_complete(folder):
        return None
    codes = {}
    for name in ENTRY_POINTS:
        # A file that a crash cut short would be executed as it is: the checksum is the first word beside the symbol.
        checksum, _, symbol = (folder / (name + SYMBOL)).read_text().partition(" ")
        content = (folder / (name + OBJECT)).read_bytes()
        if _checksum(content) != checksum:
            return None
        codes[name] = Code(symbol, content)
    return codes


def _checksum(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def _store(folder: Path | None, codes: dict[str, Any]) -> None:
    """Keep the machine code for the next run, if there is a place; each file appears whole or not at all."""
    if folder is None:
        return
    for name, code in codes.items():
        # The symbol last: it says that the object is there.
        for suffix, content in ((OBJECT, code.object), (SYMBOL, f"{_checksum(code.object)} {code.symbol}".encode())):
            part = folder / f"{name}{suffix}.{os.getpid()}"
            try:
                part.write_bytes(content)
                part.replace(folder / (name + suffix))
            except OSError:
                return


def cache_folder() -> Path | None:
    """The folder for this very source's machine code; None where no folder is ours alone, or numba is absent.

    Loading machine code means trusting it, so a folder that others can write to is passed over.
    """
    try:
        name = f"kernels-{digest()}"
    except ImportError:
        return None
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
    import tempfile

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
    """What the machine code depends on, as a short hash: our sources, numba, the processor, bounds checking."""
    import hashlib

    import llvmlite

    from analyzer.kernels.engine.machine import host

    here = Path(__file__).parent
    tables = (here.parent / "tables").glob("*.py")
    sources = sorted([*here.rglob("*.py"), *tables, *(here.parent / name for name in ("tcp.py", "wire.py"))])
    state = hashlib.sha256()
    for path in sources:
        state.update(path.read_bytes())
    # llvmlite's version stands for numba's, which it is released with: reading that would mean importing it.
    for part in (llvmlite.__version__, sys.version, host(), os.environ.get("NUMBA_BOUNDSCHECK", "")):
        state.update(part.encode())
    return state.hexdigest()[:16]
