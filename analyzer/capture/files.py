"""Which files are meant: a directory's captures, a pattern's files."""

from __future__ import annotations

import glob
from pathlib import Path

from analyzer.capture.formats.pcap import is_pcap
from analyzer.capture.formats.pcapng import is_pcapng
from analyzer.capture.formats.snoop import is_snoop
from analyzer.capture.source import STANDARD_INPUT
from analyzer.errors import CaptureError
from analyzer.wire import COMPRESSED, LONGEST_MAGIC

MAGIC_SIZE = max(8, LONGEST_MAGIC)


def expand(path: str) -> list[str]:
    """The captures that a path names: itself, those in the directory, or those that fit the pattern, in order of name.

    Raises CaptureError for a directory or a pattern with none, and where neither can be looked at.
    """
    try:
        return _expanded(path)
    except OSError as error:
        raise CaptureError(f"cannot be opened: {error.strerror or error}", path=path) from error


def _expanded(path: str) -> list[str]:
    if path == STANDARD_INPUT:
        return [path]
    if Path(path).is_dir():
        files = sorted(str(file) for file in Path(path).iterdir() if file.is_file() and begins_as_capture(file))
        if not files:
            raise CaptureError("no capture in this directory", path=path)
        return files
    if glob.has_magic(path) and not Path(path).exists():
        files = sorted(file for file in glob.glob(path) if Path(file).is_file())  # noqa: PTH207
        if not files:
            raise CaptureError("no file matches this pattern", path=path)
        return files
    return [path]


def begins_as_capture(path: Path) -> bool:
    """Whether a file begins as a capture, or as something compressed; what cannot be read does not."""
    try:
        with path.open("rb") as file:
            head = file.read(MAGIC_SIZE)
    except OSError:
        return False
    return is_pcap(head) or is_pcapng(head) or is_snoop(head) or head.startswith(COMPRESSED)
