"""Compile the kernels with bounds checks, here and now; then print as JSON how often each of them was compiled, and
for each capture whether the two engines agree. Run with NUMBA_BOUNDSCHECK=1 and a cache that is empty.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numba

from analyzer.kernels.engine import machine
from analyzer.kernels.engine.cache import cache_folder, store
from analyzer.kernels.engine.registry import ENTRY_POINTS, KERNELS
from analyzer.pipeline.run import analyze

made: dict[str, Any] = {}
make_dispatchers = machine.make_dispatchers


def kept(numba: Any, entry_points: tuple[str, ...]) -> dict[str, Any]:
    """Every kernel as numba holds it."""
    made.update(make_dispatchers(numba, entry_points))
    return made


machine.make_dispatchers = kept
store(cache_folder(), machine.compile_kernels(numba, ENTRY_POINTS))
agree = {}
for path in sys.argv[1:]:
    plain, compiled = (analyze(path, engine=engine) for engine in ("plain", "compiled"))
    agree[path] = list(plain.flows) == list(compiled.flows) and plain.captures == compiled.captures
annotated = {name: [machine.signature(numba, KERNELS[name])] for name in made}
signatures = {name: dispatcher.signatures == annotated[name] for name, dispatcher in made.items()}
print(json.dumps({"agree": agree, "signatures": signatures}))
