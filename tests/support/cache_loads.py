"""Load the compiled kernels from the cache; where they would have to be compiled, say so instead."""

from __future__ import annotations

from typing import Any, NoReturn

from analyzer.kernels import compiled
from analyzer.kernels.engine import machine


def compile_kernels(*_: Any) -> NoReturn:
    print("compiles again")
    raise SystemExit(0)


machine.compile_kernels = compile_kernels  # type: ignore[assignment]
compiled()
print("loaded")
