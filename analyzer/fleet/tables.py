"""Tables of numbers as bytes, and as files of a directory of results."""

from __future__ import annotations

import io

import numpy as np

from analyzer.errors import UsageError
from analyzer.fleet.folder import Folder
from analyzer.fleet.packing import compress, decompress
from analyzer.tables.arrays import Column


def as_bytes(*tables: Column) -> bytes:
    """Tables, one after another."""
    out = io.BytesIO()
    for table in tables:
        np.save(out, table, allow_pickle=False)
    return compress(out.getvalue())


def as_tables(packed: bytes) -> list[Column]:
    """Them again; raises ValueError where these bytes are none."""
    octets = io.BytesIO(decompress(packed))
    tables = []
    try:
        while octets.tell() < len(octets.getbuffer()):
            tables.append(np.asarray(np.load(octets, allow_pickle=False), np.int64))
    except (EOFError, SyntaxError) as error:
        raise ValueError(str(error)) from error
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
