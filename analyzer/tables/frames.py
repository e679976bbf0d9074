"""Frame numbers: the number within a file, and above FRAME_BITS the index of the file."""

from __future__ import annotations

from analyzer.tables.fields import FRAME_BITS


def in_file(index: int) -> int:
    """What is added to the numbers of the frames of this file."""
    return index << FRAME_BITS


def file_of(frame: int) -> int:
    """The index of a frame's file."""
    return frame >> FRAME_BITS


def number_of(frame: int) -> int:
    """A frame's number within its file, from 1."""
    return frame & ((1 << FRAME_BITS) - 1)


def frame_text(frame: int, files: int) -> str:
    """A frame number as it is shown of so many files: with the file's index before it where they are several."""
    number = str(number_of(frame))
    return number if files == 1 else f"{file_of(frame)}:{number}"
