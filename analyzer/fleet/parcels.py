"""What a scan keeps of one capture: its packets packed by partition, what it is and holds, a sample to compare.

A parcel is one file: blocks of packets, tables, then a table of contents and its size. A partition's blocks are read
without the others; a capture that was read needs not be read again.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from dataclasses import asdict
from typing import IO, Any, NamedTuple

import numpy as np

from analyzer.fleet.folder import Folder
from analyzer.fleet.packing import compress, decompress
from analyzer.fleet.places import Found
from analyzer.fleet.tables import as_bytes, as_tables
from analyzer.model.captures import CaptureFacts, ClockStep, Problem, SameTraffic, Span
from analyzer.tables.arrays import Column

VERSION = 3
ROWS = "rows"
FOOTER = struct.Struct("<QI")  # bytes of the table of contents, and VERSION
DIGEST = 16  # hexadecimal digits of a parcel's name
TAIL = 1 << 16  # bytes at the end that nearly always hold the table of contents


class Damaged(Exception):
    """A parcel does not hold what it says: its capture is to be read anew."""


class Block(NamedTuple):
    """Packets of one partition: where they lie, and the latest time that had been read of their capture."""

    partition: int
    start: int
    size: int
    packets: int
    horizon: int
    digest: int  # CRC-32 of its bytes


class Place(NamedTuple):
    """Where a table lies in a parcel, and how many rows it has."""

    start: int = 0
    size: int = 0
    rows: int = 0


class Beside(NamedTuple):
    """The tables of a parcel."""

    beginning: Place = Place()  # its first packets: SAMPLED and FRAME
    times: Place = Place()  # of its first frames, of any kind: frame and time
    sample: Place = Place()  # of all its packets: SAMPLED
    late: Place = Place()  # frames that are older than one before them, each with the latest time before it


class Manner(NamedTuple):
    """How packets were read: a parcel that was made otherwise is made anew."""

    partitions: int
    split_tunnels: bool


class Parcel(NamedTuple):
    """The table of contents of one capture's parcel."""

    found: Found
    manner: Manner
    facts: CaptureFacts
    blocks: tuple[Block, ...] = ()
    beside: Beside = Beside()
    below: int = 0  # of the sample
    failed: bool = False  # its store failed: the next scan tries again
    other: bool = False  # it is no capture, and nobody said that it is
    seconds: float = 0.0  # that its reading took

    @property
    def name(self) -> str:
        """The file in which it lies."""
        return name_of(self.found.address)

    @property
    def packed(self) -> int:
        """Bytes of its packets."""
        return sum(block.size for block in self.blocks)


def name_of(address: str) -> str:
    """The file of the parcel of the capture at this address."""
    return f"{ROWS}/{hashlib.sha256(os.fsencode(address)).hexdigest()[:DIGEST]}.rows"


class Packer:
    """Writes a parcel: packets first, as they come, then the rest."""

    def __init__(self, out: IO[bytes]) -> None:
        self.blocks: list[Block] = []
        self._out = out
        self._at = 0

    def add(self, partition: int, packed: bytes, packets: int, horizon: int) -> None:
        """So many packets of one partition, and until when the capture has been read."""
        self.blocks.append(Block(partition, *self._write(packed), packets, horizon, zlib.crc32(packed)))

    def keep(self, table: Column) -> Place:
        """Write a table beside the packets."""
        return Place(*self._write(as_bytes(table)), len(table))

    def finish(self, parcel: Parcel) -> Parcel:
        """Write the table of contents, with the blocks that were added."""
        parcel = parcel._replace(blocks=tuple(self.blocks))
        contents = compress(json.dumps(parcel._replace(facts=asdict(parcel.facts))).encode())  # type: ignore[arg-type]
        self._write(contents)
        self._write(FOOTER.pack(len(contents), VERSION))
        return parcel

    def _write(self, octets: bytes) -> tuple[int, int]:
        start = self._at
        self._out.write(octets)
        self._at += len(octets)
        return start, len(octets)


def read_parcel(folder: Folder, name: str) -> Parcel | None:
    """The table of contents of a parcel; None where it is of another version, or none."""
    try:
        tail = folder.read(name, start=-TAIL)
        size, version = FOOTER.unpack(tail[-FOOTER.size :])
        if version != VERSION:
            return None
        if size + FOOTER.size > len(tail):
            tail = folder.read(name, start=-(size + FOOTER.size))
        parcel = _parcel(json.loads(decompress(tail[-FOOTER.size - size : -FOOTER.size])))
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, struct.error):
        return None
    return parcel if parcel.name == name else None


def read_block(folder: Folder, name: str, block: Block) -> bytes:
    """The packets of a block, packed; raises Damaged where they are not there as they were written."""
    octets = _read(folder, name, block.start, block.size)
    if zlib.crc32(octets) != block.digest:
        raise Damaged(name)
    return octets


def read_table(folder: Folder, name: str, kept: Place, columns: int) -> Column:
    """A table of a parcel, with so many columns; raises Damaged where it is not there as it was written."""
    if not kept.rows:
        return np.zeros((0, columns), np.int64)
    try:
        (table,) = as_tables(_read(folder, name, kept.start, kept.size))
    except ValueError as error:
        raise Damaged(name) from error
    if table.shape != (kept.rows, columns):
        raise Damaged(name)
    return table


def _read(folder: Folder, name: str, start: int, size: int) -> bytes:
    try:
        octets = folder.read(name, start=start, end=start + size)
    except FileNotFoundError as error:
        raise Damaged(name) from error
    if len(octets) != size:
        raise Damaged(name)
    return octets


def _parcel(read: list[Any]) -> Parcel:
    found, manner, facts, blocks, beside, below, failed, other, seconds = read
    kept = Beside(*(Place(*one) for one in beside))
    places = tuple(Block(*one) for one in blocks)
    return Parcel(Found(*found), Manner(*manner), facts_of(facts), places, kept, below, failed, other, seconds)


def facts_of(read: dict[str, Any]) -> CaptureFacts:
    """The facts of a capture, from their JSON."""
    same = read["same_traffic"]
    read |= {
        "problems": [Problem(*one) for one in read["problems"]],
        "clock_steps": [ClockStep(*one) for one in read["clock_steps"]],
        "same_traffic": None if same is None else SameTraffic(*same),
        "watches": {int(number): Span(*span) for number, span in read["watches"].items()},
    }
    return CaptureFacts(**read)
