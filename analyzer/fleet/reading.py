"""One capture read where it lies: its packets become a parcel. A worker does this; done twice it does the same."""

from __future__ import annotations

import contextlib
import re
import time
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from analyzer.capture import Source, open_capture
from analyzer.errors import CaptureError
from analyzer.fleet.folder import Folder
from analyzer.fleet.packing import Packing
from analyzer.fleet.parcels import Beside, Manner, Packer, Parcel, name_of
from analyzer.fleet.places import Found, look_again
from analyzer.fleet.streaming import STALLED_S, Unopened, open_stream, within
from analyzer.kernels import plain, ready
from analyzer.model.captures import CaptureFacts, Problem
from analyzer.model.columns import Records
from analyzer.pipeline.lane import Lane
from analyzer.pipeline.same_traffic.samples import KEPT_AT_MOST, PEEKED_OF_EACH, SAMPLED, Sample
from analyzer.tables.arrays import Column
from analyzer.tables.fields import FRAME, KIND, NEVER, PACKET_SIZE, RECORD_SIZE, RECORD_TIME, TIME

TRIES = 3  # of a store that fails
WAIT_S = 1.0  # before the second, and twice as long before the third
# Packets of a partition in a block: more hardly pack better. No power of two, lest the columns of a block, which are
# filled side by side, share a few lines of the processor's cache.
BLOCK = 30_000
LARGER = 4  # batches of the decoder: what is done per batch here takes longer than decoding it
# A file that is called so is meant to be a capture, whatever is in it.
CAPTURE = re.compile(r"\.(pcap|pcapng|cap|snoop|dmp)\d*(\.(gz|zst|lz4|xz|bz2))?$", re.IGNORECASE)
NO_CAPTURE = re.compile(r"^(the file is empty|only \d+ bytes|no capture of a known format)")


class Task(NamedTuple):
    """How captures are read: alike in one scan."""

    folder: Folder
    manner: Manner
    held: int  # packets of all partitions that wait for their blocks to be full
    stalled: float = STALLED_S


def read_capture(task: Task, found: Found) -> Parcel:
    """Read a capture, write its parcel, and return what is in that.

    What cannot be read is a problem of the capture, as anywhere: nothing is raised for it. A store that fails is asked
    again.
    """
    for attempt in range(1, TRIES + 1):
        reading = _Reading(task, found)
        parcel = reading.read()
        if not parcel.failed or reading.final or attempt == TRIES:
            break
        time.sleep(WAIT_S * 2 ** (attempt - 1))
    return parcel


def empty_parcel(task: Task, found: Found, reason: str) -> Parcel:
    """The parcel of a capture that nobody could read, for this reason; written, and read anew by the next scan."""
    facts = CaptureFacts(found.address, problems=[Problem(0, reason)])
    with task.folder.written(name_of(found.address)) as out:
        return Packer(out).finish(Parcel(found, task.manner, facts, failed=True))


class _Reading:
    """A capture on its way into a parcel."""

    def __init__(self, task: Task, found: Found) -> None:
        self.final = False  # to try again changes nothing
        self._task, self._found = task, found
        self._facts = CaptureFacts(found.address)
        self._failed = self._other = False
        self._block = max(min(BLOCK, task.held // task.manner.partitions), 1)
        self._waiting: list[Column] = [np.empty((0, PACKET_SIZE), np.int64)] * task.manner.partitions
        self._sizes = [0] * task.manner.partitions
        self._sample = Sample(0, KEPT_AT_MOST)
        self._beginning = [np.zeros((0, len(SAMPLED) + 1), np.int64)]
        self._times = [np.zeros((0, 2), np.int64)]
        self._late = [np.zeros((0, 2), np.int64)]
        self._latest = NEVER

    def read(self) -> Parcel:
        """Read it to its end, or as far as can be, and write its parcel."""
        began = time.monotonic()
        with self._task.folder.written(name_of(self._found.address)) as out:
            packer = Packer(out)
            self._read_into(packer)
            tables = (self._beginning, self._times, [self._sample.rows()], self._late)
            beside = Beside(*(packer.keep(np.concatenate(parts)) for parts in tables))
            what = (self._found, self._task.manner, self._facts, (), beside, self._sample.below)
            return packer.finish(Parcel(*what, self._failed, self._other, time.monotonic() - began))

    def _read_into(self, packer: Packer) -> None:
        try:
            stream = open_stream(self._found.address, self._task.stalled)
        except Unopened as error:
            self._facts.problems.append(Problem(0, error.reason))
            self._failed, self.final = True, error.final
            return
        source = Source(self._found.address, stream)
        with contextlib.closing(source):
            try:
                self._decode(source, packer)
            except CaptureError as error:
                self._facts.problems.append(Problem(error.offset, error.reason))
                self._other = self._is_other(error.reason) and not source.failed
        self._failed = source.failed
        self._note_change()

    def _is_other(self, reason: str) -> bool:
        """Whether it is no capture, and neither its name nor whoever named it says that it is one."""
        return not self._found.named and not CAPTURE.search(self._found.address) and bool(NO_CAPTURE.match(reason))

    def _decode(self, source: Source, packer: Packer) -> None:
        kernels = ready() or plain()
        packing, manner = Packing(kernels), self._task.manner
        reader = open_capture(self._found.address, kernels, source=source, larger=LARGER)
        self._facts = reader.facts
        lane = Lane(0, reader, kernels, manner.split_tunnels)
        lane.sample, lane.keep = self._sample, self._note_times
        while lane.advance():
            size = lane.packets.size
            if size:
                rows = _as_table(lane.packets.rows, size)
                self._note(rows)
                partitions = packing.partitions_of(lane.packets.rows, size, manner.partitions)
                self._take(rows, partitions, packing, packer, lane.horizon)
        for partition in range(manner.partitions):
            self._pack(partition, packing, packer, lane.horizon)

    def _note_times(self, records: Records) -> None:
        """Note when the first frames were captured."""
        if records.first_frame <= PEEKED_OF_EACH and records.size:
            flat = np.asarray(records.rows, np.int64)[: records.size * RECORD_SIZE]
            frames = records.first_frame + np.arange(records.size)
            first = frames <= PEEKED_OF_EACH
            self._times.append(np.stack([frames, flat[RECORD_TIME::RECORD_SIZE]], axis=1)[first])

    def _note(self, rows: Column) -> None:
        """Note the first packets, and those that are older than one before them."""
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

    def _take(self, rows: Column, partitions: Column, packing: Packing, packer: Packer, horizon: int) -> None:
        """Put packets to their partitions."""
        order = np.argsort(partitions.astype(np.uint16), kind="stable")  # of 16 bits numpy sorts by counting
        ends = np.cumsum(np.bincount(partitions, minlength=self._task.manner.partitions)).tolist()
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
                    self._pack(partition, packing, packer, horizon)

    def _larger(self, table: Column, rows: int) -> Column:
        larger = np.empty((min(max(2 * len(table), rows), self._block), PACKET_SIZE), np.int64)
        larger[: len(table)] = table
        return larger

    def _pack(self, partition: int, packing: Packing, packer: Packer, horizon: int) -> None:
        size, self._sizes[partition] = self._sizes[partition], 0
        if size:
            packer.add(partition, packing.pack(self._waiting[partition][:size]), size, horizon)

    def _note_change(self) -> None:
        """A capture that is written to, or removed, while it is read: what came too late waits for the next scan."""
        before = self._found
        try:
            now = within(self._task.stalled, lambda: look_again(before))
        except OSError:
            return  # what it was when it was listed is what the next scan compares
        if now is None:
            self._facts.problems.append(Problem(before.size, "it vanished while it was read"))
        elif (now.stamp, now.size) != (before.stamp, before.size):
            reason = f"it changed while it was read, from {before.size:,} to {now.size:,} bytes: scan again"
            self._facts.problems.append(Problem(before.size, reason))


def _as_table(rows: Any, size: int) -> Column:
    """Packets as an array: of compiled kernels the same memory."""
    flat = np.asarray(rows, np.int64)[: size * PACKET_SIZE]
    return np.asarray(flat).reshape(-1, PACKET_SIZE)
