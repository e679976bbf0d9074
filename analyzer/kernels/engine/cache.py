"""The machine code of the kernels, kept from run to run in a directory that is named after its sources."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from importlib.util import source_hash
from pathlib import Path

SUFFIX = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
LIBRARY = f"kernels{SUFFIX}"
PACKAGE = Path(__file__).parents[2]
SHIPPED = Path(__file__).parent / LIBRARY  # in a wheel: built with it, from the sources beside it


def stored() -> Path | None:
    """The library with the kernels: the one that was installed with them, or the one that was compiled before."""
    if SHIPPED.exists():
        return SHIPPED
    folder = cache_folder()
    return folder / LIBRARY if folder is not None and (folder / LIBRARY).exists() else None


def cache_folder() -> Path | None:
    """The directory for this very source's machine code; None where no directory is ours alone.

    Loading machine code means trusting it, so a directory that others can write to is passed over.
    """
    try:
        name = f"kernels-{digest()}"
    except OSError:  # whoever may not read the sources any more
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


def _cache_bases() -> Iterator[Path]:
    """Where a cache may lie, best first (XDG Base Directory Specification; its counterparts elsewhere)."""
    if "XDG_CACHE_HOME" in os.environ:
        base = Path(os.environ["XDG_CACHE_HOME"])
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", "~")).expanduser()
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches").expanduser()
    else:
        base = Path("~/.cache").expanduser()
    yield base / "tcp-keepalive-analyzer"
    import tempfile

    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    yield Path(tempfile.gettempdir()) / f"tcp-keepalive-analyzer{user}"


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
    """What the machine code depends on, as a short hash: our sources, and the kind of machine."""
    folders = [*(PACKAGE / "kernels").rglob("*.py"), *(PACKAGE / "tables").glob("*.py")]
    sources = [path.read_bytes() for path in sorted([*folders, PACKAGE / "tcp.py", PACKAGE / "wire.py"])]
    machine = os.uname().machine if hasattr(os, "uname") else ""
    # Python itself tells changed sources so (PEP 552). To import hashlib takes longer than all the rest here.
    return source_hash(b"".join([sys.platform.encode(), machine.encode(), *sources])).hex()
