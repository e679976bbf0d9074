"""One partition tracked: packets of its connections from all captures, in order of time, by the usual tracker."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from analyzer.fleet.folder import Folder
from analyzer.fleet.packing import Packing, fill
from analyzer.fleet.parcels import Block, Damaged, Place, read_block, read_table
from analyzer.fleet.tables import read_tables, write_tables
from analyzer.kernels import Kernels, plain, ready
from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Packets, Tracks
from analyzer.pipeline.merging import Merging
from analyzer.tables.arrays import Column
from analyzer.tables.fields import FRAME, HASH, NEVER, PACKET_SIZE, TIME, TUNNEL, TUNNEL_SPLIT, WORLD
from analyzer.tables.frames import in_file
from analyzer.track import Tracker

TRACKS = "tracks"


class Blocks(NamedTuple):
    """What one capture holds of a partition, and what is known of that capture."""

    file: int  # its index
    name: str  # of its parcel
    start: int  # by its own clock
    shift: int  # nanoseconds that its clock is ahead
    world: int
    late: Place
    blocks: tuple[Block, ...]


class Partition(NamedTuple):
    """What is to be tracked together."""

    number: int
    folder: Folder
    captures: tuple[Blocks, ...]
    files: int  # in the whole scan
    same_traffic: bool


class Tracked(NamedTuple):
    """The tables of a partition's connections, and of each capture: duplicates, those shared."""

    tracks: Tracks
    copies: Column


class Done(NamedTuple):
    """A partition that was tracked: the file that says what came of it; or a parcel that is damaged."""

    name: str = ""
    damaged: str = ""


def track_partition(partition: Partition) -> Done:
    """Track it, and write what came of it."""
    kernels = ready() or plain()
    tracker = Tracker(kernels, files=partition.files, same_traffic=partition.same_traffic)
    try:
        for packets in Merging(kernels, _Waiting(partition, kernels)).batches():
            tracker.feed(packets)
    except Damaged as error:
        return Done(damaged=str(error))
    counted = [CaptureFacts("") for _ in range(partition.files)]
    tracker.note_copies(counted)
    copies = np.array([(facts.duplicates, facts.shared) for facts in counted], np.int64)
    name = f"{TRACKS}/{partition.number:05}.tracks"
    write_tracked(partition.folder, name, Tracked(tracker.living(), copies))
    return Done(name)


def read_tracked(folder: Folder, name: str) -> Tracked:
    """What came of tracking a partition."""
    flows, probes, events, copies = read_tables(folder, name)
    return Tracked(Tracks(flows, probes, events), copies)


def write_tracked(folder: Folder, name: str, tracked: Tracked) -> None:
    """Keep what came of tracking, without what depends on chance: by which hashes connections were found."""
    flows = tracked.tracks.flows.copy()
    flows[:, HASH] = 0
    write_tables(folder, name, flows, tracked.tracks.probes, tracked.tracks.events, tracked.copies)


def latest_of(late: Column, numbers: Column, times: Column) -> Column:
    """When frames of a capture came, by `late` as in a parcel: one that is older than another before it, with that."""
    latest = times.copy()
    if len(late):
        place = np.minimum(np.searchsorted(late[:, 0], numbers), len(late) - 1)
        known = late[place, 0] == numbers
        latest[known] = late[place[known], 1]
    return latest


class _Waiting:
    """Captures whose blocks of this partition have not been read, in order of their beginnings."""

    def __init__(self, partition: Partition, kernels: Kernels) -> None:
        self._folder, self._kernels = partition.folder, kernels
        self._packing = Packing(kernels)
        self._captures = deque(sorted(partition.captures, key=_by_start))

    def next_is_due(self, horizon: int | None) -> bool:
        """Whether a capture begins before the end of what is at hand, or at all where nothing is."""
        if not self._captures or horizon is None:
            return bool(self._captures)
        return _by_start(self._captures[0])[0] <= horizon

    def open_next(self) -> _Lane:
        """The one that begins first."""
        return _Lane(self._folder, self._captures.popleft(), self._kernels, self._packing)

    def has_ended(self, lane: _Lane) -> None:
        """Nothing is to be done."""


def _by_start(capture: Blocks) -> tuple[int, int]:
    return capture.start - capture.shift, capture.file


class _Lane:
    """What one capture holds of a partition: some at a time, none of which is older than one of its file before it.

    A packet that is older comes as late as the latest before it. Where that one is of another partition, the packets
    of a block are handed out in parts, and `latest` is raised between them.
    """

    def __init__(self, folder: Folder, capture: Blocks, kernels: Kernels, packing: Packing) -> None:
        self.index, self.shift = capture.file, capture.shift
        self.latest = NEVER
        self.packets = Packets((), 0)
        self.row = 0
        self.horizon = NEVER
        self._folder, self._capture, self._packing = folder, capture, packing
        self._kernels, self._table = kernels, kernels.ints(0)
        self._blocks = deque(capture.blocks)
        self._late = read_table(folder, capture.name, capture.late, 2)
        self._rows = np.zeros((0, PACKET_SIZE), np.int64)
        self._parts: deque[tuple[int, int, int]] = deque()  # from which row to which, not before which time

    def advance(self) -> bool:
        """Have the next packets; False when there are none."""
        self.row = 0
        if not self._parts and not self._read_block():
            self.packets = Packets((), 0)
            return False
        start, stop, since = self._parts.popleft()
        if since != NEVER:
            self.latest = max(self.latest, since - self.shift)
        rows = self._rows[start:stop]
        self.packets = Packets(self._filled(rows), len(rows))
        return True

    def _read_block(self) -> bool:
        if not self._blocks:
            return False
        block = self._blocks.popleft()
        try:
            rows = self._packing.unpack(read_block(self._folder, self._capture.name, block))
        except ValueError as error:
            raise Damaged(self._capture.name) from error
        self._parts.extend(self._in_parts(rows))
        rows[:, FRAME] += in_file(self.index)
        if self._capture.world:
            rows[:, TUNNEL] |= TUNNEL_SPLIT | self._capture.world << WORLD
        self._rows = rows
        self.horizon = block.horizon - self.shift
        return True

    def _in_parts(self, rows: Column) -> list[tuple[int, int, int]]:
        times = rows[:, TIME]
        latest = latest_of(self._late, rows[:, FRAME], times)
        later = np.ones(len(rows), bool)
        later[1:] = latest[1:] > latest[:-1]
        raised = latest > times
        starts = np.flatnonzero(later & raised).tolist()
        if not starts or starts[0]:
            starts.insert(0, 0)
        since = np.where(raised, latest, NEVER).tolist()
        return [(start, stop, since[start]) for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True)]

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._kernels, self._table = kernels, kernels.ints(0)

    def _filled(self, rows: Column) -> Any:
        """A flat table as these kernels read it, which the next packets overwrite."""
        if len(self._table) < rows.size:
            self._table = self._kernels.ints(rows.size)
        return fill(self._kernels, self._table, rows)
