"""What is kept of a capture to be compared with others: its first packets, and a sample of all of them.

A sample must hold the same packets of two captures of one traffic, so that what a packet says decides whether it is in
(N. Duffield, M. Grossglauser, Trajectory Sampling for Direct Traffic Observation, SIGCOMM 2000).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analyzer.capture import open_capture
from analyzer.kernels import plain
from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Packets
from analyzer.pipeline.lane import Lane
from analyzer.tables.arrays import Column
from analyzer.tables.fields import (
    ACKNO,
    DPORT,
    DST_HI,
    DST_LO,
    FLAGS,
    IP_ID,
    KIND,
    LEN,
    PACKET_SIZE,
    SEQ,
    SPORT,
    SRC_HI,
    SRC_LO,
    TIME,
    TSECR,
    TSVAL,
)

# What two captures of one packet agree in, whatever routers did to it; the addresses come first.
WHO = (SRC_HI, SRC_LO, SPORT, DST_HI, DST_LO, DPORT)
LASTING = (*WHO, SEQ, ACKNO, FLAGS, LEN, IP_ID, TSVAL, TSECR)
SAMPLED = (*LASTING, TIME)
AT = {field: place for place, field in enumerate(SAMPLED)}
# Packets that are kept of all captures together (8 MB), and of each at least: more captures, sparser samples.
KEPT = 1 << 16
KEPT_OF_EACH = 256
KEPT_AT_MOST = 1 << 13  # of one, of however few
PEEKED = 3200  # packets at the start of all files together that are compared before anything is read
PEEKED_OF_EACH = 400
# Odd numbers below 2**31 that mix what makes a packet distinct into 32 bits (Knuth, TAOCP 6.4).
MIX_SEQ, MIX_ACK, MIX_TSVAL = 0x9E3779B1 >> 1 | 1, 0x85EBCA6B >> 1 | 1, 0xC2B2AE35 >> 1 | 1
MIX_SUM = 0x045D9F3B  # odd, and its product with 32 bits is within 63
MASK_32 = 0xFFFFFFFF
EVERYTHING = 1 << 32


class Sample:
    """Packets of one capture: all of them as long as they are few, then ever sparser ones, chosen by what they say."""

    def __init__(self, index: int, room: int) -> None:
        self.index = index
        self.below = EVERYTHING  # a packet is in whose key is below this
        self.goes_on = False  # the capture holds more than was looked at
        self._room = room
        self._parts: list[Any] = []
        self._size = 0

    @classmethod
    def of(cls, index: int, rows: Column, below: int = EVERYTHING, *, goes_on: bool = False) -> Sample:
        """A sample that was taken before: these are its rows."""
        made = cls(index, max(len(rows), 1))
        made.below, made.goes_on, made._parts, made._size = below, goes_on, [rows], len(rows)
        return made

    def take(self, packets: Packets) -> None:
        """Keep what belongs in of this batch."""
        if not packets.size:
            return
        if isinstance(packets.rows, list):
            self._add(self._chosen_of_list(packets.rows, packets.size))
            return
        table = np.asarray(packets.rows)[: packets.size * PACKET_SIZE].reshape(-1, PACKET_SIZE)
        chosen = table[:, KIND] == 0
        if self.below < EVERYTHING:
            chosen &= keys(table[:, SEQ], table[:, ACKNO], table[:, TSVAL]) < self.below
        self._add(table[np.ix_(np.flatnonzero(chosen), np.array(SAMPLED))])

    def rows(self) -> Column:
        """What is kept, in columns as of SAMPLED, in the order in which it was captured."""
        parts = [np.array(part, np.int64).reshape(-1, len(SAMPLED)) for part in self._parts]
        whole: Column = np.concatenate(parts) if parts else np.zeros((0, len(SAMPLED)), np.int64)
        self._parts = [whole]
        return whole

    def _chosen_of_list(self, rows: Any, size: int) -> list[list[int]]:
        chosen = []
        for row in range(0, size * PACKET_SIZE, PACKET_SIZE):
            if rows[row + KIND] == 0:
                key = rows[row + SEQ] * MIX_SEQ + rows[row + ACKNO] * MIX_ACK + rows[row + TSVAL] * MIX_TSVAL
                if _spread(key) < self.below:
                    chosen.append([rows[row + field] for field in SAMPLED])
        return chosen

    def _add(self, part: Any) -> None:
        if not len(part):
            return
        self._parts.append(part)
        self._size += len(part)
        self.thin(self._room)

    def thin(self, room: int) -> None:
        """Keep no more than so many packets: those that would have been kept, had there been no more room at first."""
        self._room = room
        while self._size > self._room and self.below > 1:
            self.below >>= 1
            rows = self.rows()
            self._parts = [rows[keys(rows[:, AT[SEQ]], rows[:, AT[ACKNO]], rows[:, AT[TSVAL]]) < self.below]]
            self._size = len(self._parts[0])


def room_of_each(captures: int) -> int:
    """How many packets are kept of each of so many captures."""
    return max(min(KEPT // captures, KEPT_AT_MOST), KEPT_OF_EACH)


def keys(seq: Column, ackno: Column, tsval: Column) -> Column:
    """A number below 2**32 for each packet that is the same wherever it was captured."""
    with np.errstate(over="ignore"):
        return np.asarray(_spread(seq * MIX_SEQ + ackno * MIX_ACK + tsval * MIX_TSVAL))


def _spread(key: Any) -> Any:
    """A sum of products, or a column of them, as 32 bits of which the high ones depend on all.

    Sums alone move on evenly with the timestamps of probes at an even pace: all of one end's probes would be in, or
    none, and a clock that packets of one direction set is wrong by their way.
    """
    key = key & MASK_32
    key = (key ^ key >> 16) * MIX_SUM & MASK_32
    return key ^ key >> 15


@dataclass
class Peek:
    """The start of one capture."""

    index: int
    path: str
    start: int  # nanoseconds, by its own clock
    sample: Sample


def peek(index: int, path: str, packets: int) -> tuple[Peek, CaptureFacts]:
    """Look at the first packets of a capture; one without any begins before everything.

    Raises CaptureError when it cannot be read as a capture.
    """
    kernels = plain()
    reader = open_capture(path, kernels, batch=packets)
    lane = Lane(index, reader, kernels, split_tunnels=False)
    sample = lane.sample = Sample(index, KEPT)
    # As many frames as that, whether they came at once or, as what is unpacked does, in pieces.
    while reader.facts.packets < packets and lane.advance():
        reader.shorten(packets - reader.facts.packets)
    sample.goes_on = reader.facts.packets >= packets
    reader.close()
    return Peek(index, path, reader.facts.first_time or 0, sample), reader.facts
