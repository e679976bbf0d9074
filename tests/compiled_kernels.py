"""The compiled kernels, made once per session."""

from __future__ import annotations

from functools import cache

from analyzer.kernels import Kernels, compiled


@cache
def compiled_once() -> Kernels:
    """The kernels as machine code; raises ImportError where numba cannot be had."""
    return compiled()
