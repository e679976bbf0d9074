"""What a scan costs, in closed form: counts by the rules of `analyzer/fleet`, times the constants of one machine.

A scan reads captures, tracks partitions and writes rows by workers; one process compares samples of all captures and
gathers all connections in between. Each of these is a sum of counts times constants here, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from analyzer.fleet.gathering import REQUESTS
from analyzer.fleet.reading import BLOCK
from analyzer.fleet.results import OF_SLICE, TABLES
from analyzer.fleet.scan import OCTETS_OF_PARTITION, PACKET_OCTETS, SHARE
from analyzer.fleet.state import MOST_PARTITIONS
from analyzer.fleet.streaming import PIECE
from analyzer.pipeline.same_traffic.samples import KEPT_AT_MOST
from analyzer.tables.fields import FLOW_SIZE

GB, TB, PB = 10**9, 10**12, 10**15
HOUR_S, DAY_S = 3600, 86_400
PAGE = 1000  # keys that one listing of S3 tells
ROW_TABLES = 3  # that slices write: flows, probes, episodes; the others are written once
FIXED_PUTS = 5  # scan.json three times, captures.json, the tables of all connections
LISTINGS = len(TABLES) + 6  # of OUT twice, of parcels twice, of tables to replace, of slices before and after
TRACKED_OCTETS = 2 * 8 * FLOW_SIZE  # of a connection in the worker that tracks it: its row, and that as bytes
COPIES_OCTETS = 16  # of a capture in the tables of each partition: two numbers


class Costs(NamedTuple):
    """The constants: seconds and bytes. `fleet_cost.py` says how each was measured, and measures it anew."""

    read_packet: float = 0.0
    read_octet: float = 0.0
    read_file: float = 0.0
    read_block: float = 0.0
    track_packet: float = 0.0
    track_connection: float = 0.0
    track_block: float = 0.0
    write_connection: float = 0.0
    write_probe: float = 0.0
    write_file: float = 0.0
    clocks_file: float = 0.0
    gather_connection: float = 0.0
    finding: float = 0.0
    copies: float = 0.0
    task: float = 0.0
    packed_bulk: float = 0.0
    packed_idle: float = 0.0
    packed_block: float = 0.0
    connection_octets: float = 0.0
    sampled_octets: float = 0.0
    block_octets: float = 0.0
    path_octets: float = 0.0


class Scan(NamedTuple):
    """What is scanned, and by whom. `partitions` and `places` follow from the rest where they are 0."""

    octets: float
    packets: float
    files: int
    connections: float
    probes: float
    findings: float
    hosts: int
    idle: float  # the share of packets on idle connections
    workers: int
    memory: int = 1 << 30  # of a worker
    partitions: int = 0
    places: float = 0.0  # days and hosts that a slice has connections of


class Plant(NamedTuple):
    """What the workers have to do with: a store, and one machine that gathers."""

    latency: float  # seconds of a request
    link: float  # bytes a second between the store and one worker
    backbone: float  # and all workers
    memory: float  # bytes of the gathering process


LOCAL = Plant(0, math.inf, math.inf, 8 * GB)
CLOUD = Plant(0.02, 100e6, 100e9, 64 * GB)  # S3 in its own region, of a machine with 64 GB


def a_day(octets: float, workers: int = 64) -> Scan:
    """A day of a fleet: captures of 1 GB, 100 of them by each host, packets of 700 bytes, 500 in a connection.

    A tenth of the packets is on idle connections; a connection has one probe, one in 30 a finding. All this is assumed.
    """
    packets = octets / 700
    files, hosts = max(math.ceil(octets / GB), 1), max(math.ceil(octets / (100 * GB)), 1)
    return Scan(octets, packets, files, packets / 500, packets / 500, packets / 15_000, hosts, 0.1, workers)


class Estimate(NamedTuple):
    """What a scan takes: seconds of workers and of the one process, bytes, requests."""

    read_s: float
    track_s: float
    write_s: float
    read_waits_s: float  # for the store: a worker does nothing else meanwhile
    track_waits_s: float
    write_waits_s: float
    clocks_s: float
    gather_s: float
    findings_s: float
    shuffled: float
    requests: dict[str, float]
    partitions: int
    slices: int
    blocks: float
    parquet: float
    tasks: int
    gatherer_octets: float
    tasks_octets: float  # of tasks that name all captures, or all blocks: they wait in the scheduler
    partition_octets: float  # in a worker

    @property
    def core_s(self) -> float:
        """Of workers, without waiting."""
        return self.read_s + self.track_s + self.write_s

    @property
    def worker_s(self) -> float:
        """Of workers, with waiting."""
        return self.core_s + self.read_waits_s + self.track_waits_s + self.write_waits_s

    @property
    def serial_s(self) -> float:
        """Of the one process, in which no worker does anything."""
        return self.clocks_s + self.gather_s + self.findings_s


def partitions_of(scan: Scan) -> int:
    """See `scan.partitions_for`."""
    return scan.partitions or int(min(max(2 * scan.workers, scan.octets // OCTETS_OF_PARTITION), MOST_PARTITIONS))


def block_of(scan: Scan) -> int:
    """Packets of a full block: fewer where there are many partitions, for all of them wait in a worker's memory."""
    return max(min(BLOCK, scan.memory // SHARE // PACKET_OCTETS // partitions_of(scan)), 1)


def blocks_of_file(scan: Scan) -> float:
    """Blocks of one capture: those that are full, and the last one of each partition, half of it as a rule."""
    partitions = partitions_of(scan)
    touched = partitions * -math.expm1(-scan.connections / scan.files / partitions)
    full = scan.packets / scan.files / touched / block_of(scan)
    return touched * (1 if full <= 1 else full + 0.5)


def requests_of(scan: Scan) -> dict[str, float]:
    """What a first scan asks an S3 for, by kind; tests count the same in a store that counts."""
    blocks, slices, partitions = blocks_of_file(scan) * scan.files, slices_of(scan), partitions_of(scan)
    pieces = scan.files * math.ceil(scan.octets / scan.files / PIECE)
    return {
        "LIST": math.ceil(scan.files / PAGE) + LISTINGS,
        "HEAD": 3 + 2 * scan.files,  # before it is read, and after
        "GET": pieces + 3 * scan.files + blocks + partitions + 1 + slices,  # 3: beginning, times, sample
        "PUT": scan.files + partitions + slices + FIXED_PUTS + parquet_of(scan),
        "DELETE": slices,
    }


def slices_of(scan: Scan) -> int:
    """Tasks that write rows."""
    return max(math.ceil(scan.connections / OF_SLICE), 1)


def parquet_of(scan: Scan) -> float:
    """Files of Parquet: each slice has rows of connections that began one after another, on whatever hosts."""
    return slices_of(scan) * ROW_TABLES * places_of(scan) + (len(TABLES) - ROW_TABLES) * scan.hosts


def places_of(scan: Scan) -> float:
    """Hosts of which a slice has a connection."""
    of_slice = min(scan.connections, OF_SLICE)
    return scan.places or max(scan.hosts * -math.expm1(-of_slice / scan.hosts), 1)


def estimate(scan: Scan, costs: Costs, plant: Plant = CLOUD) -> Estimate:
    """What this scan takes."""
    partitions, slices, parquet = partitions_of(scan), slices_of(scan), parquet_of(scan)
    blocks, connections, files = blocks_of_file(scan) * scan.files, scan.connections, scan.files
    packed = scan.idle * costs.packed_idle + (1 - scan.idle) * costs.packed_bulk
    once = (len(TABLES) - ROW_TABLES) * scan.hosts  # files that the one process writes
    held = blocks * costs.block_octets
    sampled = files * costs.sampled_octets * min(scan.packets / files / KEPT_AT_MOST, 1)
    lanes = min(scan.hosts, files) * 2 * min(block_of(scan), scan.packets / files) * PACKET_OCTETS
    return Estimate(
        read_s=scan.packets * costs.read_packet
        + scan.octets * costs.read_octet
        + files * costs.read_file
        + blocks * costs.read_block,
        track_s=scan.packets * costs.track_packet + connections * costs.track_connection + blocks * costs.track_block,
        write_s=connections * costs.write_connection
        + scan.probes * costs.write_probe
        + (parquet - once) * costs.write_file,
        read_waits_s=3 * files * plant.latency,  # pieces are fetched ahead
        track_waits_s=(blocks + partitions) * plant.latency,
        write_waits_s=(parquet - once + slices) * plant.latency,
        clocks_s=files * (costs.clocks_file + 3 * plant.latency / REQUESTS),
        gather_s=connections * costs.gather_connection
        + files * partitions * costs.copies
        + (partitions + slices) * plant.latency,
        findings_s=scan.findings * costs.finding + once * (costs.write_file + plant.latency),
        shuffled=scan.packets * packed + blocks * costs.packed_block,
        requests=requests_of(scan),
        partitions=partitions,
        slices=slices,
        blocks=blocks,
        parquet=parquet,
        tasks=files + partitions + slices,
        gatherer_octets=held + max(sampled, connections * costs.connection_octets + files * partitions * COPIES_OCTETS),
        tasks_octets=slices * files * costs.path_octets,
        partition_octets=lanes + connections / partitions * TRACKED_OCTETS,
    )


def seconds(scan: Scan, costs: Costs, plant: Plant = CLOUD) -> float:
    """By the clock: stages follow one another, and each takes what is slowest of it."""
    found = estimate(scan, costs, plant)
    bound = [
        _stage(scan, found.read_s + found.read_waits_s, scan.files, scan.octets, costs, plant),
        _stage(scan, found.track_s + found.track_waits_s, found.partitions, found.shuffled, costs, plant),
        _stage(scan, found.write_s + found.write_waits_s, found.slices, 0, costs, plant),
    ]
    return found.serial_s + sum(bound)


def _stage(scan: Scan, worker_s: float, tasks: int, octets: float, costs: Costs, plant: Plant) -> float:
    """Workers, one task of the last round, links, the store, or the scheduler, whichever is slowest."""
    rounds = math.ceil(tasks / scan.workers)
    at_once = min(scan.workers, tasks)
    links = max(octets / plant.link / at_once, octets / plant.backbone)
    return max(worker_s / tasks * rounds, links, tasks * costs.task)


# What must hold for a day's scan to end within a day: what it takes, and how much of it there is.
LIMITS: dict[str, Callable[[Estimate, Scan, Costs, Plant], float]] = {
    "memory of the gathering process": lambda found, scan, costs, plant: found.gatherer_octets / plant.memory,
    "tasks that wait in the scheduler's memory": lambda found, scan, costs, plant: found.tasks_octets / plant.memory,
    "a partition in a worker's memory": lambda found, scan, costs, plant: found.partition_octets / scan.memory,
    "a partition within a day": lambda found, scan, costs, plant: (
        (found.track_s + found.track_waits_s) / found.partitions / DAY_S
    ),
    "the gathering process within a day": lambda found, scan, costs, plant: found.serial_s / DAY_S,
    "the scheduler's tasks within a day": lambda found, scan, costs, plant: found.tasks * costs.task / DAY_S,
}


def loads(octets: float, costs: Costs, plant: Plant = CLOUD) -> dict[str, float]:
    """How much of each limit a day of so many bytes takes: above 1 it breaks."""
    scan = a_day(octets)
    found = estimate(scan, costs, plant)
    return {name: load(found, scan, costs, plant) for name, load in LIMITS.items()}


def breaks(costs: Costs, plant: Plant = CLOUD) -> list[tuple[float, str]]:
    """At how many bytes a day each limit is reached, the first one first."""
    found = []
    for name in LIMITS:
        low, high = 9.0, 18.0  # powers of ten
        while high - low > 0.005:
            middle = (low + high) / 2
            low, high = (low, middle) if loads(10**middle, costs, plant)[name] > 1 else (middle, high)
        found.append((10**high, name))
    return sorted(found)
