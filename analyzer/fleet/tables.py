"""Tables of numbers as bytes, and as files of a directory of results."""

from __future__ import annotations

import struct

import numpy as np

from analyzer.errors import UsageError
from analyzer.fleet.folder import Folder
from analyzer.fleet.packing import compress, decompress
from analyzer.tables.arrays import Column

SHAPE = struct.Struct("<QQ")  # rows and columns of a table, before its numbers of 64 bits
WORD = 8


def as_bytes(*tables: Column) -> bytes:
    """Tables of two dimensions, one after another."""
    return compress(b"".join(SHAPE.pack(*table.shape) + table.astype("<i8").tobytes() for table in tables))


def as_tables(packed: bytes) -> list[Column]:
    """Them again; raises ValueError where these bytes are none, or damaged."""
    octets, at, tables = decompress(packed), 0, []
    while at < len(octets):
        if at + SHAPE.size > len(octets):
            raise ValueError("it is cut short")
        rows, columns = SHAPE.unpack_from(octets, at)
        at += SHAPE.size
        size = rows * columns * WORD
        if at + size > len(octets):
            raise ValueError("it is cut short")
        numbers = np.frombuffer(octets, "<i8", rows * columns, at)
        tables.append(numbers.astype(np.int64).reshape(rows, columns))
        at += size
    return tables


def write_tables(folder: Folder, name: str, *tables: Column) -> None:
    """Tables as one file."""
    folder.write(name, as_bytes(*tables))


def read_tables(folder: Folder, name: str) -> list[Column]:
    """The tables in a file; raises UsageError where they cannot be read."""
    try:
        return as_tables(folder.read(name))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder.at(name)} cannot be read ({error}): scan again") from error
