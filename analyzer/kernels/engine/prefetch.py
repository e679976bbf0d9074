"""The one thing that a kernel can tell the processor and Python cannot: which memory will be needed soon."""

from __future__ import annotations

from analyzer.kernels.engine.registry import Ints, kernel


@kernel
def prefetch(table: Ints, index: int) -> None:
    """Have the word at `index` brought near; it need not exist, and nothing waits for it.

    Plain this does nothing; compiled it is `__builtin_prefetch` (see `expressions.py`).
    """
