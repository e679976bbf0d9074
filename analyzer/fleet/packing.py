"""Decoded packets as few bytes, and back: what a scan hands from the reading of files to the tracking of connections.

Nothing is folded and nothing is lost, so that the tracker sees what it would have seen. Packets are put side by side by
connection and direction; what the one before does not tell is kept (`kernels/packing.py`), and zstd packs it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from analyzer.kernels import Kernels
from analyzer.kernels.packing import FIELD_SIZE, FIELDS, LANES, PART_SIZE, START, WIDTH
from analyzer.tables.arrays import Column
from analyzer.tables.fields import FRAME, PACKET_SIZE

LEVEL = 1  # of zstd: 3 takes twice the time for a twentieth of the size
SIZE = struct.Struct("<II")  # of a block: how many packets, how many are the first of a direction
PLANES = struct.Struct("<BI")  # of a field: bytes of its widest number, bytes that its planes take packed
WORD = 8
SMALLEST = SIZE.size + 2 * FIELDS * PLANES.size
MOST = 1 << 20  # packets of a block


def fill(kernels: Kernels, table: Any, numbers: Column) -> Any:
    """The table, which has room for them, with these numbers at its beginning."""
    if kernels.compiled:
        np.asarray(table)[: numbers.size] = numbers.ravel()
    else:
        table[: numbers.size] = numbers.ravel().tolist()
    return table


class Packing:
    """Packs and unpacks, with tables that are used again: memory that is new takes longer than what is done in it."""

    def __init__(self, kernels: Kernels) -> None:
        self._kernels = kernels
        self._tables: dict[str, Any] = {}

    def partitions_of(self, packets: Any, size: int, count: int) -> Column:
        """For each packet one of `count` partitions: the same for both directions of a connection, in every run."""
        out = self._room("spread", 2 * size)
        self._kernels.spread(packets, size, count, out)
        return self._column(out, size)

    def pack(self, rows: Column) -> bytes:
        """Rows of PACKET_SIZE columns, their frames ascending, as bytes."""
        size = len(rows)
        packets, where = self._filled("packets", rows), self._room("spread", 2 * size)
        self._kernels.spread(packets, size, 1, where)
        # Two directions of one number cost bytes, no more; of 16 bits numpy sorts by counting.
        directions = self._column(where, 2 * size)[size:].astype(np.uint16)
        order = self._filled("order", np.argsort(directions, kind="stable"))
        fields, planes = self._kernels.ints(2 * PART_SIZE), self._room("planes", WORD * FIELDS * (_words_of(size) + 1))
        heads = self._kernels.pack(packets, size, order, self._room("words", size * FIELDS), fields, planes)
        octets = self._column(planes, len(planes)).astype("<i8", copy=False).view(np.uint8)
        parts = [SIZE.pack(size, heads)]
        for field, count in _counts(size, heads):
            width, start = fields[field + WIDTH], fields[field + START] * WORD
            packed = compress(octets[start : start + width * _words_of(count) * WORD].tobytes()) if width else b""
            parts += [PLANES.pack(width, len(packed)), packed]
        return b"".join(parts)

    def unpack(self, packed: bytes) -> Column:
        """The rows again, in their order; of what the tracker makes there are zeros. Raises ValueError for others."""
        size, heads = SIZE.unpack_from(packed) if len(packed) >= SMALLEST else (0, 0)
        if not 0 < heads <= size <= MOST:
            raise ValueError("no packed packets")
        fields, planes = self._fields_of(packed, size, heads)
        packets = self._room("packets", size * PACKET_SIZE)
        if self._kernels.unpack(self._filled("planes", planes), fields, heads, size, packets) != size:
            raise ValueError("fewer packets than there should be")
        rows = self._column(packets, size * PACKET_SIZE).reshape(-1, PACKET_SIZE)
        return rows.take(np.argsort(rows[:, FRAME], kind="stable"), axis=0)

    def _fields_of(self, packed: bytes, size: int, heads: int) -> tuple[Any, Column]:
        """What describes the planes of each field, as kernels need it, and all planes."""
        fields, place, used = self._kernels.ints(2 * PART_SIZE), SIZE.size, 0
        parts = []
        for field, count in _counts(size, heads):
            if place + PLANES.size > len(packed):
                raise ValueError("it is cut short")
            width, length = PLANES.unpack_from(packed, place)
            place += PLANES.size
            fields[field + WIDTH], fields[field + START] = width, used
            if width:
                parts.append(decompress(packed[place : place + length]))
                if width > WORD or len(parts[-1]) != width * _words_of(count) * WORD:
                    raise ValueError("planes of another size than they should be")
                used += width * _words_of(count)
            place += length
        return fields, np.frombuffer(b"".join(parts), "<i8")

    def _room(self, name: str, size: int) -> Any:
        """A table of this name of at least so many words, whatever is in them."""
        if name not in self._tables or len(self._tables[name]) < size:
            self._tables[name] = self._kernels.ints(size)
        return self._tables[name]

    def _filled(self, name: str, numbers: Column) -> Any:
        """A table that begins with these numbers."""
        return fill(self._kernels, self._room(name, numbers.size), numbers)

    def _column(self, table: Any, size: int) -> Column:
        return np.asarray(np.asarray(table)[:size] if self._kernels.compiled else table[:size], np.int64)


def _counts(size: int, heads: int) -> Iterator[tuple[int, int]]:
    """Where each field is described, of first packets and of the others, and how many numbers it has."""
    for part, count in ((0, heads), (PART_SIZE, size - heads)):
        for field in range(FIELDS):
            yield part + field * FIELD_SIZE, count


def _words_of(size: int) -> int:
    """Words of a plane of so many packets."""
    return (size + LANES - 1) // LANES


def compress(octets: bytes) -> bytes:
    """These bytes as one zstd frame, with a checksum."""
    zstd = _zstd()
    options = {zstd.CompressionParameter.compression_level: LEVEL, zstd.CompressionParameter.checksum_flag: 1}
    return bytes(zstd.compress(octets, options=options))


def decompress(octets: bytes) -> bytes:
    """The bytes in a zstd frame; raises ValueError where it is none, or damaged."""
    zstd = _zstd()
    try:
        return bytes(zstd.decompress(octets))
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from error


@lru_cache(1)
def _zstd() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from backports import zstd
    return zstd
