"""The constants of `fleet_model.py`, measured by small scans in this process; two workers for what a task takes."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
import time
import timeit
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from bench_scan import GENERATE, Kind, write_fleet
from fleet_model import ROW_TABLES, Costs

from analyzer.fleet.cluster import cluster
from analyzer.fleet.folder import Folder
from analyzer.fleet.parcels import ROWS, read_parcel, read_table
from analyzer.fleet.results import TABLES
from analyzer.fleet.scan import Report, scan
from analyzer.fleet.work import Here, One, Other
from analyzer.pipeline.same_traffic.samples import SAMPLED

BULK, IDLE, SMALL = Kind(300_000, 50, 0), Kind(100_000, 10_000, 0), Kind(3000, 60, 0)
FILES, SMALL_FILES, LARGE_PACKETS = 4, 48, 100_000
FEW, MANY = 4, 256  # partitions
ONE_HOST, HOST_OF_FILE = r"(web)", r"/(eth0-\d+)"
NOTHING = 1000  # tasks that do nothing


class Spent(NamedTuple):
    """Of one scan: seconds or highest bytes of each stage, and what was scanned."""

    read: float
    clocks: float
    track: float
    gather: float
    write: float
    findings: float
    report: Report
    blocks: int


class _Watched(Here):
    """This process does the work, and a meter is read whenever a stage begins or ends."""

    def __init__(self, meter: Callable[[], float]) -> None:
        self._meter = meter
        self.readings: list[float] = []

    def each(
        self, work: Callable[[One], Other], tasks: Sequence[One], name: str
    ) -> Iterator[tuple[int, Other | Exception]]:
        """See work.Workers."""
        self.readings.append(self._meter())
        yield from super().each(work, tasks, name)
        self.readings.append(self._meter())


def spent(captures: Path, partitions: int, pattern: str, meter: Callable[[], float]) -> Spent:
    """What a scan into a new directory takes, by a meter that tells what was since it was last read."""
    with tempfile.TemporaryDirectory() as out:
        workers = _Watched(meter)
        report = scan([str(captures)], out, workers, partitions=partitions, pattern=pattern)
        workers.readings.append(meter())
        folder = Folder(out)
        parcels = [read_parcel(folder, f"{ROWS}/{name}") for name in folder.names(ROWS)]
        blocks = sum(len(parcel.blocks) for parcel in parcels if parcel is not None)
    _, read, clocks, track, gather, write, findings = workers.readings
    return Spent(read, clocks, track, gather, write, findings, report, blocks)


class Stopwatch:
    """Seconds of processor time since it was last read: others that use the processors do not count."""

    def __init__(self) -> None:
        self._last = time.process_time()

    def __call__(self) -> float:
        """Read it."""
        last, self._last = self._last, time.process_time()
        return self._last - last


def highest() -> float:
    """Bytes that were taken at most since this was last asked, as tracemalloc counts them."""
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    return peak


def measure(runs: int) -> Costs:
    """All constants; medians of so many runs."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_fleet(folder / "bulk", BULK, FILES)
        write_fleet(folder / "idle", IDLE, FILES)
        write_fleet(folder / "small", SMALL, SMALL_FILES)
        _write_large(folder / "large")
        bulk = _median(folder / "bulk", FEW, ONE_HOST, runs), _median(folder / "bulk", MANY, ONE_HOST, runs)
        idle = _median(folder / "idle", FEW, ONE_HOST, runs), _median(folder / "idle", MANY, ONE_HOST, runs)
        small = _median(folder / "small", FEW, ONE_HOST, runs), _median(folder / "small", FEW, HOST_OF_FILE, runs)
        large = _median(folder / "large", FEW, ONE_HOST, runs)
        memory = _of_memory(folder / "idle")
    read = _fitted([_to_read(one) for one in (*bulk, *idle, *small, large)])
    track = _fitted([_to_track(one) for one in (*bulk, *idle, *small)])
    write = _fitted([_to_write(one) for one in (idle[0], small[0])])
    fewer, more = small
    write_file = max(more.write - fewer.write, 0) / ROW_TABLES / (SMALL_FILES - 1)
    once = (len(TABLES) - ROW_TABLES) * write_file
    return Costs(
        read_packet=read[0],
        read_octet=read[1],
        read_file=read[2],
        read_block=read[3],
        track_packet=track[0],
        track_connection=track[1],
        track_block=track[2],
        write_connection=write[0],
        write_probe=write[1],
        write_file=write_file,
        clocks_file=fewer.clocks / SMALL_FILES,
        gather_connection=idle[0].gather / len(idle[0].report.analysis),
        finding=max(fewer.findings - once, 0) / len(fewer.report.analysis.findings),
        copies=_of_copies(),
        task=_of_task(),
        packed_bulk=bulk[0].report.packed / bulk[0].report.packets,
        packed_idle=idle[0].report.packed / idle[0].report.packets,
        packed_block=(idle[1].report.packed - idle[0].report.packed) / (idle[1].blocks - idle[0].blocks),
        **memory,
        path_octets=_of_paths(),
    )


def _median(captures: Path, partitions: int, pattern: str, runs: int) -> Spent:
    """Of each stage by itself."""
    found = [spent(captures, partitions, pattern, Stopwatch()) for _ in range(runs)]
    stages = Spent._fields[:6]
    return found[0]._replace(**{name: median(getattr(one, name) for one in found) for name in stages})


def _to_read(one: Spent) -> tuple[float, ...]:
    """The seconds, and what they were for, in the order of Costs."""
    report = one.report
    return one.read, report.packets, report.octets, report.captures, one.blocks


def _to_track(one: Spent) -> tuple[float, ...]:
    return one.track, one.report.packets, len(one.report.analysis), one.blocks


def _to_write(one: Spent) -> tuple[float, ...]:
    return one.write, len(one.report.analysis), len(one.report.analysis.facts.tracks.probes)


def _fitted(measured: Sequence[tuple[float, ...]]) -> list[float]:
    """What one of each takes: least squares of the relative errors, without what would be below nothing."""
    whole = np.array(measured)
    right, table = whole[:, 0], whole[:, 1:]
    kept = list(range(table.shape[1]))
    while True:
        found = np.linalg.lstsq(table[:, kept] / right[:, None], np.ones(len(right)), rcond=None)[0]
        if (found >= 0).all():
            break
        kept.pop(int(np.argmin(found * table[:, kept].mean(axis=0))))
    costs = dict(zip(kept, found.tolist(), strict=True))
    return [costs.get(column, 0.0) for column in range(table.shape[1])]


def _write_large(folder: Path) -> None:
    """Packets with payload, which reading goes past."""
    folder.mkdir()
    sizes = ["--packets", str(LARGE_PACKETS), "--connections", "50", "--snaplen", "1500"]
    subprocess.run([sys.executable, GENERATE, folder / "large.pcap", *sizes], check=True, stdout=subprocess.DEVNULL)


def _of_memory(captures: Path) -> dict[str, float]:
    """What the one process holds for each connection at its peak, for each capture's sample, and for each block."""
    tracemalloc.start()
    found = spent(captures, FEW, ONE_HOST, highest)
    tracemalloc.stop()
    with tempfile.TemporaryDirectory() as out:
        scan([str(captures)], out, Here(), partitions=MANY)
        folder = Folder(out)
        names = folder.names(ROWS)
        tracemalloc.start()
        parcels = [parcel for parcel in (read_parcel(folder, f"{ROWS}/{name}") for name in names) if parcel is not None]
        contents = tracemalloc.get_traced_memory()[0]
        samples = [read_table(folder, parcel.name, parcel.beside.sample, len(SAMPLED)) for parcel in parcels]
        sampled = tracemalloc.get_traced_memory()[0] - contents
        tracemalloc.stop()
    return {
        "connection_octets": max(found.gather, found.findings) / len(found.report.analysis),
        "sampled_octets": sampled / len(samples),
        "block_octets": contents / sum(len(parcel.blocks) for parcel in parcels),
    }


def _of_copies() -> float:
    """Seconds to add up what one partition counted of one capture: two numbers of a table."""
    table, rounds = np.zeros((1000, 2), np.int64), 20_000
    return 2 * timeit.timeit(lambda: int(table[500, 1]), number=rounds) / rounds


def _of_task() -> float:
    """Processor seconds of the process with scheduler and client for one task, whose worker does nothing."""
    with cluster(None, 2, None) as workers:
        for _ in range(2):
            began = time.process_time()
            for _ in workers.each(abs, range(NOTHING), "nothing"):
                pass
    return (time.process_time() - began) / NOTHING


def _of_paths() -> float:
    """Bytes in which a task names one capture and its host."""
    names = [(f"s3://captures/web-{n:05}/eth0-20261130-{n:06}.pcap.gz", f"web-{n:05}") for n in range(1000)]
    return len(pickle.dumps(names)) / len(names)
