"""The compiled kernels, made once per session, and a look at everything that was compiled into them."""

from __future__ import annotations

from functools import cache
from typing import Any

from analyzer.kernels import ENTRY_POINTS, KERNELS, Kernels, compiled


@cache
def compiled_once() -> Kernels:
    """The kernels as machine code; raises ImportError where numba cannot be had."""
    return compiled()


def dispatchers(kernels: Kernels) -> dict[str, Any]:
    """Every kernel that the entry points lead to, as numba holds it."""
    found: dict[str, Any] = {name: getattr(kernels, name) for name in ENTRY_POINTS if hasattr(kernels, name)}
    waiting = list(found.values())
    while waiting:
        space = waiting.pop().py_func.__globals__
        for name in KERNELS:
            if name not in found and hasattr(space.get(name), "py_func"):
                found[name] = space[name]
                waiting.append(space[name])
    return found
