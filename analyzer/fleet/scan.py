"""A scan: captures read where they lie by workers, tracked by partition, put together, and kept for the next scan.

OUT/scan.json        what was asked for, and whether all of it is there
OUT/rows/            a parcel for each capture: its packets, packed; the next scan reads new captures alone
OUT/tracks/          what came of tracking each partition
OUT/captures.json    what each capture is and holds, its clock set
OUT/flows/ probes/ episodes/ findings/ captures/    Parquet, by day and host
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple, Protocol, TypeVar

from analyzer.analysis import Analysis
from analyzer.errors import CaptureError, UsageError
from analyzer.fleet.gathering import gather, partitions_to_track, set_clocks
from analyzer.fleet.parcels import Parcel, facts_of, read_parcel
from analyzer.fleet.places import STALLED_S, Folder, Found, find_captures
from analyzer.fleet.reading import Task, empty_parcel, read_capture
from analyzer.fleet.tracking import track_partition
from analyzer.pipeline.run import IDLE_AFTER_S, idle_nanoseconds
from analyzer.pipeline.same_traffic.samples import room_of_each

VERSION = 1
STATE, CAPTURES = "scan.json", "captures.json"
# A partition is tracked in one worker's memory; of bulk data it is a fiftieth of the captures, of idle connections a
# third (`fleet/packing.py`), and unpacked 200 bytes a packet, a block of each capture at a time.
OCTETS_OF_PARTITION = 1 << 28
MOST_PARTITIONS = 1024
PACKET_OCTETS = 208  # in memory
SHARE = 8  # of a worker's memory, the part that packets wait in
# Packets of the sample of each capture: of few at least what one machine would keep of each, whatever else is there.
FEW, ROOM_OF_FEW, ROOM = 64, room_of_each(2), 4096
One = TypeVar("One")
Other = TypeVar("Other")


class Workers(Protocol):
    """Who does the work: processes of a cluster, or this one."""

    count: int
    memory: int  # bytes that each may use

    def each(
        self, work: Callable[[One], Other], tasks: Sequence[One], name: str
    ) -> Iterator[tuple[int, Other | Exception]]:
        """What comes of each task, as soon as it is there, by the task's place; or what went wrong with it."""


class Here:
    """This process does the work, one task after another."""

    count = 1
    memory = 1 << 30

    def each(
        self, work: Callable[[One], Other], tasks: Sequence[One], name: str
    ) -> Iterator[tuple[int, Other | Exception]]:
        """See Workers."""
        for place, task in enumerate(tasks):
            yield place, work(task)


class Settings(NamedTuple):
    """How captures are understood: alike in all scans of one directory of results."""

    split_tunnels: bool = False
    same_traffic: str = "auto"


class Progress(NamedTuple):
    """How far a scan has come."""

    files: int
    of_files: int
    octets: int
    of_octets: int
    packets: int
    seconds: float


class Report(NamedTuple):
    """What a scan did."""

    analysis: Analysis
    captures: int
    others: int  # files that are none, in directories that were named
    read: int  # of the captures, now
    packets: int  # in those
    octets: int
    packed: int  # bytes that were handed from reading to tracking, in all
    seconds: float  # that it took
    worked: float  # that the workers took to read


def scan(
    sources: Sequence[str],
    out: str,
    workers: Workers,
    settings: Settings = Settings(),  # noqa: B008 - it cannot change
    *,
    resume: bool = False,
    idle_after_s: float = IDLE_AFTER_S,
    stalled: float = STALLED_S,
    partitions: int | None = None,
    begun: Callable[[], None] = lambda: None,
    notify: Callable[[str], None] = lambda text: None,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Report:
    """Read what is new in `sources`, and analyse it with all that earlier scans have read into `out`.

    The results are what `analyze` of all captures at once gives. `begun` is called before anything is read. Raises
    UsageError where `out` holds an interrupted scan and `resume` is not set, other settings, or something else;
    CaptureError when no capture can be read.
    """
    began = time.monotonic()
    idle_after = idle_nanoseconds(idle_after_s)
    folder = Folder(out)
    state = read_state(folder)
    _check(state, settings, out, resume=resume)
    found = find_captures(sources)
    count = state["partitions"] if state else partitions or partitions_for(found, workers.count)
    state = {"version": VERSION, "partitions": count, "settings": settings._asdict(), "done": False}
    write_state(folder, state)
    begun()
    known = {parcel.found.address: parcel for parcel in _kept(folder)}
    todo = [one for one in found if _is_new(one, known.get(one.address))]
    files = len(known.keys() | {one.address for one in found})
    task = Task(
        folder,
        count,
        ROOM_OF_FEW if files <= FEW else ROOM,
        workers.memory // SHARE // PACKET_OCTETS,
        settings.split_tunnels,
        stalled,
    )
    read = _read(task, todo, workers, notify, progress)
    every = [parcel for _, parcel in sorted((known | read).items())]
    parcels = [parcel for parcel in every if not parcel.other]
    _check_read(parcels, sources)
    analysis = _analysed(folder, parcels, workers, settings, count, idle_after)
    new = [parcel for parcel in read.values() if not parcel.other]
    return Report(
        analysis,
        len(parcels),
        len(every) - len(parcels),
        len(new),
        sum(one.facts.packets for one in new),
        sum(one.found.size for one in new),
        sum(one.packed for one in new),
        time.monotonic() - began,
        sum(one.seconds for one in new),
    )


def finish(out: str) -> None:
    """Note that the results are whole."""
    folder = Folder(out)
    write_state(folder, (read_state(folder) or {}) | {"done": True})


def load(out: str, idle_after_s: float = IDLE_AFTER_S) -> Analysis:
    """The analysis whose results these are; raises UsageError where they are not whole, or none."""
    from analyzer.fleet.gathering import gather_again

    folder = Folder(out)
    state = read_state(folder)
    if state is None:
        raise UsageError(f"{out} holds no results of `keepalive scan`")
    if not state["done"]:
        raise UsageError(f"{out} holds an interrupted scan: `keepalive scan ... -o {out} --resume` takes it up")
    captures = [facts_of(one) for one in json.loads(folder.read(CAPTURES))]
    return gather_again(folder, captures, idle_nanoseconds(idle_after_s), state["settings"]["split_tunnels"])


def read_state(folder: Folder) -> dict[str, Any] | None:
    """What is noted of the scans of this directory; None before the first."""
    if not folder.exists(STATE):
        return None
    try:
        state: dict[str, Any] = json.loads(folder.read(STATE))
        if state["version"] == VERSION:
            return state
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder.address}/{STATE} cannot be understood: {error}") from error
    raise UsageError(f"{folder.address} was written by another version: scan into another directory")


def write_state(folder: Folder, state: dict[str, Any]) -> None:
    """Note that."""
    folder.write(STATE, json.dumps(state, indent=1).encode())


def partitions_for(found: Sequence[Found], workers: int) -> int:
    """In how many parts connections are tracked: a few for each worker, more where there is much of them."""
    return min(max(2 * workers, sum(one.size for one in found) // OCTETS_OF_PARTITION), MOST_PARTITIONS)


def _check(state: dict[str, Any] | None, settings: Settings, out: str, *, resume: bool) -> None:
    if state is None:
        return
    if not state["done"] and not resume:
        raise UsageError(f"{out} holds an interrupted scan: --resume takes it up, or name another directory")
    if state["settings"] != settings._asdict():
        told = ", ".join(f"{name} {value}" for name, value in state["settings"].items())
        raise UsageError(f"{out} was scanned with other settings ({told}): name another directory")


def _kept(folder: Folder) -> Iterator[Parcel]:
    """What earlier scans have read; a parcel of another version is read anew."""
    for name in folder.names("rows"):
        if name.endswith(".rows"):
            parcel = read_parcel(folder, f"rows/{name}")
            if parcel is not None:
                yield parcel


def _is_new(found: Found, known: Parcel | None) -> bool:
    return known is None or known.failed or known.found[:3] != found[:3]


def _read(
    task: Task,
    todo: Sequence[Found],
    workers: Workers,
    notify: Callable[[str], None],
    progress: Callable[[Progress], None],
) -> dict[str, Parcel]:
    """The parcels of these captures, by address: of one that ended its workers, too."""
    from functools import partial

    began, read = time.monotonic(), {}
    octets = packets = 0
    of_octets = sum(one.size for one in todo)
    progress(Progress(0, len(todo), 0, of_octets, 0, 0))
    for place, parcel in workers.each(partial(read_capture, task), todo, "read"):
        found = todo[place]
        if isinstance(parcel, Exception):
            reason = f"reading it ended the worker: {parcel}"
            notify(f"{found.address}: {reason}")
            parcel = empty_parcel(task, found, reason)
        read[found.address] = parcel
        octets, packets = octets + found.size, packets + parcel.facts.packets
        progress(Progress(len(read), len(todo), octets, of_octets, packets, time.monotonic() - began))
    return read


def _check_read(parcels: Sequence[Parcel], sources: Sequence[str]) -> None:
    """Raise CaptureError when none of the captures could be read."""
    if not parcels:
        raise CaptureError("no capture there", path=", ".join(sources))
    if all(not parcel.facts.format for parcel in parcels):
        last = parcels[-1].facts
        raise CaptureError(last.problems[0].reason if last.problems else "no packet in it", path=last.path)


def _analysed(
    folder: Folder, parcels: Sequence[Parcel], workers: Workers, settings: Settings, count: int, idle_after: int
) -> Analysis:
    set_clocks(folder, parcels, settings.same_traffic)
    partitions = partitions_to_track(folder, parcels, count)
    tracked: list[str] = [""] * len(partitions)
    for place, name in workers.each(track_partition, partitions, "track"):
        if isinstance(name, UsageError):
            raise name
        if isinstance(name, Exception):
            which = f"partition {partitions[place].number} ended its workers ({name})"
            raise UsageError(f"{which}: give them more --memory, then --resume") from name
        tracked[place] = name
    analysis = gather(folder, parcels, tracked, idle_after)
    folder.write(CAPTURES, json.dumps([asdict(facts) for facts in analysis.captures]).encode())
    return analysis
