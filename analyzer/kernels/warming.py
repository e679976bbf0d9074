"""From plain kernels to machine code: another process compiles while they work, and what it makes takes over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from analyzer.kernels import COMPILING, Kernels, loaded, start_compiler, without_compiler

if TYPE_CHECKING:
    from analyzer.kernels.engine.compiling import Compiler


class Warming:
    """Machine code that is still to be made."""

    def __init__(self, notify: Callable[[str], None]) -> None:
        """`notify` is told that it is being made, and why it could not be."""
        self._notify = notify
        self._compiler: Compiler | None = None
        self._failed = False

    def kernels(self, *, begin: bool) -> Kernels | None:
        """The kernels as machine code, once that is there; with `begin` it is made."""
        if self._failed or (self._compiler is None and not begin):
            return None
        try:
            if self._compiler is None:
                self._compiler = start_compiler()
                self._notify(f"{COMPILING}; packets are read more slowly until then")
            return loaded(self._compiler) if self._compiler.done else None
        except ImportError as error:
            self._failed = True
            self._notify(without_compiler(error))
            return None

    def close(self) -> None:
        """Have it made no longer."""
        if self._compiler is not None:
            self._compiler.close()
