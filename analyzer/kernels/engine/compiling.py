"""The kernels compiled by a process of its own: in the background, while the plain ones work, or waited for.

It has a session of its own, so that an interrupt from the keyboard does not reach it, and ends when the pipe that it
reads closes: with whoever started it, however that ended, and whatever rights it has given up meanwhile.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from analyzer.kernels.engine.building import build
from analyzer.kernels.engine.cache import LIBRARY, PACKAGE, cache_folder
from analyzer.kernels.engine.library import load

PROGRAM = "from analyzer.kernels.engine.compiling import main; main()"
FAILED = 3


class Compiler:
    """Compiles all kernels, and keeps them in the cache where there is one."""

    def __init__(self) -> None:
        """Have it start; raises OSError where no process can be started."""
        paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._made = _memory()
        self._process = subprocess.Popen(
            # With -P nothing is imported from the directory it is called in.
            [sys.executable, "-P", "-c", PROGRAM],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=self._made,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def kernels(self) -> dict[str, Callable[..., int]]:
        """What it has made, once it has ended: this waits for it. Raises ImportError where there is nothing."""
        status = self._process.wait()
        self._made.seek(0)
        content = self._made.read()
        if status:
            reason = content.decode(errors="replace").strip() if status == FAILED else ""
            raise ImportError(reason or f"the compiler ended with status {status}")
        try:
            return _loaded(self._made, content)
        except OSError as error:
            raise ImportError(f"what was compiled cannot be loaded: {error}") from error

    def close(self) -> None:
        """Have it end, if it has not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._made.close()


def _memory() -> Any:
    """A file without a name, from which code may be loaded though no directory that we can write to allows that."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("kernels"), "w+b")
    return tempfile.TemporaryFile()


def _loaded(made: BinaryIO, content: bytes) -> dict[str, Callable[..., int]]:
    """The kernels in this file, by a name that it has for whoever holds it open; else by way of a copy."""
    if sys.platform == "linux":
        # The copy stays open: the loader takes two libraries of one name for one, and a number is given again.
        return load(f"/proc/self/fd/{os.dup(made.fileno())}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / LIBRARY
        copy.write_bytes(content)
        return load(str(copy))


def main() -> None:
    """Compile, keep, and hand over on standard output; end when standard input does."""
    threading.Thread(target=_end_with_whoever_asked, daemon=True).start()
    out = sys.stdout.buffer
    try:
        with tempfile.TemporaryDirectory() as folder:
            library = (cache_folder() or Path(folder)) / LIBRARY
            build(library)
            out.write(library.read_bytes())
            out.flush()
    except ImportError as error:
        out.write(str(error).encode())
        out.flush()
        sys.exit(FAILED)


def _end_with_whoever_asked() -> None:
    os.read(sys.stdin.fileno(), 1)  # not by the buffer, which a thread must not hold when the interpreter ends
    if hasattr(os, "killpg"):
        os.killpg(os.getpgid(0), signal.SIGTERM)  # the C compiler, too
    os._exit(1)
