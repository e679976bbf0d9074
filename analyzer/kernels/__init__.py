"""The per-packet work, written once: run plain as it stands, or compiled by numba from the same source.

Plain needs no import and no compiling and suits small captures. Compiled is a hundred times faster per packet; its
machine code is kept in the user's cache directory, in a folder named by a digest of everything it was made from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from analyzer.kernels import merge, records
from analyzer.kernels.decode import transport
from analyzer.kernels.engine.cache import cache_folder, is_complete, store, stored
from analyzer.kernels.engine.registry import ENTRY_POINTS, KERNELS, Buffer, Ints
from analyzer.kernels.track import flows, segments
from analyzer.tables.fields import LINE

__all__ = ["KERNELS", "Buffer", "Ints", "Kernels", "cached", "compiled", "plain"]

# What is called from outside; everything else is inlined into these.
WORD = 8


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
    codes = stored(folder)
    if codes is None:
        import numba

        notify("compiling the kernels for this machine, once: about 15 seconds")
        codes = machine.compile_kernels(numba, ENTRY_POINTS)
        store(folder, codes)
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
    return folder is not None and is_complete(folder)
