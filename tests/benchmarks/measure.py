"""Measure whole processes: wall time, processor time and peak resident set size."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import BinaryIO

# getrusage(2): ru_maxrss is in kilobytes on Linux, in bytes on macOS.
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
METRICS = ("wall", "cpu", "rss")
# As installed: pip writes bytecode, and so does the first run of an editable installation, unless told not to.
AS_INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took: wall and cpu (user + system) in seconds, rss (its peak) in bytes."""

    wall: float
    cpu: float
    rss: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median and maximum of one metric over the runs."""

    minimum: float
    median: float
    maximum: float


class ProcessFailed(RuntimeError):
    """A measured process ended with a status other than zero."""


def run_measured(command: Sequence[str], stdout: Path) -> Usage:
    """Run a command to its end with its standard output in a file.

    A child's ru_maxrss starts at the resident set of the process that forked it, so callers stay small:
    captures are generated in a process of their own.
    """
    with stdout.open("wb") as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=AS_INSTALLED)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        # Popen must not wait for a process that wait4 has already reaped.
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise ProcessFailed(failure(command, process.returncode, errors))
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * MAXRSS_UNIT)


def failure(command: Sequence[str], status: int, errors: BinaryIO) -> str:
    """Return a message with the last lines that a failed process wrote to its standard error."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").splitlines()[-5:]
    return "\n".join([f"{' '.join(command)}: status {status}", *lines])


def run_interleaved(commands: Mapping[str, Sequence[str]], runs: int, outputs: Path) -> dict[str, list[Usage]]:
    """Return the usages of every command, run in turn so that a slow spell of the machine meets all."""
    usages: dict[str, list[Usage]] = {tool: [] for tool in commands}
    for tool, command in commands.items():
        run_measured(command, outputs / tool)
    tools = list(commands)
    for run in range(runs):
        first = run % len(tools)
        for tool in tools[first:] + tools[:first]:
            usages[tool].append(run_measured(commands[tool], outputs / tool))
    return usages


def values(usages: Iterable[Usage], metric: str) -> list[float]:
    """Return one metric of every run."""
    return [float(getattr(usage, metric)) for usage in usages]


def spread(usages: Iterable[Usage], metric: str) -> Spread:
    """Return minimum, median and maximum of one metric."""
    measured = values(usages, metric)
    return Spread(min(measured), median(measured), max(measured))


def median_ratio(ours: Sequence[Usage], peer: Sequence[Usage], metric: str) -> float:
    """Return the ratio of the two medians."""
    return median(values(ours, metric)) / median(values(peer, metric))


def pairwise_ratio(ours: Sequence[Usage], peer: Sequence[Usage], metric: str) -> float:
    """Return the median of the ratios of runs made next to each other."""
    pairs = zip(values(ours, metric), values(peer, metric), strict=True)
    return median(one / other for one, other in pairs)
