"""A scan in simulated time, task by task: workers, a scheduler that hands out, a store, and one process that gathers.

The closed form (`fleet_model.py`) knows sums and means. Here captures and partitions differ in size, a task that comes
last keeps all waiting, and what one task takes of the store another one lacks. Nothing is left to chance but the sizes,
which follow from the seed.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from typing import NamedTuple

from fleet_model import Costs, Plant, Scan, estimate

UNLIKE_FILES, UNLIKE_PARTITIONS = 0.5, 0.2  # of the logarithm of sizes, its standard deviation


class Task(NamedTuple):
    """What one worker does at a time."""

    works: float  # seconds
    waits: float  # for the store's answers
    octets: float  # from the store, fetched while it works


class Simulated(NamedTuple):
    """Seconds of each stage."""

    read: float
    clocks: float
    track: float
    gather: float
    write: float
    findings: float

    @property
    def seconds(self) -> float:
        """In all."""
        return sum(self)


def simulate(scan: Scan, costs: Costs, plant: Plant, *, seed: int = 1, alike: bool = False) -> Simulated:
    """How long this scan takes; `alike` says that all captures have one size, and all partitions."""
    found, chance = estimate(scan, costs, plant), random.Random(seed)
    files = _shares(scan.files, 0 if alike else UNLIKE_FILES, chance)
    partitions = _shares(found.partitions, 0 if alike else UNLIKE_PARTITIONS, chance)
    slices = _shares(found.slices, 0, chance)
    clock = read = _stage(_tasks(files, found.read_s, found.read_waits_s, scan.octets), 0, scan, costs, plant)
    clock += found.clocks_s
    tracked = _stage(_tasks(partitions, found.track_s, found.track_waits_s, found.shuffled), clock, scan, costs, plant)
    clock = tracked + found.gather_s
    written = _stage(_tasks(slices, found.write_s, found.write_waits_s, 0), clock, scan, costs, plant)
    return Simulated(
        read,
        found.clocks_s,
        tracked - read - found.clocks_s,
        found.gather_s,
        written - clock,
        found.findings_s,
    )


def _shares(count: int, unlike: float, chance: random.Random) -> list[float]:
    """So many parts of a whole."""
    sizes = [chance.lognormvariate(0, unlike) for _ in range(count)] if unlike else [1.0] * count
    whole = sum(sizes)
    return [size / whole for size in sizes]


def _tasks(shares: list[float], works: float, waits: float, octets: float) -> Iterator[Task]:
    for share in shares:
        yield Task(works * share, waits * share, octets * share)


def _stage(tasks: Iterator[Task], began: float, scan: Scan, costs: Costs, plant: Plant) -> float:
    """When the last of these tasks has ended.

    A worker takes the next task as soon as it is free and the scheduler has handed that out. The store answers in the
    order in which it was asked.
    """
    free = [began] * scan.workers
    handed = store = ended = began
    for task in tasks:
        handed += costs.task
        start = max(heapq.heappop(free), handed)
        store = max(store, start) + task.octets / plant.backbone
        end = max(start + task.waits + max(task.works, task.octets / plant.link), store)
        heapq.heappush(free, end)
        ended = max(ended, end)
    return ended
