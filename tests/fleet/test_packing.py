"""Packets packed and unpacked are the same packets; how few bytes they take, of bulk data and of idle connections."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from results import ROOT, kernels_of

from analyzer.capture import open_capture
from analyzer.fleet.packing import Packing
from analyzer.kernels import Kernels
from analyzer.kernels.packing import WHO
from analyzer.pipeline.lane import Lane
from analyzer.tables.arrays import Column
from analyzer.tables.fields import (
    COPY_HASH,
    DPORT,
    DST_HI,
    DST_LO,
    FRAME,
    KEY_HASH,
    PACKET_SIZE,
    SEQ,
    SPORT,
    SRC_HI,
    SRC_LO,
)

BULK_OCTETS, IDLE_OCTETS = 12, 100  # of a packet, at most
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


def packets_of(path: Path, kernels: Kernels) -> Column:
    """All packets of a capture, in one table."""
    lane = Lane(0, open_capture(str(path), kernels), kernels, False)
    parts = [np.zeros((0, PACKET_SIZE), np.int64)]
    while lane.advance():
        parts.append(np.array(lane.packets.rows[: lane.packets.size * PACKET_SIZE], np.int64).reshape(-1, PACKET_SIZE))
    return np.concatenate(parts)


def both() -> tuple[Kernels, Kernels]:
    """The kernels as they stand, and as machine code."""
    return kernels_of("plain"), kernels_of("compiled")


def carried(rows: Column) -> Column:
    """The same without what the tracker makes."""
    kept = rows.copy()
    kept[:, [KEY_HASH, COPY_HASH]] = 0
    return kept


@pytest.mark.parametrize("path", sorted(ROOT.glob("captures/*/capture*.pcap*")), ids=lambda path: path.parent.name)
def test_packets_of_recordings_come_back(path: Path, compiled: Kernels) -> None:
    rows, packing = packets_of(path, compiled), Packing(compiled)
    for size in (1, 7, max(len(rows), 1)):
        for start in range(0, min(len(rows), 5 * size), size):
            some = rows[start : start + size]
            assert np.array_equal(packing.unpack(packing.pack(some)), carried(some))


@given(arrays(np.int64, st.tuples(st.integers(1, 12), st.just(PACKET_SIZE)), elements=INT64), st.booleans())
def test_whatever_is_in_them_comes_back_and_plain_kernels_do_the_same(rows: Column, alike: bool) -> None:
    if alike:  # of one direction
        rows[:, WHO] = rows[0, WHO]
    rows[:, FRAME] = np.arange(1, len(rows) + 1)
    rows[:, SEQ] &= 0xFFFFFFFF
    packed = [Packing(kernels).pack(rows) for kernels in both()]
    assert packed[0] == packed[1]
    for kernels in both():
        assert np.array_equal(Packing(kernels).unpack(packed[0]), carried(rows))


@given(arrays(np.int64, st.tuples(st.integers(1, 12), st.just(PACKET_SIZE)), elements=INT64), st.integers(1, 500))
def test_both_directions_of_a_connection_are_in_one_partition(rows: Column, count: int) -> None:
    back = rows.copy()
    for one, other in ((SRC_HI, DST_HI), (SRC_LO, DST_LO), (SPORT, DPORT)):
        back[:, one], back[:, other] = rows[:, other], rows[:, one]
    found = []
    for kernels in both():
        for some in (rows, back):
            flat = kernels.adopt(some.ravel().tolist())
            found.append(Packing(kernels).partitions_of(flat, len(some), count))
    assert all(np.array_equal(found[0], one) for one in found)
    assert ((found[0] >= 0) & (found[0] < count)).all()


def test_other_bytes_are_not_believed(compiled: Kernels) -> None:
    """Each byte of a block changed: other packets, or an error, and nothing is read or written beside the tables."""
    rows = packets_of(ROOT / "captures" / "dead-peer" / "capture.pcap", compiled)
    packed, packing = Packing(compiled).pack(rows), Packing(compiled)
    refused = 0
    for place in range(len(packed)):
        for value in (0, 1, 0xFF, packed[place] ^ 0x10):
            other = packed[:place] + bytes((value,)) + packed[place + 1 :]
            try:
                assert packing.unpack(other).shape == rows.shape
            except ValueError:
                refused += 1
    assert refused > len(packed)


def bulk(packets: int, connections: int, seed: int) -> Column:
    """Segments of some connections that send as fast as they can, and an ACK for every other one."""
    dice = random.Random(seed)
    rows = np.zeros((packets, PACKET_SIZE), np.int64)
    time = 1_800_000_000_000_000_000
    sent = [dice.getrandbits(31) for _ in range(connections)]
    ids = [dice.getrandbits(15) for _ in range(connections)]
    for number in range(packets):
        time += dice.randrange(1_000, 40_000) // 1000 * 1000
        which = min(int(dice.expovariate(3) * connections), connections - 1)
        here, there = 0xFFFF_0A00_0001, 0xFFFF_0A00_0100 + which
        back = number % 3 == 2
        ends = (there, here) if back else (here, there)
        ports = (5001, 40_000 + which) if back else (40_000 + which, 5001)
        stamp = time // 1_000_000 & 0xFFFFFFFF
        seq, ack, length = (7, sent[which], 0) if back else (sent[which], 7, 1448)
        ids[which] += not back
        rows[number] = (
            0, number + 1, time, 0, ends[0], 0, ends[1], *ports, seq, ack, 0x10 if back else 0x18, length,
            dice.randrange(500, 520), 64, 0 if back else ids[which] & 0xFFFF, stamp, stamp - 11, 1, 0, 0,
            -1 if back else dice.randrange(256), 0, 0, 0, 0,
        )  # fmt: skip
        sent[which] = sent[which] + length & 0xFFFFFFFF
    return rows


def test_bulk_data_takes_few_bytes(compiled: Kernels) -> None:
    rows = bulk(50_000, 40, 3)
    packing = Packing(compiled)
    packed = packing.pack(rows)
    assert np.array_equal(packing.unpack(packed), rows)
    assert len(packed) / len(rows) < BULK_OCTETS


def test_idle_connections_take_a_bounded_number_of_bytes(compiled: Kernels) -> None:
    parts = [packets_of(path, compiled) for path in sorted(ROOT.glob("captures/*/capture*.pcap*"))]
    packed = sum(len(Packing(compiled).pack(rows)) for rows in parts if len(rows))
    assert packed / sum(map(len, parts)) < IDLE_OCTETS
