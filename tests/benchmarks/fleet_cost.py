"""What scans cost up to a petabyte of captures a day: constants, a closed form, a simulation, and a scan beside it.

python tests/benchmarks/fleet_cost.py                # the table, and real scans beside it; 1 where they disagree
python tests/benchmarks/fleet_cost.py --measure      # the constants anew, beside those that stand here
python tests/benchmarks/fleet_cost.py --no-scan      # the table alone
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench_scan import Kind, write_fleet
from fleet_model import (
    CLOUD,
    DAY_S,
    GB,
    HOUR_S,
    LOCAL,
    PB,
    TB,
    Costs,
    Scan,
    a_day,
    breaks,
    estimate,
    seconds,
)
from fleet_simulation import simulate

from analyzer.fleet.cluster import Cluster, cluster
from analyzer.fleet.scan import Report, scan

MOST_OFF = 1.5  # simulated by measured, or the other way round
DAYS = {"10 GB": (10 * GB, 4), "1 TB": (TB, 64), "100 TB": (100 * TB, 1024), "1 PB": (PB, 1024)}  # with workers
REAL, REAL_FILES = Kind(400_000, 5000, 0), 8  # 340 MB


class Measured(NamedTuple):
    """A constant, and how it was measured; `count` says that it follows from the code."""

    value: float
    how: str


# 2026-11-30, AMD EPYC with 2 processors that others used, too, Linux 6.18, Python 3.11: medians of 3 runs (of 2 for
# write_connection and write_probe) of small scans in one process (`fleet_constants.py`). Seconds are of processor time,
# which differs by a third from one time to the next.
CONSTANTS = {
    "read_packet": Measured(7e-07, "s, reading a packet: fitted to bulk, idle, small and large captures"),
    "read_octet": Measured(0, "s, reading a byte of payload: the same fit, snaplen 96 and 1500; files in memory"),
    "read_file": Measured(0.00674, "s, reading a capture: the same fit, 48 captures of 3000 packets"),
    "read_block": Measured(0.000896, "s, packing a block: the same fit, 4 partitions and 256"),
    "track_packet": Measured(4.35e-07, "s, tracking a packet: fitted to bulk, idle and small captures"),
    "track_connection": Measured(5.73e-06, "s, tracking a connection: the same fit"),
    "track_block": Measured(0.00111, "s, unpacking a block: the same fit, 4 partitions and 256"),
    "write_connection": Measured(8.04e-05, "s, writing the rows of a connection: fitted to idle and small captures"),
    "write_probe": Measured(1.18e-05, "s, and those of each of its probes: the same, and small captures of one host"),
    "write_file": Measured(0.00285, "s, one file of Parquet: small captures, 48 hosts less one host"),
    "clocks_file": Measured(0.00469, "s of the one process, comparing a capture: 48 small captures"),
    "gather_connection": Measured(
        1.73e-05, "s of the one process, gathering a connection and cutting slices: idle captures"
    ),
    "finding": Measured(0.000469, "s of the one process, a finding and its row: small captures"),
    "copies": Measured(5.88e-07, "s of the one process, for a partition of a capture: adding two numbers of a table"),
    "task": Measured(0.003, "s of the one process, a task that does nothing: 1000 of them, two workers"),
    "packed_bulk": Measured(8.45, "bytes of a packet of bulk data from reading to tracking"),
    "packed_idle": Measured(18, "bytes of a packet of idle connections"),
    "packed_block": Measured(1970, "bytes of a block beside: idle captures, 256 partitions less 4"),
    "connection_octets": Measured(3100, "bytes of the one process for a connection, at its peak: tracemalloc"),
    "sampled_octets": Measured(702000, "bytes of the one process for a capture's sample: tracemalloc"),
    "block_octets": Measured(268, "bytes of the one process for where a block lies: tracemalloc"),
    "path_octets": Measured(69, "bytes in which a task that writes rows names a capture and its host: pickled"),
}
COSTS = Costs(**{name: constant.value for name, constant in CONSTANTS.items()})


def main() -> int:
    """Print the table; exit with 1 when a real scan and the simulation disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="measure the constants anew")
    parser.add_argument("--no-scan", action="store_true", help="scan nothing")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    costs = COSTS
    if options.measure:
        from fleet_constants import measure

        costs = measure(options.runs)
    print_constants(costs)
    print_days(costs)
    print_breaks(costs)
    return int(not options.no_scan and not small_end_holds(costs, options.runs))


def print_constants(costs: Costs) -> None:
    """Each as it stands here, and as it was measured now."""
    for name, constant in CONSTANTS.items():
        now = getattr(costs, name)
        anew = "" if now == constant.value else f" now {now:<9.3g}"
        print(f"{name:18}{constant.value:<9.3g}{anew} {constant.how}")


def print_days(costs: Costs) -> None:
    """What days take, by the closed form; by how much the simulation takes longer."""
    print()
    for row in days_in_rows(costs):
        print(row)
    print()
    for name, (octets, workers) in DAYS.items():
        day = a_day(octets, workers)
        form, simulated = seconds(day, costs), simulate(day, costs, CLOUD).seconds
        took = f"{form / HOUR_S:,.2f} h, simulated {simulated / HOUR_S:,.2f} h, x{simulated / form:.2f}"
        print(f"{name:7} by {workers} workers: closed form {took}")


def days_in_rows(costs: Costs) -> list[str]:
    """The table of the manual page."""
    rows = ["a day    core hours  workers for  workers for  handed over  requests  one process  its memory"]
    rows.append("                     24 hours     1 hour")
    for name, (octets, _) in DAYS.items():
        day = a_day(octets)
        found = estimate(day, costs)
        cells = (
            f"{found.core_s / HOUR_S:,.3g}" if found.core_s < 1000 * HOUR_S else f"{found.core_s / HOUR_S:,.0f}",
            workers_within(day, costs, DAY_S),
            workers_within(day, costs, HOUR_S),
            _octets(found.shuffled),
            f"{sum(found.requests.values()):.2g}",
            f"{found.serial_s / HOUR_S:,.2g} h"
            if found.serial_s < 100 * HOUR_S
            else f"{found.serial_s / HOUR_S:,.0f} h",
            _octets(found.gatherer_octets),
        )
        widths = (12, 13, 13, 13, 10, 13, 12)
        rows.append(f"{name:7}" + "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)))
    return rows


def workers_within(day: Scan, costs: Costs, within: float) -> str:
    """How many workers read, track and write a day in so many seconds; `-` where no number does.

    The one process is left out: while it works no worker does, and more workers do not help it.
    """
    found = estimate(day, costs)
    track = found.track_s + found.track_waits_s
    count = max(math.ceil(found.worker_s / within), 1)
    if count > found.partitions:  # more than that cannot track
        rest = within - track / found.partitions
        count = math.ceil((found.worker_s - track) / rest) if rest > 0 else 0
    return f"{count:,}" if count else "-"


def print_breaks(costs: Costs) -> None:
    """At which volume each limit is reached."""
    print()
    for octets, name in breaks(costs):
        print(f"{'above 1 EB' if octets > 0.9e18 else _octets(octets):>10} a day: {name}")


def _octets(count: float) -> str:
    for size, unit in ((1e18, "EB"), (PB, "PB"), (TB, "TB"), (GB, "GB")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1e6:.3g} MB"


def small_end_holds(costs: Costs, runs: int) -> bool:
    """Whether scans by one worker and by two take as long as is simulated.

    Seconds are those in which the processes had a processor or wanted none: others may use the machine.
    """
    holds = True
    with tempfile.TemporaryDirectory() as place:
        captures = Path(place) / "captures"
        write_fleet(captures, REAL, REAL_FILES)
        for count in (1, 2):
            with cluster(None, count, None) as workers:
                taken = [_scanned(captures, workers) for _ in range(runs + 1)][1:]  # the first one warms up
            clock, measured = median(one[0] for one in taken), median(one[1] for one in taken)
            report = taken[0][2]
            simulated = simulate(scan_of(report, count), costs, LOCAL, alike=True).seconds
            ratio = simulated / measured
            holds &= 1 / MOST_OFF <= ratio <= MOST_OFF
            told = (
                f"{clock:.2f} s by the clock, {measured:.2f} s undisturbed, simulated {simulated:.2f} s, x{ratio:.2f}"
            )
            print(f"{_octets(report.octets)}, workers {count}: {told}")
    return holds


def _scanned(captures: Path, workers: Cluster) -> tuple[float, float, Report]:
    """Seconds by the clock, those without waiting for a processor, and what came of a scan."""
    pids = [os.getpid(), *workers.pids()]
    with tempfile.TemporaryDirectory() as out:
        began, before = time.perf_counter(), [_scheduled(pid) for pid in pids]
        report = scan([str(captures)], out, workers)
        clock, after = time.perf_counter() - began, [_scheduled(pid) for pid in pids]
    ran, waited = (sum(new[kind] - old[kind] for new, old in zip(after, before, strict=True)) for kind in (0, 1))
    return clock, clock * ran / (ran + waited), report


def _scheduled(pid: int) -> tuple[int, int]:
    """Nanoseconds in which a process's threads ran, and in which they waited for a processor (Linux alone tells)."""
    ran, waited = 1, 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # it has ended
            mine = path.read_text(encoding="ascii").split()
            ran, waited = ran + int(mine[0]), waited + int(mine[1])
    return ran, waited


def scan_of(report: Report, workers: int, **more: int) -> Scan:
    """What a scan had to do, for the model: captures of `write_fleet`, by four hosts."""
    connections, findings = len(report.analysis), len(report.analysis.findings)
    probes = len(report.analysis.facts.tracks.probes)
    counts = (report.octets, report.packets, report.captures, connections, probes, findings)
    return Scan(*counts, min(report.captures, 4), 0.5, workers, **more)


if __name__ == "__main__":
    sys.exit(main())
