"""The C compiler at work: from the kernels' source to a shared library."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from analyzer.kernels.engine.registry import ENTRY_POINTS
from analyzer.kernels.engine.translate import translate

# In the order in which they are tried, behind what the variable CC names.
COMPILERS = ("cc", "gcc", "clang")
# Signed arithmetic wraps, as the kernels expect (see translate.py). Code for one processor alone is no faster: what
# takes time are branches and memory.
FLAGS = ("-O2", "-fwrapv", "-fPIC", "-shared", "-fvisibility=hidden", "-s", "-x", "c", "-")
MISSING = "there is no C compiler (cc, gcc, clang, or what CC names)"


def compiler() -> list[str] | None:
    """The command that compiles C here; None where there is none."""
    named = shlex.split(os.environ.get("CC", ""))
    for command in (named, *([name] for name in COMPILERS)):
        if command and shutil.which(command[0]):
            return command
    # A C compiler that pip installs: the package ziglang.
    return [sys.executable, "-m", "ziglang", "cc"] if find_spec("ziglang") else None


def build(target: Path, *extra: str, entry_points: Iterable[str] = ENTRY_POINTS) -> None:
    """Compile the kernels into a shared library, which appears whole or not at all.

    `extra` are more options for the compiler. Raises ImportError where there is none, or where it fails, and OSError
    where the library cannot be written.
    """
    command = compiler()
    if command is None:
        raise ImportError(MISSING)
    part = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        # Not in the directory that this is called in: nothing there is to have a say.
        with tempfile.TemporaryDirectory() as elsewhere:
            done = subprocess.run(
                [*command, *extra, *FLAGS, "-o", str(part.absolute())],
                input=translate(entry_points),
                capture_output=True,
                text=True,
                check=False,
                cwd=elsewhere,
            )
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise ImportError(f"{shlex.join(command)} failed: {said[0]}")
        with part.open("rb") as made:
            os.fsync(made.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
