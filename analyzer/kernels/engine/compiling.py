"""The compiler, in a process of its own: who waits for it can be interrupted, and who does not goes on plain.

numba calls back into Python while it compiles, where an interrupt from the keyboard is printed and swallowed. So the
process that compiles has a session of its own, and ends when the pipe that it reads closes: with whoever started it,
however that ended, and whatever rights it has given up meanwhile.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading

from analyzer.kernels.engine.cache import PACKAGE, cache_folder, packed, store, unpacked
from analyzer.kernels.engine.machine import Code, compile_kernels
from analyzer.kernels.engine.registry import ENTRY_POINTS

PROGRAM = "from analyzer.kernels.engine.compiling import main; main()"
FAILED = 3


class Compiler:
    """Compiles all kernels and keeps them in the cache; `codes` are what it has made."""

    def __init__(self) -> None:
        """Have it start; raises OSError where no process can be started."""
        paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        with tempfile.TemporaryFile() as made:
            self._process = subprocess.Popen(
                # With -P nothing is imported from the directory it is called in.
                [sys.executable, "-P", "-c", PROGRAM],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.PIPE,
                stdout=made,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._made = os.fdopen(os.dup(made.fileno()), "rb")

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def codes(self) -> dict[str, Code]:
        """What it has made, once it has ended: this waits for it. Raises ImportError where it could not."""
        status = self._process.wait()
        self._made.seek(0)
        content = self._made.read()
        if status:
            reason = content.decode(errors="replace").strip() if status == FAILED else ""
            raise ImportError(reason or f"the compiler ended with status {status}")
        return unpacked(content)

    def close(self) -> None:
        """Have it end, if it has not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._made.close()


def main() -> None:
    """Compile, keep, and hand over on standard output; end when standard input does."""
    threading.Thread(target=_end_with_whoever_asked, daemon=True).start()
    out = sys.stdout.buffer
    try:
        import numba

        codes = compile_kernels(numba, ENTRY_POINTS)
    except ImportError as error:
        out.write(str(error).encode())
        out.flush()
        sys.exit(FAILED)
    store(cache_folder(), codes)
    out.write(packed(codes))


def _end_with_whoever_asked() -> None:
    os.read(sys.stdin.fileno(), 1)  # not by the buffer, which a thread must not hold when the interpreter ends
    os._exit(1)
