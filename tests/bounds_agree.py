"""Analyse captures plain and compiled, and say whether both agree; run with NUMBA_BOUNDSCHECK=1."""

from __future__ import annotations

import sys

from analyzer.pipeline.run import analyze

for path in sys.argv[1:]:
    plain, compiled = (analyze(path, engine=engine) for engine in ("plain", "compiled"))
    same = list(plain.flows) == list(compiled.flows) and plain.captures == compiled.captures
    print("agree" if same else "differ")
