"""A scan: captures read where they lie by workers, tracked by partition, put together, and kept for the next scan.

OUT/scan.json        what was asked for, and whether all of it is there
OUT/rows/            a parcel for each capture: its packets, packed; the next scan reads new captures alone
OUT/tracks/          what came of tracking each partition
OUT/captures.json    what each capture is and holds, its clock set
OUT/flows/ probes/ episodes/ findings/ captures/    Parquet, by day and host
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import NamedTuple

from analyzer.analysis import Analysis
from analyzer.errors import CaptureError, UsageError
from analyzer.fleet.folder import LOCK, Folder
from analyzer.fleet.gathering import at_once, gather, gather_again, partitions_to_track, set_clocks
from analyzer.fleet.parcels import ROWS, Damaged, Manner, Parcel, facts_of, read_parcel
from analyzer.fleet.places import Found, Notify, find_captures
from analyzer.fleet.reading import Task, empty_parcel, read_capture
from analyzer.fleet.results import write_results
from analyzer.fleet.state import (
    CAPTURES,
    MOST_PARTITIONS,
    STATE,
    VERSION,
    Settings,
    State,
    read_state,
    whole_state,
    write_state,
)
from analyzer.fleet.streaming import STALLED_S
from analyzer.fleet.tracking import track_partition
from analyzer.fleet.work import Progress, Tell, Workers, in_stage
from analyzer.pipeline.run import IDLE_AFTER_S, idle_nanoseconds

# A partition is tracked in one worker's memory; of bulk data it is a fiftieth of the captures, of idle connections a
# third (`fleet/packing.py`), and unpacked 200 bytes a packet, a block of each capture at a time.
OCTETS_OF_PARTITION = 1 << 28
PACKET_OCTETS = 208  # in memory
SHARE = 8  # of a worker's memory, the part that packets wait in
UNFINISHED = re.compile(r"[0-9a-f]{16}\.rows\.[0-9a-f]{32}\.tmp")  # of a worker that was killed
ATTEMPTS = 5  # to put parcels together, of which some are damaged


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
    pattern: str | None = None,
    begun: Callable[[], None] = lambda: None,
    notify: Notify = lambda text: None,
    progress: Tell = lambda progress: None,
) -> Report:
    """Read what is new in `sources`, analyse it with all that was read into `out` before, and write the results.

    The results are what `analyze` of all captures at once gives. `pattern` is as in `hosts_of`; `begun` is called
    before anything is read. Raises UsageError where `out` holds an interrupted scan and `resume` is not set, other
    settings, or something else; CaptureError when no capture can be read. Then earlier results stay as they are.
    """
    began = time.monotonic()
    idle_after = idle_nanoseconds(idle_after_s)
    if not out:
        raise UsageError("name a directory for the results")
    folder = Folder(out)
    _checked(folder, settings, resume=resume)  # what is refused is left as it is
    with folder.held():
        state = _checked(folder, settings, resume=resume)
        folder.remove(ROWS, UNFINISHED)
        found = find_captures(sources, notify)
        fresh = state is None
        if state is None:
            count = partitions or partitions_for(found, workers.count)
            state = State(VERSION, count, settings, False)
            write_state(folder, state)
        begun()
        manner = Manner(state.partitions, settings.split_tunnels)
        task = Task(folder, manner, workers.memory // SHARE // PACKET_OCTETS, stalled)
        known = {parcel.found.address: parcel for parcel in _parcels_in(folder) if parcel.manner == manner}
        todo = [_wanted(one, known.get(one.address)) for one in found]
        read = _read(task, [one for one in todo if one is not None], workers, notify, progress)
        every = known | read
        parcels = [parcel for _, parcel in sorted(every.items()) if not parcel.other]
        try:
            _check_read(parcels, sources)
        except CaptureError:
            if fresh:
                folder.remove("", re.compile(STATE))
            raise
        write_state(folder, state._replace(whole=False))
        analysis, again = _analysed(task, parcels, workers, settings, idle_after, notify, progress)
        write_results(folder, analysis, workers, pattern, progress)
        write_state(folder, state._replace(whole=True))
    new = [parcel for parcel in read.values() if not parcel.other] + again
    return _report(analysis, len(parcels), len(every) - len(parcels), new, time.monotonic() - began)


def _report(analysis: Analysis, captures: int, others: int, new: Sequence[Parcel], seconds: float) -> Report:
    packets, octets = sum(one.facts.packets for one in new), sum(one.found.size for one in new)
    packed, worked = sum(one.packed for one in new), sum(one.seconds for one in new)
    return Report(analysis, captures, others, len(new), packets, octets, packed, seconds, worked)


def load(out: str, idle_after_s: float = IDLE_AFTER_S) -> Analysis:
    """The analysis whose results these are; raises UsageError where they are not whole, or none."""
    folder = Folder(out)
    state = whole_state(folder)
    try:
        captures = [facts_of(one) for one in json.loads(folder.read(CAPTURES))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder.at(CAPTURES)} cannot be read ({error}): scan again") from error
    return gather_again(folder, captures, idle_nanoseconds(idle_after_s), state.settings.split_tunnels)


def partitions_for(found: Sequence[Found], workers: int) -> int:
    """In how many parts connections are tracked: a few for each worker, more where there is much of them."""
    return min(max(2 * workers, sum(one.size for one in found) // OCTETS_OF_PARTITION), MOST_PARTITIONS)


def _checked(folder: Folder, settings: Settings, *, resume: bool) -> State | None:
    """What is noted of earlier scans; raises UsageError where this one must not go on with them."""
    state = read_state(folder)
    if state is None:
        there = set(folder.names()) - {LOCK, ROWS}
        if there:
            raise UsageError(f"{folder.address} is not empty, and holds no results of scans: name another directory")
        return None
    if state.settings != settings:
        told = ", ".join(f"{name} {value}" for name, value in state.settings._asdict().items())
        raise UsageError(f"{folder.address} was scanned with other settings ({told}): name another directory")
    if not state.whole and not resume:
        raise UsageError(f"{folder.address} holds an interrupted scan: --resume takes it up, or name another directory")
    return state


def _parcels_in(folder: Folder) -> list[Parcel]:
    """What earlier scans have read; a parcel of another version is made anew."""
    names = [f"{ROWS}/{name}" for name in folder.names(ROWS) if name.endswith(".rows")]
    return [parcel for parcel in at_once(partial(read_parcel, folder), names) if parcel is not None]


def _wanted(found: Found, known: Parcel | None) -> Found | None:
    """The capture, where it is to be read; what was one before is meant to be one."""
    if known is None:
        return found
    named = found.named or not known.other
    same = found.stamp and (found.size, found.stamp) == (known.found.size, known.found.stamp)
    if same and not known.failed and not (known.other and found.named):
        return None
    return found._replace(named=named)


def _read(
    task: Task,
    todo: Sequence[Found],
    workers: Workers,
    notify: Notify,
    progress: Tell,
) -> dict[str, Parcel]:
    """The parcels of these captures, by address: of one that ended its workers, too."""
    began, read = time.monotonic(), {}
    octets = packets = 0
    of_octets = sum(one.size for one in todo)
    progress(Progress("reading", 0, len(todo), 0, of_octets))
    for place, parcel in workers.each(partial(read_capture, task), todo, "read"):
        found = todo[place]
        if isinstance(parcel, OSError):
            raise parcel  # the parcel cannot be written
        if isinstance(parcel, Exception):
            reason = f"reading it ended the worker: {parcel}"
            notify(f"{found.address}: {reason}")
            parcel = empty_parcel(task, found, reason)
        read[found.address] = parcel
        octets, packets = octets + found.size, packets + parcel.facts.packets
        progress(Progress("reading", len(read), len(todo), octets, of_octets, packets, time.monotonic() - began))
    return read


def _check_read(parcels: Sequence[Parcel], sources: Sequence[str]) -> None:
    """Raise CaptureError when none of the captures could be read."""
    if not parcels:
        raise CaptureError("no capture there", path=", ".join(sources))
    first = [next(iter(parcel.facts.problems), None) for parcel in parcels]
    if all(
        one is not None and one.offset == 0 and not parcel.facts.packets
        for one, parcel in zip(first, parcels, strict=True)
    ):
        last = parcels[-1].facts
        raise CaptureError(last.problems[0].reason, path=last.path)


def _analysed(
    task: Task,
    parcels: list[Parcel],
    workers: Workers,
    settings: Settings,
    idle_after: int,
    notify: Notify,
    progress: Tell,
) -> tuple[Analysis, list[Parcel]]:
    """The analysis, and what had to be read once more for it: captures of which the parcel is damaged."""
    folder, again = task.folder, []
    for _ in range(ATTEMPTS):
        try:
            set_clocks(folder, parcels, settings.same_traffic)
            tracked = _tracked(folder, parcels, workers, task.manner.partitions, progress)
            analysis = gather(folder, parcels, tracked, idle_after)
        except Damaged as error:
            place = next(place for place, parcel in enumerate(parcels) if parcel.name == str(error))
            notify(f"{folder.at(str(error))} is damaged: {parcels[place].found.address} is read once more")
            parcels[place] = read_capture(task, parcels[place].found)
            again.append(parcels[place])
            continue
        folder.write(CAPTURES, json.dumps([asdict(facts) for facts in analysis.captures]).encode())
        return analysis, again
    raise UsageError(f"{folder.address}: what is written there cannot be read again")


def _tracked(folder: Folder, parcels: Sequence[Parcel], workers: Workers, count: int, progress: Tell) -> list[str]:
    """The files that say what came of all partitions; raises Damaged for a parcel that is."""
    partitions = partitions_to_track(folder, parcels, count)
    tracked: list[str] = [""] * len(partitions)
    for place, done in in_stage(
        "tracking", workers.each(track_partition, partitions, "track"), len(partitions), progress
    ):
        if isinstance(done, Exception):
            which = f"partition {partitions[place].number} ended its workers ({done})"
            raise UsageError(f"{which}: give them more --memory, then --resume") from done
        if done.damaged:
            raise Damaged(done.damaged)
        tracked[place] = done.name
    return tracked
