"""Decoded packets as few bytes, and back: what a scan hands from the reading of files to the tracking of connections.

Nothing is folded and nothing is lost, so that the tracker sees what it would have seen. Rows are put side by side by
connection and direction; of each column what the row before does not tell is kept, in planes of bytes that zstd packs.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

import numpy as np

from analyzer.tables.arrays import Column
from analyzer.tables.fields import (
    COPY_HASH,
    DPORT,
    DST_HI,
    DST_LO,
    FLAGS,
    FRAME,
    KEY_HASH,
    LEN,
    PACKET_SIZE,
    SEQ,
    SPORT,
    SRC_HI,
    SRC_LO,
)
from analyzer.tcp import FIN, SYN

WHO = (SRC_HI, SRC_LO, SPORT, DST_HI, DST_LO, DPORT)
# What the tracker makes itself is not carried; SEQ is told by the row before it and that one's length.
MADE_LATER = frozenset((KEY_HASH, COPY_HASH))
CARRIED = tuple(field for field in range(PACKET_SIZE) if field not in MADE_LATER and field != SEQ)
LEVEL = 3  # of zstd: more takes twice the time for a twentieth of the size
SIZE = struct.Struct("<I")  # of a block: how many rows
PLANE = struct.Struct("<BI")  # of a column: bytes of its widest value, bytes that it takes packed
NOTHING = PLANE.pack(0, 0)
MASK_32, HALF, HIGHEST = 0xFFFFFFFF, 1 << 31, (1 << 63) - 1
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd: mixes words into one (Knuth, TAOCP 6.4)
Words = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]


def partitions_of(rows: Column, count: int) -> Column:
    """For each packet one of `count` partitions: the same for both directions of a connection, in every run."""
    columns = rows.T
    source, target = (_mixed(columns, ends) for ends in (WHO[:3], WHO[3:]))
    return np.asarray(((source + target) * FACTOR >> np.uint64(33)) % np.uint64(count), np.int64)


def _mixed(columns: Column, fields: tuple[int, ...]) -> Words:
    word = np.zeros(columns.shape[1], np.uint64)
    for field in fields:
        word = (word ^ columns[field].astype(np.uint64)) * FACTOR
        word ^= word >> np.uint64(29)
    return word


def pack(rows: Column) -> bytes:
    """Rows of PACKET_SIZE columns, their frames ascending, as bytes."""
    columns = np.ascontiguousarray(rows.T)
    columns = columns[:, np.lexsort((columns[FRAME], _directions(columns)))]
    parts = [SIZE.pack(len(rows))]
    for field in CARRIED:
        parts += _planes(_steps(columns[field]))
    ahead = _steps(columns[SEQ]) - _moved_before(columns)
    parts += _planes((ahead + HALF & MASK_32) - HALF)
    return b"".join(parts)


def unpack(packed: bytes) -> Column:
    """The rows again, in their order; of what is made later there are zeros."""
    size = SIZE.unpack_from(packed)[0]
    columns = np.zeros((PACKET_SIZE, size), np.int64)
    place = SIZE.size
    for field in (*CARRIED, SEQ):
        width, length = PLANE.unpack_from(packed, place)
        place += PLANE.size
        if width:
            columns[field] = _whole(decompress(packed[place : place + length]), width, size)
        place += length
        if field != SEQ:
            np.cumsum(columns[field], out=columns[field])
    columns[SEQ] = np.cumsum(columns[SEQ] + _moved_before(columns)) & MASK_32
    return np.ascontiguousarray(columns[:, np.argsort(columns[FRAME])].T)


def _directions(columns: Column) -> Words:
    """A number for each packet's connection and direction; two that had the same one would cost bytes, no more."""
    return _mixed(columns, WHO)


def _steps(column: Column) -> Column:
    steps = np.empty_like(column)
    steps[:1] = column[:1]
    np.subtract(column[1:], column[:-1], out=steps[1:])
    return steps


def _moved_before(columns: Column) -> Column:
    """By how much the sequence number moves with the row before each (RFC 9293 3.4); 0 at the first."""
    flags, moved = columns[FLAGS, :-1], np.zeros(columns.shape[1], np.int64)
    moved[1:] = columns[LEN, :-1] + (flags & SYN != 0) + (flags & FIN != 0)
    return moved


def _planes(column: Column) -> list[bytes]:
    """A column of small numbers of either sign: first the lowest byte of each, then the next."""
    if not column.any():
        return [NOTHING]
    folded = (column << 1 ^ column >> 63).view(np.uint64)  # zigzag: small ones of either sign are small
    width = (int(folded.max()).bit_length() + 7) // 8
    planes = folded.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)[:, :width].T
    packed = compress(planes.tobytes())
    return [PLANE.pack(width, len(packed)), packed]


def _whole(octets: bytes, width: int, size: int) -> Column:
    wide = np.zeros((size, 8), np.uint8)
    wide[:, :width] = np.frombuffer(octets, np.uint8).reshape(width, size).T
    folded = wide.view("<u8")[:, 0].astype(np.int64, copy=False)
    return np.asarray((folded >> 1 & HIGHEST) ^ -(folded & 1))


def compress(octets: bytes) -> bytes:
    """These bytes as one zstd frame."""
    return bytes(_zstd().compress(octets, LEVEL))


def decompress(octets: bytes) -> bytes:
    """The bytes in a zstd frame."""
    return bytes(_zstd().decompress(octets))


@lru_cache(1)
def _zstd() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from backports import zstd
    return zstd
