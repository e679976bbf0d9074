"""What a scan keeps of one capture: its packets packed by partition, what it is and holds, a sample to compare.

A parcel is one file: blocks of packets, the samples, then a table of contents and its size. A partition's blocks are
read without the others; a capture that was read needs not be read again.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Sequence
from dataclasses import asdict
from typing import IO, Any, NamedTuple

import numpy as np

from analyzer.errors import UsageError
from analyzer.fleet.packing import compress, decompress
from analyzer.fleet.places import Folder, Found
from analyzer.model.captures import CaptureFacts, ClockStep, Problem, SameTraffic, Span
from analyzer.tables.arrays import Column

VERSION = 1
FOOTER = struct.Struct("<QI")  # bytes of the table of contents, and VERSION
DIGEST = 16  # hexadecimal digits of a parcel's name
TAIL = 1 << 16  # bytes at the end that nearly always hold the table of contents


class Block(NamedTuple):
    """Packets of one partition: where they lie, and the latest time that had been read of their capture."""

    partition: int
    start: int
    size: int
    packets: int
    horizon: int


class Kept(NamedTuple):
    """Where a table lies in a parcel."""

    start: int
    size: int


class Parcel(NamedTuple):
    """The table of contents of one capture's parcel."""

    found: Found
    facts: CaptureFacts
    blocks: tuple[Block, ...]
    beginning: Kept  # its first packets: SAMPLED and FRAME
    sample: Kept  # of all its packets: SAMPLED
    below: int  # of that sample
    late: Kept  # frames that are older than one before them
    failed: bool  # its store failed: the next scan tries again
    other: bool  # it is no capture, and nobody said that it is
    seconds: float  # that its reading took

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
    return f"rows/{hashlib.sha256(address.encode()).hexdigest()[:DIGEST]}.rows"


class Packer:
    """Writes a parcel: packets first, as they come, then the rest."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._at = 0
        self._blocks: list[Block] = []

    def add(self, partition: int, packed: bytes, packets: int, horizon: int) -> None:
        """So many packets of one partition, and until when the capture has been read."""
        self._blocks.append(Block(partition, *self._write(packed), packets, horizon))

    def _write(self, octets: bytes) -> tuple[int, int]:
        start = self._at
        self._out.write(octets)
        self._at += len(octets)
        return start, len(octets)

    def keep(self, table: Column) -> Kept:
        """Write a table beside the packets."""
        return Kept(*self._write(_as_bytes(table)))

    def finish(
        self,
        found: Found,
        facts: CaptureFacts,
        kept: Sequence[Kept],
        below: int,
        *,
        failed: bool,
        other: bool,
        seconds: float,
    ) -> Parcel:
        """Write the table of contents; `kept` are the beginning, the sample, and late frames, as a Parcel has them."""
        beginning, sample, late = kept
        parcel = Parcel(found, facts, tuple(self._blocks), beginning, sample, below, late, failed, other, seconds)
        contents = compress(json.dumps(parcel._replace(facts=asdict(facts))).encode())  # type: ignore[arg-type]
        self._write(contents)
        self._write(FOOTER.pack(len(contents), VERSION))
        return parcel


def read_parcel(folder: Folder, name: str) -> Parcel | None:
    """The table of contents of a parcel; None where it is of another version, or no parcel."""
    tail = folder.read(name, start=-TAIL)
    if len(tail) < FOOTER.size:
        return None
    size, version = FOOTER.unpack(tail[-FOOTER.size :])
    if version != VERSION:
        return None
    if size + FOOTER.size > len(tail):
        tail = folder.read(name, start=-(size + FOOTER.size))
    try:
        return _parcel(json.loads(decompress(tail[-FOOTER.size - size : -FOOTER.size])))
    except (ValueError, TypeError, KeyError, IndexError):
        return None


def read_block(folder: Folder, name: str, block: Block) -> bytes:
    """The packets of a block, packed."""
    return folder.read(name, start=block.start, end=block.start + block.size)


def read_table(folder: Folder, parcel: Parcel, kept: Kept) -> Column:
    """A table of a parcel."""
    return _from_bytes(folder.read(parcel.name, start=kept.start, end=kept.start + kept.size))


def write_tables(folder: Folder, name: str, *tables: Column) -> None:
    """Tables as one file."""
    out = io.BytesIO()
    for table in tables:
        np.save(out, table, allow_pickle=False)
    folder.write(name, compress(out.getvalue()))


def read_tables(folder: Folder, name: str) -> list[Column]:
    """The tables in a file; raises UsageError where they cannot be read."""
    try:
        octets = io.BytesIO(decompress(folder.read(name)))
        tables = []
        while octets.tell() < len(octets.getbuffer()):
            tables.append(np.asarray(np.load(octets, allow_pickle=False)))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder.at(name)} cannot be read: {error}") from error
    return tables


def _as_bytes(table: Column) -> bytes:
    out = io.BytesIO()
    np.save(out, table, allow_pickle=False)
    return compress(out.getvalue())


def _from_bytes(octets: bytes) -> Column:
    return np.asarray(np.load(io.BytesIO(decompress(octets)), allow_pickle=False))


def _parcel(read: list[Any]) -> Parcel:
    found, facts, blocks, beginning, sample, below, late, failed, other, seconds = read
    places = tuple(Block(*one) for one in blocks)
    kept = (Kept(*one) for one in (beginning, sample, late))
    first, whole, behind = kept
    return Parcel(Found(*found), facts_of(facts), places, first, whole, below, behind, failed, other, seconds)


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
