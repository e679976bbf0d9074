"""What workers have read and tracked, put together: clocks set, connections numbered, one analysis of all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from analyzer.analysis import Analysis
from analyzer.fleet.folder import Folder
from analyzer.fleet.parcels import Block, Parcel, read_table
from analyzer.fleet.tracking import TRACKS, Blocks, Partition, Tracked, latest_of, read_tracked, write_tracked
from analyzer.measure import measure
from analyzer.model.captures import CaptureFacts, running
from analyzer.model.columns import Tracks
from analyzer.pipeline.same_traffic.clocks import find_places
from analyzer.pipeline.same_traffic.samples import PEEKED, PEEKED_OF_EACH, SAMPLED, Sample, room_of_each
from analyzer.pipeline.timeline import has_moved
from analyzer.tables.arrays import Column
from analyzer.tables.fields import FRAME_BITS
from analyzer.track.joining import join
from analyzer.track.roles import settle_roles

REQUESTS = 16  # to a store at one time
One = TypeVar("One")
Other = TypeVar("Other")
ALL = f"{TRACKS}/all.tracks"  # the tables of all connections


def set_clocks(folder: Folder, parcels: Sequence[Parcel], same_traffic: str) -> None:
    """Note in the facts of all captures which hold the same traffic, and how far their clocks are ahead.

    As one machine does that reads them all: by how they begin, and again by all of each where that shows otherwise.
    Raises Damaged for a parcel that does not hold what it says.
    """
    captures = [parcel.facts for parcel in parcels]
    there = [index for index, facts in enumerate(captures) if facts.first_time is not None]
    if same_traffic == "no" or len(there) < 2:
        return
    most = max(min(PEEKED // len(parcels), PEEKED_OF_EACH), 1)
    begun = [CaptureFacts(facts.path) for facts in captures]
    room = room_of_each(sum(bool(facts.format) for facts in captures))
    beginnings, samples = [], []
    for index, (beginning, times, sample) in zip(
        there, at_once(partial(_samples_of, folder, parcels, room), there), strict=True
    ):
        facts = captures[index]
        begun[index].first_time = facts.first_time
        begun[index].last_time = int(times[times[:, 0] <= most, 1].max(initial=facts.first_time or 0))
        rows = beginning[beginning[:, -1] <= most, : len(SAMPLED)]
        beginnings.append(Sample.of(index, rows, goes_on=facts.packets >= most))
        samples.append(sample)
    find_places(beginnings, begun, join=same_traffic, translated=False, whole=False)
    find_places(samples, captures, join=same_traffic, translated=False, whole=True)
    if not has_moved(captures, [(facts.same_traffic, facts.clock_shift) for facts in begun]):
        for facts, first_look in zip(captures, begun, strict=True):
            facts.clock_shift = first_look.clock_shift


def _samples_of(folder: Folder, parcels: Sequence[Parcel], room: int, index: int) -> tuple[Column, Column, Sample]:
    """The first packets of a capture, when its first frames were captured, and so many packets of all."""
    name, beside = parcels[index].name, parcels[index].beside
    sample = Sample.of(index, read_table(folder, name, beside.sample, len(SAMPLED)), parcels[index].below)
    sample.thin(room)
    beginning = read_table(folder, name, beside.beginning, len(SAMPLED) + 1)
    return beginning, read_table(folder, name, beside.times, 2), sample


def at_once(work: Callable[[One], Other], tasks: Iterable[One]) -> list[Other]:
    """What comes of each of these, which wait for a store most of the time."""
    with ThreadPoolExecutor(REQUESTS) as threads:
        return list(threads.map(work, tasks))


def partitions_to_track(folder: Folder, parcels: Sequence[Parcel], count: int) -> list[Partition]:
    """What there is to track, once clocks are set: each partition with where its packets lie."""
    same_traffic = any(parcel.facts.same_traffic for parcel in parcels)
    found: list[list[Blocks]] = [[] for _ in range(count)]
    for index, parcel in enumerate(parcels):
        facts = parcel.facts
        by_partition: dict[int, list[Block]] = {}
        for block in parcel.blocks:
            by_partition.setdefault(block.partition, []).append(block)
        what = (facts.first_time or 0, facts.clock_shift, facts.world, parcel.beside.late)
        for number, mine in by_partition.items():
            found[number].append(Blocks(index, parcel.name, *what, tuple(mine)))
    return [
        Partition(number, folder, tuple(mine), len(parcels), same_traffic) for number, mine in enumerate(found) if mine
    ]


def gather(folder: Folder, parcels: Sequence[Parcel], tracked: Sequence[str], idle_after: int) -> Analysis:
    """The analysis of all; `tracked` names what came of the partitions."""
    captures = [parcel.facts for parcel in parcels]
    parts = [read_tracked(folder, name) for name in tracked]
    for index, facts in enumerate(captures):
        facts.duplicates, facts.shared = (sum(int(part.copies[index, kind]) for part in parts) for kind in (0, 1))
    order = _Order(folder, parcels)
    tracks = join([part.tracks for part in parts], order)
    write_tracked(folder, ALL, Tracked(settle_roles(tracks), np.zeros((0, 2), np.int64)))
    return _analysis(captures, tracks, idle_after)


def tracks_of_all(folder: Folder) -> Tracks:
    """The tables of all connections, as they are before anything is measured."""
    return read_tracked(folder, ALL).tracks


def gather_again(folder: Folder, captures: list[CaptureFacts], idle_after: int, split_tunnels: bool) -> Analysis:
    """The same analysis, from what was kept; packets can be read again where the captures are files of this host."""
    analysis = _analysis(captures, tracks_of_all(folder), idle_after)
    paths = [facts.path for facts in captures]
    if all(Path(path).is_file() for path in paths):
        from analyzer.kernels import plain, ready
        from analyzer.pipeline.second_reading import Again

        analysis.again = Again(paths, captures, ready() or plain(), None, split_tunnels=split_tunnels)
    return analysis


def _analysis(captures: list[CaptureFacts], tracks: Tracks, idle_after: int) -> Analysis:
    ends = [facts.last_time - facts.clock_shift for facts in captures if facts.last_time is not None]
    return Analysis(captures, measure(tracks, max(ends, default=0), running(captures)), idle_after)


class _Order:
    """When packets were tracked: one that is older than another before it in its file came as late as that one."""

    def __init__(self, folder: Folder, parcels: Sequence[Parcel]) -> None:
        disordered = [(index, parcel) for index, parcel in enumerate(parcels) if parcel.beside.late.rows]
        self._late = {index: read_table(folder, parcel.name, parcel.beside.late, 2) for index, parcel in disordered}
        self._shifts = {index: parcel.facts.clock_shift for index, parcel in disordered}

    def __call__(self, frames: Column, times: Column) -> Column:
        when = times.copy()
        files, numbers = frames >> FRAME_BITS, frames & ((1 << FRAME_BITS) - 1)
        for index, late in self._late.items():
            mine = np.flatnonzero(files == index)
            shift = self._shifts[index]
            when[mine] = latest_of(late, numbers[mine], times[mine] + shift) - shift
        return when
