"""How long `keepalive scan` takes with one worker and with two, beside `analyze`; what a packet takes on its way."""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from analyzer import analyze
from analyzer.fleet.cluster import Cluster, cluster
from analyzer.fleet.scan import Report, scan

MOST_RATIO = 1 / 1.7  # two workers of one
MOST_BULK, MOST_IDLE = 12, 100  # bytes of a packet from reading to tracking
MOST_MEMORY = 1 << 30  # of a worker
GENERATE = Path(__file__).with_name("generate.py")
HEADER, RECORD = 24, 16  # of pcap
SOURCE_AT, TARGET_AT = 14 + 12, 14 + 16  # of IPv4 in Ethernet


class Kind(NamedTuple):
    """What the captures of a run hold."""

    packets: int  # of each file
    connections: int
    most_octets: int


KINDS = {"bulk": Kind(500_000, 50, MOST_BULK), "idle": Kind(200_000, 20_000, MOST_IDLE)}


class Run(NamedTuple):
    """What came of a scan: seconds, and the highest resident set of a worker in bytes."""

    seconds: float
    report: Report
    memory: int


def main() -> int:
    """Measure; exit with 1 when a limit does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--gigabytes", type=float, default=0, help="scan so much, once, for the memory of a worker")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        if options.gigabytes:
            return int(not scan_much(Path(folder), options.gigabytes))
        for name, kind in KINDS.items():
            captures = Path(folder) / name
            write_fleet(captures, kind, options.files)
            failed |= not compare(name, kind, captures, options.runs)
    return int(failed)


def compare(name: str, kind: Kind, captures: Path, runs: int) -> bool:
    """Print what scans of these captures take; whether all limits hold."""
    taken: dict[str, list[float]] = {"one": [], "two": [], "analyze": []}
    memory, report = 0, None
    with cluster(None, 1, None) as one, cluster(None, 2, None) as two:
        for _ in range(runs + 1):
            for workers, which in ((one, "one"), (two, "two")):
                run = scan_once(captures, workers)
                taken[which].append(run.seconds)
                memory, report = max(memory, run.memory), run.report
            begun = time.perf_counter()
            whole = analyze(str(captures / "*" / "*.pcap"), threads=1)
            assert len(whole.findings) == len(run.report.analysis.findings)
            taken["analyze"].append(time.perf_counter() - begun)
    assert report is not None
    seconds = {which: median(times[1:]) for which, times in taken.items()}
    octets = report.packed / report.packets
    ratio = median(two / one for one, two in zip(taken["one"][1:], taken["two"][1:], strict=True))
    print(f"{name}: {report.packets:,} packets, {report.captures} files, {report.octets / 1e9:.2f} GB")
    print(f"  one worker {seconds['one']:.2f} s, two {seconds['two']:.2f} s: {1 / ratio:.2f} times as fast")
    per_gb = report.worked / report.octets * 1e9
    print(f"  analyze, one thread: {seconds['analyze']:.2f} s; {per_gb:.1f} s of a worker to read a GB")
    print(f"  {octets:.1f} bytes of a packet (at most {kind.most_octets}); a worker's peak {memory / 1e6:.0f} MB")
    return ratio <= MOST_RATIO and octets <= kind.most_octets and memory < MOST_MEMORY


def scan_once(captures: Path, workers: Cluster) -> Run:
    """A scan into a new directory, with its results."""
    with tempfile.TemporaryDirectory() as out:
        begun = time.perf_counter()
        report = scan([str(captures)], out, workers)
        seconds = time.perf_counter() - begun
    return Run(seconds, report, max(workers.peaks()))


def scan_much(folder: Path, gigabytes: float) -> bool:
    """Whether a scan of so much keeps its workers small."""
    kind = Kind(10_000_000, 50_000, MOST_IDLE)
    write_fleet(folder / "captures", kind, max(round(gigabytes), 1))
    with cluster(None, 2, None) as workers:
        run = scan_once(folder / "captures", workers)
    report = run.report
    print(f"{report.packets:,} packets, {report.captures} files, {report.octets / 1e9:.1f} GB: {run.seconds:.0f} s")
    print(f"  {report.packed / report.packets:.1f} bytes of a packet; a worker's peak {run.memory / 1e6:.0f} MB")
    print(f"  {len(report.analysis):,} connections, {len(report.analysis.findings)} findings")
    return run.memory < MOST_MEMORY


def write_fleet(folder: Path, kind: Kind, files: int) -> None:
    """So many captures, each an hour later than the one before, of other addresses, by four hosts in turn."""
    folder.mkdir()
    base = folder / "base"
    sizes = ["--packets", str(kind.packets), "--connections", str(kind.connections)]
    subprocess.run([sys.executable, GENERATE, base, *sizes], check=True, stdout=subprocess.DEVNULL)
    octets = np.frombuffer(base.read_bytes(), np.uint8)
    base.unlink()
    starts = np.fromiter(records(octets), np.int64)
    for number in range(files):
        shifted = octets.copy()
        seconds = np.ascontiguousarray(shifted[starts[:, None] + np.arange(4)]).view("<u4")[:, 0] + 3600 * number
        shifted[starts[:, None] + np.arange(4)] = seconds.astype("<u4")[:, None].view(np.uint8)
        for place in (SOURCE_AT, TARGET_AT):
            shifted[starts + RECORD + place] = 11 + number
        host = folder / f"web-{number % 4}"
        host.mkdir(exist_ok=True)
        (host / f"eth0-{number:04}.pcap").write_bytes(shifted.tobytes())


def records(octets: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Iterator[int]:
    """Where each record of a pcap begins."""
    view, at = memoryview(octets.data), HEADER
    while at < len(view):
        yield at
        at += RECORD + int(struct.unpack_from("<I", view, at + 8)[0])


if __name__ == "__main__":
    sys.exit(main())
