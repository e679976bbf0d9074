"""Where results go: standard output, files that only their owner can read, directories."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TextIO

from analyzer.errors import CaptureError, OutputError, UsageError
from analyzer.report.files import created

STANDARD_OUTPUT = "-"


def check_output(path: str | None, captures: Sequence[str]) -> None:
    """Raise UsageError when writing there would overwrite a capture that is read, by whatever name."""
    from analyzer.capture import expand

    if path is None or path == STANDARD_OUTPUT:
        return
    try:
        output = Path(path).stat()
    except OSError:
        return  # it is not there, or cannot be looked at: whoever writes it says so
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
        if path is None or path == STANDARD_OUTPUT:
            yield sys.stdout
            sys.stdout.flush()
            return
        with os.fdopen(created(path), "w", encoding="utf-8", errors="backslashreplace") as out:
            yield out
    except OSError as error:
        _raise_others(error, path)
        raise OutputError(f"{_named(path)}: {error.strerror or error}") from error


def width_of(out: TextIO) -> int | None:
    """The columns of the terminal that this is; None where it is none."""
    if not out.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def private_folder(path: str) -> None:
    """Make a directory that only its owner can enter, unless it is there; raises OutputError when it cannot be."""
    try:
        Path(path).mkdir(0o700, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


def check_binary(path: str) -> None:
    """Raise UsageError where packets would be written to a terminal."""
    if path == STANDARD_OUTPUT and sys.stdout.isatty():
        raise UsageError("-o -: packets are not written to a terminal; redirect standard output, or name a file")


def picture_form(path: str) -> str:
    """The form of a picture, from its name; raises UsageError where it has none."""
    from analyzer.report.charts.style import FORMATS

    form = Path(path).suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise UsageError(f"-o {path}: a chart is written as .png, .svg or .pdf")
    return form


@contextlib.contextmanager
def binary_output(path: str) -> Iterator[IO[bytes]]:
    """A binary file that only its owner can read, or for `-` standard output; raises OutputError as `open_output`."""
    try:
        if path == STANDARD_OUTPUT:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        with os.fdopen(created(path), "wb") as out:
            yield out
    except OSError as error:
        _raise_others(error, path)
        raise OutputError(f"{_named(path)}: {error.strerror or error}") from error


def _raise_others(error: OSError, path: str | None) -> None:
    """Let pass a reader that has seen enough, and what happened to another file while this one was open."""
    if isinstance(error, BrokenPipeError) or error.filename not in (None, path):
        raise error


def _named(path: str | None) -> str:
    return "standard output" if path in (None, STANDARD_OUTPUT) else str(path)
