"""`keepalive live`: its memory in a soak, its rate through a pipe, its time beside tcpdump's on a loaded loopback."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench_analyze import WORKLOADS, ensure_capture
from loopback import TICKS, TRAFFIC, run_beside
from measure import AS_INSTALLED, ProcessFailed, failure
from soak import Soak
from soaking import put_through

MEGABYTE = 1_000_000
FULL = Soak()
# Ours by tcpdump's time to take ten million packets out of a pipe, at most. tcpdump keeps nothing; of the soak's
# packets every fifth is a new connection, which is kept. Nobody else tells events: no limit.
RATIOS = {"conversations": 2.5, "soak": 5.0}
GROWTH = 1.05
EARLY, LATE = 1, 9  # tenths of the packets, from 0
SECONDS = 5
Part = Callable[[argparse.Namespace], bool]


def soak(options: argparse.Namespace) -> bool:
    """Ten million packets of two million short connections over a thousand long ones: all told, memory flat."""
    soaked = put_through(FULL, options.command)
    wrong, (resident, anonymous) = soaked.judge(), zip(*soaked.tenths(), strict=True)
    for name, level in (
        ("resident", resident),
        ("without pages of files", anonymous),
        ("resident at most", next(zip(*soaked.tenths(max), strict=True))),
    ):
        print(f"soak: MB by tenth, {name}:", *(f"{octets / MEGABYTE:.0f}" for octets in level))
    growth = resident[LATE] / resident[EARLY]
    print(f"soak: last tenth / second tenth, resident: {growth:.3f} (at most {GROWTH}): {held(growth <= GROWTH)}")
    print(
        f"soak: {FULL.packets} packets, {sum(soaked.told.values())} events, {sum(soaked.flows.values())} flows: "
        + ("; ".join(wrong[:5]) or "all as generated")
        + f": {held(not wrong)}"
    )
    print(f"soak: {FULL.packets / soaked.seconds / 1e6:.2f} million packets/s as generated, with events")
    return not wrong and growth <= GROWTH


def rate(options: argparse.Namespace) -> bool:
    """Ten million packets through a pipe, beside tcpdump."""
    ok = True
    ours = [*options.command, "-", "--format"]
    tcpdump = ["tcpdump", "-n", "-r", "-", "-w", "/dev/null"]
    commands = {"tcpdump": tcpdump, "json": [*ours, "json"], "ndjson": [*ours, "ndjson"]}
    for name, path, packets in streams(options.dir):
        runs: dict[str, list[Taken]] = {tool: [] for tool in commands}
        for _ in range(options.runs):
            for tool, command in commands.items():
                runs[tool].append(through_pipe(path, command))
        peer = median(taken.read for taken in runs["tcpdump"])
        for tool, times in runs.items():
            read, processor, whole = (median(column) for column in zip(*times, strict=True))
            holds = tool != "json" or read / peer <= RATIOS[name]
            ok &= holds
            limit = f" (at most {RATIOS[name]}): {held(holds)}" if tool == "json" else ""
            print(
                f"rate: {name}, {tool}: read in {read:.2f} s, {packets / read / 1e6:.2f} million packets/s, "
                f"{packets / processor / 1e6:.2f} by processor time; over after {whole:.2f} s; "
                f"read / tcpdump's {read / peer:.2f}{limit}"
            )
    return ok


def streams(folder: Path) -> Iterator[tuple[str, Path, int]]:
    """Captures that are put through: conversations, and the soak's short connections."""
    yield "conversations", ensure_capture(folder, "10m"), WORKLOADS["10m"].packets
    path = folder / "soak.pcap"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            for octets in FULL.octets():
                file.write(octets)
        unfinished.rename(path)
    yield "soak", path, FULL.packets


class Taken(NamedTuple):
    """Seconds until all had gone through the pipe, the start included, and of processor until then; until the end."""

    read: float
    processor: float
    whole: float


def through_pipe(path: Path, command: Sequence[str]) -> Taken:
    """Put a file through a pipe into a process; raises ProcessFailed."""
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as cat:
            assert cat.stdout is not None
            with subprocess.Popen(
                command, stdin=cat.stdout, stdout=subprocess.DEVNULL, stderr=errors, env=AS_INSTALLED
            ) as process:
                cat.stdout.close()
                cat.wait()
                read = time.perf_counter() - began
                words = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
                status = process.wait()
        if status:
            raise ProcessFailed(failure(command, status, errors))
        return Taken(read, (int(words[11]) + int(words[12])) / TICKS, time.perf_counter() - began)


def beside(options: argparse.Namespace) -> bool:
    """A loaded loopback: no packet lost on the way from tcpdump, less time than it takes."""
    if os.geteuid():
        print("loopback: left out: only root can make a network namespace", file=sys.stderr)
        return True
    ok = True
    for traffic in TRAFFIC:
        run = run_beside(options.command, traffic, SECONDS)
        ok &= run.complete and run.ours_s < run.tcpdump_s
        print(
            f"loopback: {run.name}: {run.captured} packets captured, {run.counted} counted; {run.dropped} dropped by "
            f"the kernel, {run.dropped_told} told: {held(run.complete)}"
        )
        print(
            f"loopback: {run.name}: processor s in {run.seconds:.1f} s: ours {run.ours_s:.2f}, tcpdump's "
            f"{run.tcpdump_s:.2f}: {run.ours_s / max(run.tcpdump_s, 0.01):.2f} (below 1): "
            + held(run.ours_s < run.tcpdump_s)
        )
    return ok


def held(holds: bool) -> str:
    """The word for it."""
    return "held" if holds else "NOT held"


PARTS: dict[str, Part] = {"soak": soak, "rate": rate, "loopback": beside}


def main() -> int:
    """Measure what was asked for; exit with 1 when a limit does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--runs", type=int, default=3, help="of each rate (default: 3)")
    directory = Path(tempfile.gettempdir()) / "keepalive-benchmarks"
    parser.add_argument("--dir", type=Path, default=directory, help="of the captures (default: %(default)s)")
    parser.add_argument(
        "--command", type=shlex.split, default=["keepalive", "live"], help="ours (default: keepalive live)"
    )
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(AttributeError):  # a line as soon as it is known
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    results = [PARTS[name](options) for name in options.only or PARTS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
