"""The kernels as machine code: a shared library, called by way of ctypes.

A table is handed over as where it lies and how many items it has, a number as it is. While a kernel runs,
other threads of Python do (ctypes releases the interpreter's lock), so reading and tracking can share two processors.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import Any

from analyzer.kernels.engine.registry import ENTRY_POINTS, OUT_OF_BOUNDS, TAKES

ITEM_SIZES = {"Ints": 8, "Buffer": 1}


def load(path: str, names: Iterable[str] = ENTRY_POINTS) -> dict[str, Callable[..., int]]:
    """The kernels of these names in a shared library; raises OSError where it cannot be loaded, or lacks one."""
    library = ctypes.CDLL(path)
    try:
        return {name: _function(library, name) for name in names}
    except (AttributeError, ValueError) as error:
        raise OSError(str(error)) from error


def _function(library: ctypes.CDLL, name: str) -> Callable[..., int]:
    """One kernel as a Python function: the library itself says what it takes."""
    takes = ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(library, name + TAKES)))
    sizes = [ITEM_SIZES.get(kind, 0) for kind in takes.decode().split()]
    native = library[name]
    native.restype = ctypes.c_int64
    kinds: list[Any] = []
    for size in sizes:
        kinds += [ctypes.c_void_p, ctypes.c_int64] if size else [ctypes.c_int64]
    native.argtypes = kinds

    def call(*given: Any) -> int:
        flat: list[int] = []
        for size, argument in zip(sizes, given, strict=True):
            if not size:
                flat.append(argument)
            elif argument.item_size == size:
                flat += (argument.address, argument.size)
            else:
                raise TypeError(f"{name} works on tables of {size} bytes an item")
        result: int = native(*flat)
        if result == OUT_OF_BOUNDS:
            raise IndexError(f"the compiled kernel {name} went out of bounds")
        return result

    return call
