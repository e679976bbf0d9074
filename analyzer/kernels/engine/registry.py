"""The list of kernels: plain functions, in an order in which each calls only those before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])

KERNELS: dict[str, Callable[..., Any]] = {}
# Those that Python calls; the others are called by these.
ENTRY_POINTS = ("scan_records", "scan_pcapng", "decode", "merge", "sift", "track", "rehash", "spread", "pack", "unpack")
# With this behind it the name of an entry point is that of a string: what kind each of its arguments is.
TAKES = "_takes"
# What an entry point returns that went out of bounds, where the library was compiled with -DCHECKED.
OUT_OF_BOUNDS = -(1 << 63)


class Buffer(Protocol):
    """Captured bytes: a bytearray when plain, a `memory.Table` when compiled."""

    def __getitem__(self, index: int, /) -> int: ...


class Ints(Protocol):
    """A flat table of 64-bit integers: a list when plain, a `memory.Table` when compiled."""

    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...
    def __len__(self) -> int: ...


def kernel(function: _Function) -> _Function:
    """Register a function that runs plain as it stands, and becomes C as it stands."""
    KERNELS[function.__name__] = function
    return function


def arguments(function: Callable[..., Any]) -> dict[str, str]:
    """The parameters of a kernel, and what each is: int, bool, Ints or Buffer."""
    return {name: kind for name, kind in function.__annotations__.items() if name != "return"}
