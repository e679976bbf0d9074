"""Tables that take turns: each may be filled while others are still read."""

from __future__ import annotations

from analyzer.kernels import Ints, Kernels


class Turns:
    """Hands out tables, each of which is left alone until the others have had their turns."""

    def __init__(self, kernels: Kernels, tables: int = 1) -> None:
        """With one table each is overwritten by the next."""
        self._kernels = kernels
        self._tables = [kernels.ints(0) for _ in range(tables)]
        self._turn = 0

    def next(self, size: int) -> Ints:
        """A table of at least so many words; what is in them is not said."""
        self._turn = (self._turn + 1) % len(self._tables)
        if len(self._tables[self._turn]) < size:
            self._tables[self._turn] = self._kernels.ints(size)
        return self._tables[self._turn]

    def use(self, kernels: Kernels) -> None:
        """Go on with tables for these kernels."""
        self._kernels = kernels
        self._tables = [kernels.ints(0) for _ in self._tables]
