"""The machine code of the kernels, kept from run to run in a directory that is named after its sources."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from analyzer.kernels.engine.machine import Code
from analyzer.kernels.engine.registry import ENTRY_POINTS

SYMBOL, OBJECT = ".symbol", ".o"
PACKAGE = Path(__file__).parents[2]


def is_complete(folder: Path) -> bool:
    """Whether the machine code of every kernel is in this directory."""
    return all((folder / (name + SYMBOL)).exists() for name in ENTRY_POINTS)


def stored(folder: Path | None) -> dict[str, Code] | None:
    """The machine code in this directory, or None when it is not all there."""
    if folder is None or not is_complete(folder):
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


def packed(codes: dict[str, Code]) -> bytes:
    """Machine code in one piece, for a process to hand to another: a line before each object."""
    return b"".join(f"{name} {code.symbol} {len(code.object)}\n".encode() + code.object for name, code in codes.items())


def unpacked(content: bytes) -> dict[str, Code]:
    """The machine code in what `packed` made."""
    codes = {}
    while content:
        head, _, content = content.partition(b"\n")
        name, symbol, size = head.decode().split(" ")
        codes[name], content = Code(symbol, content[: int(size)]), content[int(size) :]
    return codes


def _checksum(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def store(folder: Path | None, codes: dict[str, Code]) -> None:
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
    """The directory for this very source's machine code; None where no directory is ours alone, or numba is absent.

    Loading machine code means trusting it, so a directory that others can write to is passed over.
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
    """Whether only this user can have written here, the directory above included."""
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

    folders = [*(PACKAGE / "kernels").rglob("*.py"), *(PACKAGE / "tables").glob("*.py")]
    sources = sorted([*folders, PACKAGE / "tcp.py", PACKAGE / "wire.py"])
    state = hashlib.sha256()
    for path in sources:
        state.update(path.read_bytes())
    # llvmlite's version stands for numba's, which it is released with: reading that would mean importing it.
    for part in (llvmlite.__version__, sys.version, host(), os.environ.get("NUMBA_BOUNDSCHECK", "")):
        state.update(part.encode())
    return state.hexdigest()[:16]
