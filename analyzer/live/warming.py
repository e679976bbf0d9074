"""Capturing begins at once: on plain kernels while another process compiles them, then on the machine code."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from analyzer.kernels import COMPILING, loaded, start_compiler, without_compiler

if TYPE_CHECKING:
    from analyzer.live.session import Live


@contextlib.contextmanager
def compiling(run: Live, note: Callable[[str], None]) -> Iterator[None]:
    """Have the kernels compiled in this block if they are plain, and used from then on. Called before the rights go."""
    if run.intake.compiled:
        yield
        return
    try:
        compiler = start_compiler()
    except ImportError as error:
        note(without_compiler(error))
        yield
        return

    def observe() -> None:
        if not compiler.done:
            return
        run.observers.remove(observe)
        try:
            run.use(loaded(compiler.codes()))
        except ImportError as error:
            note(without_compiler(error))

    note(f"{COMPILING}; packets are read more slowly until then")
    run.observers.append(observe)
    try:
        yield
    finally:
        compiler.close()
