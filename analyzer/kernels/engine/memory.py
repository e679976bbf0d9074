"""Tables of words for compiled kernels: each begins with a cache line; a large one lies in huge pages, and grows there.

The flow table is read here and there, a row at a time. With pages of 4 KB nearly every row has an address that the
processor must look up in memory first, with pages of 2 MB (Linux, madvise(2), MADV_HUGEPAGE) hardly any.

Nothing here needs numpy: a capture is read while that is still being imported.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from array import array
from collections.abc import Sequence
from typing import Any, Literal

from analyzer.tables.fields import LINE

WORD = 8
# The letter of 64 bits that numpy uses here for int64, so that each takes the other's memory.
LETTER: Literal["l", "q"] = "l" if struct.calcsize("l") == WORD else "q"
HUGE_PAGE = 1 << 21


class Table:
    """Words or bytes, and where they lie; a slice is a view of them, and an array of numpy can be, too."""

    __slots__ = ("_keeper", "address", "item_size", "items", "size")

    def __init__(self, items: memoryview, address: int, keeper: Any) -> None:
        """`keeper` holds the memory."""
        self.items, self.address, self._keeper = items, address, keeper
        self.size, self.item_size = len(items), items.itemsize

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.items[index] = value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        import numpy as np

        return np.array(self.items, dtype) if copy else np.asarray(self.items, dtype)

    def grown(self, size: int) -> Table:
        """The same with zeros after it; neither this one nor a view of it is to be used from now on."""
        if isinstance(self._keeper, _Mapping) and self._keeper.grow(size):
            return self._keeper.table(size)
        made = zeros(size)
        made.items[: self.size] = self.items
        return made


def zeros(size: int) -> Table:
    """A table of so many zeros."""
    if size * WORD >= HUGE_PAGE:
        return _Mapping(size).table(size)
    memory = bytearray((size + LINE) * WORD)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    ahead = -address % (LINE * WORD)
    items = memoryview(memory)[ahead : ahead + size * WORD].cast(LETTER)
    return Table(items, address + ahead, memory)


def words(values: Sequence[int], size: int) -> Table:
    """A table of so many words that begins with these."""
    made = zeros(size)
    made.items[: len(values)] = memoryview(array(LETTER, values))
    return made


def octets(buffer: bytearray) -> Table:
    """A buffer as a table of bytes."""
    return Table(memoryview(buffer), ctypes.addressof(ctypes.c_char.from_buffer(buffer)) if buffer else 0, buffer)


class _Mapping:
    """Memory without a file, all zeros; what nobody has touched of it takes no room."""

    def __init__(self, size: int) -> None:
        private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
        self._memory = mmap.mmap(-1, size * WORD, **private)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            self._memory.madvise(mmap.MADV_HUGEPAGE)

    def grow(self, size: int) -> bool:
        """Have room for `size` words by moving pages (mremap(2)); False where the system does not do that."""
        try:
            self._memory.resize(size * WORD)
        except (OSError, SystemError):
            return False
        return True

    def table(self, size: int) -> Table:
        """This memory as a table, which keeps it, and does not keep it from growing."""
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        memory: Any = (ctypes.c_char * (size * WORD)).from_address(address)
        memory.keeper = self  # a view outlives the table that it was cut out of
        return Table(memoryview(memory).cast("B").cast(LETTER), address, self)
