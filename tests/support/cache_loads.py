"""Load the compiled kernels from the cache; where they would have to be compiled, say so instead."""

from __future__ import annotations

import analyzer.kernels as kernels
from analyzer.kernels.engine import compiling

compiling.PROGRAM = "print('no numba here'); raise SystemExit(3)"
try:
    kernels.compiled()
except ImportError as error:
    assert str(error) == "no numba here"
    print("compiles again")
else:
    print("loaded")
