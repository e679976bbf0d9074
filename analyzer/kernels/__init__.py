"""The per-packet work, written once: run plain as it stands, or compiled by numba from the same source.

Plain needs no import and no compiling and suits small captures. Compiled is a hundred times faster per packet; its
machine code is kept in the user's cache directory, in a directory named by a digest of everything it was made from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from analyzer.kernels import merge, records
from analyzer.kernels.decode import transport
from analyzer.kernels.engine.cache import cache_folder, is_complete, stored
from analyzer.kernels.engine.registry import KERNELS, Buffer, Ints
from analyzer.kernels.track import flows, segments
from analyzer.tables.fields import LINE

if TYPE_CHECKING:
    from analyzer.kernels.engine.compiling import Compiler
    from analyzer.kernels.engine.machine import Code

__all__ = ["KERNELS", "Buffer", "Ints", "Kernels", "cached", "compiled", "loaded", "plain", "ready", "start_compiler"]

# What is called from outside; everything else is inlined into these.
WORD = 8
COMPILING = "compiling the packet decoder for this machine, once"


class Kernels(NamedTuple):
    """The entry points, and the tables that suit them."""

    compiled: bool
    scan_records: Callable[..., int]
    scan_pcapng: Callable[..., int]
    decode: Callable[..., int]
    merge: Callable[..., int]
    track: Callable[..., int]
    rehash: Callable[..., int]

    def ints(self, size: int) -> Ints:
        """A table of `size` zeros."""
        if not self.compiled:
            return [0] * size
        import numpy as np

        return _aligned(np.zeros(size + LINE, np.int64), size)

    def adopt(self, table: Ints, size: int | None = None) -> Ints:
        """The same table in the form that these kernels work on, grown with zeros to `size`."""
        size = len(table) if size is None else size
        if not self.compiled:
            cast("list[int]", table).extend([0] * (size - len(table)))
            return table
        if isinstance(table, list):
            made = self.ints(size)
            cast(Any, made)[: len(table)] = table
            return made
        return _grown(table, size) if size > len(table) else table

    def view(self, buffer: bytearray) -> Buffer:
        """A buffer of bytes as these kernels read it."""
        if not self.compiled:
            return buffer
        import numpy as np

        return cast(Buffer, np.frombuffer(buffer, np.uint8))


def _aligned(memory: Any, size: int) -> Ints:
    """So many words of this memory, which has LINE more, from the first on that begins a cache line."""
    first = -_address(memory) // WORD % LINE
    return cast(Ints, memory[first : first + size])


def _grown(table: Any, size: int) -> Ints:
    """The same table with zeros after it; no other view of it is to be used from now on."""
    memory, used = table.base, len(table)
    first = (_address(table) - _address(memory)) // WORD
    # In place: the kernel of the system moves pages instead of copying them.
    memory.resize(size + LINE, refcheck=False)
    grown = _aligned(memory, size)
    now = (_address(grown) - _address(memory)) // WORD
    if now != first:
        memory[now : now + used] = memory[first : first + used]
        memory[now + used : first + used] = 0
    return grown


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def plain() -> Kernels:
    """The kernels as CPython runs them."""
    return Kernels(
        False,
        records.scan_records,
        records.scan_pcapng,
        transport.decode,
        merge.merge,
        segments.track,
        flows.rehash,
    )


def compiled(notify: Callable[[str], None] = lambda text: None) -> Kernels:
    """The kernels as machine code; `notify` is told when they must be compiled first, which this waits for.

    Raises ImportError where numba cannot be had, or is of a kind that we do not know.
    """
    kernels = ready()
    if kernels is None:
        notify(f"{COMPILING}: this takes a while, and later runs start at once")
        compiler = start_compiler()
        try:
            kernels = loaded(compiler.codes())
        finally:
            compiler.close()
    return kernels


def ready() -> Kernels | None:
    """The kernels as machine code, where they have been compiled before."""
    codes = stored(cache_folder())
    return None if codes is None else loaded(codes)


def start_compiler() -> Compiler:
    """Have the kernels compiled by another process. Raises ImportError where none can be started."""
    from analyzer.kernels.engine.compiling import Compiler

    try:
        return Compiler()
    except OSError as error:
        raise ImportError(f"the compiler cannot be started: {error.strerror}") from error


def loaded(codes: dict[str, Code]) -> Kernels:
    """The kernels in this machine code."""
    from analyzer.kernels.engine.machine import load_kernels

    made = load_kernels(codes)
    return Kernels(True, *[made[name] for name in Kernels._fields[1:]])


def compiled_if_possible(notify: Callable[[str], None]) -> Kernels:
    """The kernels as machine code or, where numba cannot be had, plain, which `notify` is told."""
    try:
        return compiled(notify)
    except ImportError as error:
        notify(without_compiler(error))
        return plain()


def without_compiler(error: ImportError) -> str:
    """What is told where the kernels cannot be compiled."""
    return f"numba is not available ({error}): continuing without it, slowly"


def cached() -> bool:
    """Whether `compiled` would find its machine code ready."""
    folder = cache_folder()
    return folder is not None and is_complete(folder)
