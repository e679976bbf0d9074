"""What a program is written in, where its executable shows that: its keepalive is set another way in each."""

from __future__ import annotations

import mmap
import re
import struct
from functools import lru_cache
from pathlib import Path

# By the executable's name; java's is the same whatever program runs.
NAMED = {
    "java": "java", "node": "node", "nodejs": "node", "ruby": "ruby", "php": "php", "php-fpm": "php", "perl": "perl",
    "beam.smp": "erlang", "dotnet": "dotnet", "mono": "dotnet",
}  # fmt: skip
_PYTHON = re.compile(r"^(?:python|pypy)[\d.]*$")
_PHP = re.compile(r"^php(?:-fpm)?[\d.]+$")
# debug/buildinfo of Go: this, the size of a pointer, flags; from Go 1.18 on a length and the version stand 32 bytes on.
_GO = b"\xff Go buildinf:"
_INLINE = 2
_GO_ALIGNED = 16
# Before Go 1.13 nothing but the version's own text, which stands in front of other text of the runtime.
_GO_OLD = re.compile(rb"go1\.\d{1,2}(?:\.\d{1,2}|beta\d|rc\d)?(?![\w.])")
_ELF64_PHDR = struct.Struct("<IIQQQQQQ")
_LOAD = 1


def runtime_of(path: str, executable: str) -> str:
    """`go1.22.1`, `python3.11`, `java`, `node` or another of NAMED; empty where the file does not show it.

    `path` is where to read it, `/proc/PID/exe`, and `executable` what it is called.
    """
    name = Path(executable.removesuffix(" (deleted)")).name
    if _PYTHON.match(name):
        return name
    if _PHP.match(name):
        return "php"
    if name in NAMED:
        return NAMED[name]
    try:
        status = Path(path).stat()
    except OSError:
        return ""
    return _go_version(path, status.st_dev, status.st_ino, status.st_mtime_ns)


@lru_cache(256)
def _go_version(path: str, *_: int) -> str:
    """The version of Go that an executable was built with; asked for once for each file."""
    try:
        with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
            return _read_version(octets)
    except (OSError, ValueError, struct.error):
        return ""


def _read_version(octets: mmap.mmap) -> str:
    at = octets.find(_GO)
    while at >= 0 and at % _GO_ALIGNED:
        at = octets.find(_GO, at + 1)
    if at < 0:
        is_go = octets.find(b"runtime.goexit") >= 0 or octets.find(b"\0.gopclntab\0") >= 0
        old = _GO_OLD.search(octets) if is_go else None
        return old[0].decode() if old else ""
    pointer, flags = octets[at + len(_GO)], octets[at + len(_GO) + 1]
    if flags & _INLINE:
        length = octets[at + 32]
        return octets[at + 33 : at + 33 + length].decode("ascii", "replace")
    return _by_pointer(octets, at, pointer)


def _by_pointer(octets: mmap.mmap, at: int, pointer: int) -> str:
    """Go 1.13 to 1.17: the address of a string, which is an address and a length."""
    if pointer != 8:
        return "go"
    (where,) = struct.unpack_from("<Q", octets, at + 16)
    text, length = struct.unpack_from("<QQ", octets, _offset(octets, where))
    start = _offset(octets, text)
    return octets[start : start + min(length, 32)].decode("ascii", "replace")


def _offset(octets: mmap.mmap, address: int) -> int:
    """Where in an ELF file lies what it loads to an address (elf(5))."""
    (table,) = struct.unpack_from("<Q", octets, 32)
    size, count = struct.unpack_from("<HH", octets, 54)
    for number in range(count):
        kind, _, offset, begins, _, in_file, _, _ = _ELF64_PHDR.unpack_from(octets, table + number * size)
        if kind == _LOAD and begins <= address < begins + in_file:
            return int(offset + address - begins)
    raise ValueError(address)
