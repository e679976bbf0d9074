"""One partition tracked: packets of its connections from all captures, in order of time, by the usual tracker."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from analyzer.errors import UsageError
from analyzer.fleet.packing import Packing
from analyzer.fleet.parcels import Block, read_block, read_tables, write_tables
from analyzer.fleet.places import Folder
from analyzer.kernels import Kernels, plain, ready
from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Packets, Tracks
from analyzer.pipeline.merging import Merging
from analyzer.tables.arrays import Column
from analyzer.tables.fields import FRAME, NEVER, TUNNEL, TUNNEL_SPLIT, WORLD
from analyzer.tables.frames import in_file
from analyzer.track import Tracker


class Blocks(NamedTuple):
    """What one capture holds of a partition, and what is known of that capture."""

    file: int  # its index
    name: str  # of its parcel
    start: int  # by its own clock
    shift: int  # nanoseconds that its clock is ahead
    world: int
    blocks: tuple[Block, ...]


class Partition(NamedTuple):
    """What is to be tracked together."""

    number: int
    folder: Folder
    captures: tuple[Blocks, ...]
    files: int  # in the whole scan
    same_traffic: bool
    disorder: int


class Tracked(NamedTuple):
    """The tables of a partition's connections, and of each capture: duplicates, those shared."""

    tracks: Tracks
    copies: Column


def track_partition(partition: Partition) -> str:
    """Track it, and write what came of it; return the name of that file."""
    kernels = ready() or plain()
    tracker = Tracker(kernels, files=partition.files, same_traffic=partition.same_traffic)
    for packets in Merging(kernels, _Waiting(partition, kernels)).batches():
        tracker.feed(packets)
    name = f"tracks/{partition.number:05}.tracks"
    counted = [CaptureFacts("") for _ in range(partition.files)]
    tracker.note_copies(counted)
    copies = np.array([(facts.duplicates, facts.shared) for facts in counted], np.int64)
    write_tracked(partition.folder, name, Tracked(tracker.living(), copies))
    return name


def read_tracked(folder: Folder, name: str) -> Tracked:
    """What came of tracking a partition."""
    flows, probes, events, copies = read_tables(folder, name)
    return Tracked(Tracks(flows, probes, events), copies)


def write_tracked(folder: Folder, name: str, tracked: Tracked) -> None:
    """Keep what came of tracking."""
    write_tables(folder, name, *tracked.tracks, tracked.copies)


class _Waiting:
    """Captures whose blocks of this partition have not been read, in order of their beginnings."""

    def __init__(self, partition: Partition, kernels: Kernels) -> None:
        self._folder, self._kernels, self._disorder = partition.folder, kernels, partition.disorder
        self._packing = Packing(kernels)
        self._captures = deque(sorted(partition.captures, key=_start_of))

    def next_is_due(self, horizon: int | None) -> bool:
        """Whether a capture begins before the end of what is at hand, or at all where nothing is."""
        if not self._captures or horizon is None:
            return bool(self._captures)
        return _start_of(self._captures[0]) <= horizon - self._disorder

    def open_next(self) -> _Lane:
        """The one that begins first."""
        return _Lane(self._folder, self._captures.popleft(), self._kernels, self._packing)

    def has_ended(self, lane: _Lane) -> None:
        """Nothing is to be done."""


def _start_of(capture: Blocks) -> int:
    return capture.start - capture.shift


class _Lane:
    """What one capture holds of a partition, block by block."""

    def __init__(self, folder: Folder, capture: Blocks, kernels: Kernels, packing: Packing) -> None:
        self.index, self.shift = capture.file, capture.shift
        self.latest = NEVER
        self.packets = Packets((), 0)
        self.row = 0
        self.horizon = NEVER
        self._folder, self._capture, self._packing = folder, capture, packing
        self._kernels, self._rows = kernels, kernels.ints(0)
        self._blocks = deque(capture.blocks)

    def advance(self) -> bool:
        """Read the next block; False when there is none."""
        self.row = 0
        if not self._blocks:
            self.packets = Packets((), 0)
            return False
        block = self._blocks.popleft()
        name = self._capture.name
        try:
            rows = self._packing.unpack(read_block(self._folder, name, block))
        except ValueError as error:
            raise UsageError(f"{self._folder.at(name)} is damaged ({error}): remove it, and --resume") from error
        rows[:, FRAME] += in_file(self.index)
        if self._capture.world:
            rows[:, TUNNEL] |= TUNNEL_SPLIT | self._capture.world << WORLD
        self.packets = Packets(self._filled(rows), len(rows))
        self.horizon = block.horizon - self.shift
        return True

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._kernels, self._rows = kernels, kernels.ints(0)

    def _filled(self, rows: Column) -> Any:
        """A flat table as these kernels read it, which the next block overwrites."""
        if len(self._rows) < rows.size:
            self._rows = self._kernels.ints(rows.size)
        flat: Any = self._rows
        if self._kernels.compiled:
            np.asarray(flat)[: rows.size] = rows.ravel()
        else:
            flat[: rows.size] = rows.ravel().tolist()
        return flat
