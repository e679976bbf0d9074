"""Capturing begins at once: on plain kernels while another process compiles them, then on the machine code."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from analyzer.kernels.warming import Warming

if TYPE_CHECKING:
    from analyzer.live.session import Live


@contextlib.contextmanager
def compiling(run: Live, note: Callable[[str], None]) -> Iterator[None]:
    """Have the kernels compiled in this block if they are plain, and used from then on. Called before the rights go."""
    if run.intake.compiled:
        yield
        return
    warming = Warming(note)

    def observe() -> None:
        kernels = warming.kernels(begin=True)
        if kernels is not None:
            run.observers.remove(observe)
            run.use(kernels)

    observe()
    run.observers.append(observe)
    try:
        yield
    finally:
        warming.close()
