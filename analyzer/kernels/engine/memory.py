"""Tables of words for compiled kernels: each begins with a cache line; a large one lies in huge pages, and grows there.

The flow table is read here and there, a row at a time. With pages of 4 KB nearly every row has an address that the
processor must look up in memory first, with pages of 2 MB (Linux, madvise(2), MADV_HUGEPAGE) hardly any.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Any, cast

import numpy as np

from analyzer.kernels.engine.registry import Buffer, Ints
from analyzer.tables.fields import LINE

WORD = 8
HUGE_PAGE = 1 << 21


class Table(np.ndarray[Any, Any]):
    """An array that knows where it lies: numpy takes longer to say that than a kernel takes for a packet."""

    address = 0  # for what is cut out of a table


def zeros(size: int) -> Ints:
    """A table of so many zeros."""
    if size * WORD >= HUGE_PAGE:
        return _Mapping(size).table(size)
    memory = np.zeros(size + LINE, np.int64)
    first = -memory.ctypes.data // WORD % LINE
    return cast(Ints, _table(memory[first : first + size]))


def octets(buffer: bytearray) -> Buffer:
    """A buffer as an array of bytes."""
    return cast(Buffer, _table(np.frombuffer(buffer, np.uint8)))


def _table(items: Any) -> Any:
    table = items.view(Table)
    table.address = items.ctypes.data
    return table


def grown(table: Any, size: int) -> Ints:
    """The same table with zeros after it; neither the old one nor a view of it is to be used from now on."""
    # numpy holds a memoryview of the memory that `_Mapping.table` gave it, and that has the mapping.
    mapping = getattr(getattr(getattr(table.base, "base", None), "obj", None), "mapping", None)
    if mapping is not None and mapping.grow(size):
        return cast(Ints, mapping.table(size))
    made: Any = zeros(size)
    made[: len(table)] = table
    return cast(Ints, made)


class _Mapping:
    """Memory without a file, all zeros; what nobody has touched of it takes no room."""

    def __init__(self, size: int) -> None:
        private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
        self._memory = mmap.mmap(-1, size * WORD, **private)
        self._advise()

    def _advise(self) -> None:
        if hasattr(mmap, "MADV_HUGEPAGE"):
            self._memory.madvise(mmap.MADV_HUGEPAGE)

    def grow(self, size: int) -> bool:
        """Have room for `size` words by moving pages (mremap(2)); False where the system does not do that."""
        try:
            self._memory.resize(size * WORD)
        except (OSError, SystemError):
            return False
        return True

    def table(self, size: int) -> Ints:
        """This memory as an array, which keeps it, and does not keep it from growing."""
        words: Any = (ctypes.c_int64 * size).from_address(ctypes.addressof(ctypes.c_char.from_buffer(self._memory)))
        words.mapping = self
        return cast(Ints, _table(np.frombuffer(words, np.int64)))
