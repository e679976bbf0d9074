"""One capture read where it lies: its packets become a parcel. A worker does this; done twice it does the same."""

from __future__ import annotations

import contextlib
import time
from itertools import pairwise
from typing import IO, Any, NamedTuple

import numpy as np

from analyzer.capture import Source, open_capture
from analyzer.errors import CaptureError
from analyzer.fleet.packing import Packing
from analyzer.fleet.parcels import Packer, Parcel, name_of
from analyzer.fleet.places import STALLED_S, Folder, Found, Streamed, look_again, open_stream
from analyzer.kernels import plain, ready
from analyzer.model.captures import CaptureFacts, Problem
from analyzer.pipeline.lane import Lane
from analyzer.pipeline.same_traffic.samples import PEEKED_OF_EACH, SAMPLED, Sample
from analyzer.tables.arrays import Column
from analyzer.tables.fields import FRAME, KIND, NEVER, PACKET_SIZE, TIME

TRIES = 3  # of a store that fails
WAIT_S = 1.0  # before the second, and twice as long before the third
# Packets of a partition in a block: more hardly pack better. No power of two, lest the columns of a block, which are
# filled side by side, share a few lines of the processor's cache.
BLOCK = 30_000
LARGER = 4  # batches of the decoder: what is done per batch here takes longer than decoding it


class Task(NamedTuple):
    """How captures are read: alike in one scan."""

    folder: Folder
    partitions: int
    room: int  # packets of the sample
    held: int  # packets of all partitions that wait for their blocks to be full
    split_tunnels: bool = False
    stalled: float = STALLED_S


def read_capture(task: Task, found: Found) -> Parcel:
    """Read a capture, write its parcel, and return what is in that.

    What cannot be read is a problem of the capture, as anywhere: nothing is raised for it. A store that fails is asked
    again.
    """
    for attempt in range(1, TRIES + 1):
        parcel = _attempt(task, found)
        if not parcel.failed or attempt == TRIES:
            break
        time.sleep(WAIT_S * 2 ** (attempt - 1))
    return parcel


def empty_parcel(task: Task, found: Found, reason: str) -> Parcel:
    """The parcel of a capture that nobody could read, for this reason; written, and read anew by the next scan."""
    with task.folder.written(name_of(found.address)) as out:
        reading = _Reading(task, found, out)
        reading.fail(reason)
        return reading.finish(0.0)


def _attempt(task: Task, found: Found) -> Parcel:
    began = time.monotonic()
    with task.folder.written(name_of(found.address)) as out:
        reading = _Reading(task, found, out)
        reading.read()
        return reading.finish(time.monotonic() - began)


class _Reading:
    """A capture on its way into a parcel."""

    def __init__(self, task: Task, found: Found, out: IO[bytes]) -> None:
        self._task, self._found = task, found
        self._packer = Packer(out)
        self._facts = CaptureFacts(found.address)
        self._stream: Streamed | None = None
        self._failed = self._other = False
        self._block = max(min(BLOCK, task.held // task.partitions), 1)
        self._waiting: list[Column] = [np.empty((0, PACKET_SIZE), np.int64)] * task.partitions
        self._sizes = [0] * task.partitions
        self._sample = Sample(0, task.room)
        self._beginning: list[Column] = []
        self._latest = NEVER
        self._late: list[Column] = []

    def read(self) -> None:
        """Read it to its end, or as far as can be."""
        try:
            self._stream = open_stream(self._found.address, self._task.stalled)
        except CaptureError as error:
            self.fail(error.reason)
            return
        with contextlib.closing(self._stream):
            try:
                self._read(self._stream)
            except CaptureError as error:
                self._facts.problems.append(Problem(error.offset, error.reason))
                self._other = not self._found.named and not self._stream.failed
            self._failed = self._stream.failed
        self._note_change()

    def fail(self, reason: str) -> None:
        """Note that it cannot be read."""
        self._facts.problems.append(Problem(0, reason))
        self._failed = True

    def _read(self, stream: Streamed) -> None:
        kernels = ready() or plain()
        packing = Packing(kernels)
        source = Source(self._found.address, stream)
        reader = open_capture(self._found.address, kernels, source=source, larger=LARGER)
        self._facts = reader.facts
        lane = Lane(0, reader, kernels, self._task.split_tunnels)
        lane.sample = self._sample
        while lane.advance():
            size = lane.packets.size
            if size:
                rows = _as_table(lane.packets.rows, size)
                self._note(rows)
                self._take(
                    rows, packing.partitions_of(lane.packets.rows, size, self._task.partitions), packing, lane.horizon
                )
        for partition in range(self._task.partitions):
            self._pack(partition, packing, lane.horizon)

    def _note(self, rows: Column) -> None:
        """Put packets into the tables that tell of the capture."""
        if rows[0, FRAME] <= PEEKED_OF_EACH:
            first = rows[(rows[:, FRAME] <= PEEKED_OF_EACH) & (rows[:, KIND] == 0)]
            self._beginning.append(first[:, [*SAMPLED, FRAME]])
        times = rows[:, TIME]
        latest = np.maximum.accumulate(times)
        np.maximum(latest, self._latest, out=latest)
        self._latest = int(latest[-1])
        late = latest > times
        if late.any():
            self._late.append(np.stack([rows[late, FRAME], latest[late]], axis=1))

    def _take(self, rows: Column, partitions: Column, packing: Packing, horizon: int) -> None:
        """Put packets to their partitions."""
        order = np.argsort(partitions.astype(np.uint16), kind="stable")  # of 16 bits numpy sorts by counting
        ends = np.cumsum(np.bincount(partitions, minlength=self._task.partitions)).tolist()
        for partition, (begin, end) in enumerate(pairwise([0, *ends])):
            while begin < end:
                filled = self._sizes[partition]
                count = min(end - begin, self._block - filled)
                if filled + count > len(self._waiting[partition]):
                    self._waiting[partition] = self._larger(self._waiting[partition], filled + count)
                rows.take(order[begin : begin + count], axis=0, out=self._waiting[partition][filled : filled + count])
                self._sizes[partition] = filled + count
                begin += count
                if self._sizes[partition] == self._block:
                    self._pack(partition, packing, horizon)

    def _larger(self, table: Column, rows: int) -> Column:
        larger = np.empty((min(max(2 * len(table), rows), self._block), PACKET_SIZE), np.int64)
        larger[: len(table)] = table
        return larger

    def _pack(self, partition: int, packing: Packing, horizon: int) -> None:
        size, self._sizes[partition] = self._sizes[partition], 0
        if size:
            self._packer.add(partition, packing.pack(self._waiting[partition][:size]), size, horizon)

    def _note_change(self) -> None:
        """A capture that is written to, or removed, while it is read: what came too late waits for the next scan."""
        now = look_again(self._found)
        if now is None:
            self._facts.problems.append(Problem(self._found.size, "it vanished while it was read"))
        elif now.stamp != self._found.stamp or now.size != self._found.size:
            reason = f"it changed while it was read, from {self._found.size:,} to {now.size:,} bytes: scan again"
            self._facts.problems.append(Problem(self._found.size, reason))

    def finish(self, seconds: float) -> Parcel:
        """Write what is beside the packets."""
        none = np.zeros((0, len(SAMPLED) + 1), np.int64)
        keep = self._packer.keep
        kept = (
            keep(np.concatenate([none, *self._beginning])),
            keep(self._sample.rows()),
            keep(np.concatenate([none[:, :2], *self._late])),
        )
        below = self._sample.below
        return self._packer.finish(
            self._found, self._facts, kept, below, failed=self._failed, other=self._other, seconds=seconds
        )


def _as_table(rows: Any, size: int) -> Column:
    """Packets as an array: of compiled kernels the same memory."""
    flat = np.asarray(rows, np.int64)[: size * PACKET_SIZE]
    return np.asarray(flat).reshape(-1, PACKET_SIZE)
