"""Where results go: standard output, files that only their owner can read, folders."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TextIO

from analyzer.errors import CaptureError, OutputError, UsageError
from analyzer.report.files import created


def check_output(path: str | None, captures: list[str]) -> None:
    """Raise UsageError when writing there would overwrite a capture that is read, by whatever name."""
    from analyzer.capture import expand

    if path is None or not Path(path).exists():
        return
    output = Path(path).stat()
    for named in captures:
        with contextlib.suppress(CaptureError, OSError, ValueError):
            # What is not there, or names nothing, is told by whoever reads it.
            for name in expand(named):
                read = os.fstat(sys.stdin.fileno()) if name == "-" else Path(name).stat()
                if os.path.samestat(output, read) and stat.S_ISREG(output.st_mode):
                    raise UsageError(f"-o {path}: would overwrite the capture itself")


@contextlib.contextmanager
def open_output(path: str | None) -> Iterator[TextIO]:
    """Standard output, or a file that only its owner can read. Raises OutputError when it cannot be written."""
    try:
        if path is None:
            yield sys.stdout
            sys.stdout.flush()
            return
        with os.fdopen(created(path), "w", encoding="utf-8", errors="backslashreplace") as out:
            yield out
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{path or 'standard output'}: {error.strerror or error}") from error


def private_folder(path: str) -> None:
    """Make a folder that only its owner can enter, unless it is there; raises OutputError when it cannot be."""
    try:
        Path(path).mkdir(0o700, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


@contextlib.contextmanager
def binary_output(path: str) -> Iterator[IO[bytes]]:
    """A file of octets that only its owner can read. Raises OutputError when it cannot be written."""
    try:
        with os.fdopen(created(path), "wb") as out:
            yield out
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error
