"""What a frame is among the segments of its connection: a second copy, or what its two ends had sent before it.

For `crosscheck`, which reads a capture a second time to give reasons.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np

from analyzer.kernels.arithmetic import seq_diff
from analyzer.model.second_reading import SecondReading
from analyzer.tables.fields import (
    ACKNO,
    DPORT,
    DST_HI,
    DST_LO,
    FLAGS,
    FRAME,
    KIND,
    LEN,
    SEQ,
    SPORT,
    SRC_HI,
    SRC_LO,
    STREAM,
    TIME,
)
from analyzer.tcp import ACK, FIN, SYN

WRAP = 1 << 32
# Of each sender the last segments that took numbers: what repeats a number comes soon after, or long after all else.
KEPT = 64


class Before(NamedTuple):
    """What was captured before a frame; times in nanoseconds."""

    copy: bool = False  # we take it for a second copy of a packet
    first: bool = False  # its sender has not sent beyond its number yet, as far as the capture shows
    acknowledged: bool = False  # the other end has acknowledged its number
    took_number: int | None = None  # how long ago its sender sent data or a FIN with this number
    by_fin: bool = False  # that was a FIN


COPY = Before(copy=True)


class _Sender:
    """What one end of a connection has sent so far."""

    def __init__(self) -> None:
        self.end: int | None = None
        self.acked: int | None = None  # by the other end
        self.taken: deque[tuple[int, int, int, bool]] = deque(maxlen=KEPT)  # first number, how many, when, with FIN


def look_before(again: SecondReading, connections: int, frames: Collection[int]) -> dict[int, Before]:
    """The surroundings of these frames, of a capture with so many connections; those of no connection are left out."""
    found = dict.fromkeys(frames, COPY)  # what is read of connections holds no second copies
    for row in _rows(again, connections):
        x, y = row.sender, row.receiver
        if row.frame in found:
            found[row.frame] = _before(x, row)
        _note(x, y, row)
    return found


class _Row(NamedTuple):
    frame: int
    time: int
    seq: int
    ack: int
    flags: int
    length: int
    sender: _Sender
    receiver: _Sender


COLUMNS = (STREAM, SRC_HI, SRC_LO, SPORT, DST_HI, DST_LO, DPORT, FRAME, TIME, SEQ, ACKNO, FLAGS, LEN)


def _rows(again: SecondReading, connections: int) -> Iterable[_Row]:
    senders: dict[tuple[int, ...], _Sender] = {}
    for batch in again.batches(np.arange(connections)):
        for stream, *row in batch.rows[batch.rows[:, KIND] == 0][:, COLUMNS].tolist():
            source, target = (stream, *row[:3]), (stream, *row[3:6])
            x, y = senders.setdefault(source, _Sender()), senders.setdefault(target, _Sender())
            frame, time, seq, ack, flags, length = row[6:]
            yield _Row(frame, time, seq, ack, flags, length, x, y)


def _before(x: _Sender, row: _Row) -> Before:
    since, by_fin = None, False
    for first, count, time, with_fin in x.taken:
        place = seq_diff(row.seq, first)
        if 0 <= place < count:
            since, by_fin = row.time - time, with_fin and place == count - 1
    return Before(
        first=x.end is None or seq_diff(x.end, row.seq) <= 0,
        acknowledged=x.acked is not None and seq_diff(x.acked, row.seq) > 0,
        took_number=since,
        by_fin=by_fin,
    )


def _note(x: _Sender, y: _Sender, row: _Row) -> None:
    count = row.length + (row.flags & SYN != 0) + (row.flags & FIN != 0)
    end = (row.seq + count) % WRAP
    if x.end is None or seq_diff(end, x.end) > 0:
        x.end = end
        if count:
            x.taken.append((row.seq, count, row.time, row.flags & FIN != 0))
    if row.flags & ACK and (y.acked is None or seq_diff(row.ack, y.acked) > 0):
        y.acked = row.ack
