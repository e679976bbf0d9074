"""The per-packet work, written once: run plain as it stands, or as machine code made from the same source.

Machine code is a hundred times faster. It comes with a wheel; where the program runs from its sources, a C compiler
makes it once, in the background, and it is kept in the user's cache directory, in a directory named by a digest of
everything it was made from. Until then, and where there is no compiler, the plain kernels do the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from analyzer.kernels.engine.cache import stored
from analyzer.kernels.engine.registry import Buffer, Ints

if TYPE_CHECKING:
    from analyzer.kernels.engine.compiling import Compiler

__all__ = [
    "Buffer",
    "Ints",
    "Kernels",
    "compiled",
    "loaded",
    "octets_of",
    "plain",
    "ready",
    "start_compiler",
]

COMPILING = "compiling the packet decoder for this machine, once"


class Kernels(NamedTuple):
    """The entry points, and the tables that suit them."""

    compiled: bool
    scan_records: Callable[..., int]
    scan_pcapng: Callable[..., int]
    decode: Callable[..., int]
    merge: Callable[..., int]
    sift: Callable[..., int]
    track: Callable[..., int]
    rehash: Callable[..., int]
    spread: Callable[..., int]
    pack: Callable[..., int]
    unpack: Callable[..., int]

    def ints(self, size: int) -> Ints:
        """A table of `size` zeros."""
        if not self.compiled:
            return [0] * size
        from analyzer.kernels.engine.memory import zeros

        return zeros(size)

    def adopt(self, table: Ints, size: int | None = None) -> Ints:
        """The same table in the form that these kernels work on, grown with zeros to `size`."""
        size = len(table) if size is None else size
        if not self.compiled:
            cast("list[int]", table).extend([0] * (size - len(table)))
            return table
        from analyzer.kernels.engine.memory import Table, words

        if not isinstance(table, Table):
            return words(cast("list[int]", table), size)
        return table.grown(size) if size > len(table) else table

    def view(self, buffer: bytearray) -> Buffer:
        """A buffer of bytes as these kernels read it."""
        if not self.compiled:
            return buffer
        from analyzer.kernels.engine.memory import octets

        return octets(buffer)


def octets_of(buffer: Buffer) -> memoryview:
    """The bytes of a buffer that kernels work on, plain or compiled."""
    octets: Any = buffer
    return memoryview(getattr(octets, "items", octets))


def plain() -> Kernels:
    """The kernels as CPython runs them."""
    from analyzer.kernels.sources import KERNELS

    return _as_kernels(KERNELS, compiled=False)


def compiled(notify: Callable[[str], None] = lambda text: None) -> Kernels:
    """The kernels as machine code; `notify` is told when they must be compiled first, which this waits for.

    Raises ImportError where they cannot be.
    """
    kernels = ready()
    if kernels is None:
        notify(f"{COMPILING}: later runs start at once")
        compiler = start_compiler()
        try:
            kernels = loaded(compiler)
        finally:
            compiler.close()
    return kernels


def ready() -> Kernels | None:
    """The kernels as machine code, where they came with the program or have been compiled before."""
    library = stored()
    if library is None:
        return None
    from analyzer.kernels.engine.library import load

    try:
        return _as_kernels(load(str(library)), compiled=True)
    except OSError:  # of another system's C library, or in a directory from which no code may be loaded
        return None


def start_compiler() -> Compiler:
    """Have the kernels compiled by another process. Raises ImportError where none can be started."""
    from analyzer.kernels.engine.compiling import Compiler

    try:
        return Compiler()
    except OSError as error:
        raise ImportError(f"the compiler cannot be started: {error.strerror}") from error


def loaded(compiler: Compiler) -> Kernels:
    """What a compiler has made, which this waits for. Raises ImportError where it could not."""
    return _as_kernels(compiler.kernels(), compiled=True)


def _as_kernels(made: dict[str, Callable[..., int]], *, compiled: bool) -> Kernels:
    return Kernels(compiled, *[made[name] for name in Kernels._fields[1:]])


def without_compiler(error: ImportError) -> str:
    """What is told where the kernels cannot be compiled."""
    return f"the packet decoder cannot be compiled ({error}): continuing without that, slowly"
