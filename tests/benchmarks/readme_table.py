"""The README's table of speed: seconds of each tool on each capture, written between its marks."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from limits import MEGABYTE, NFSTREAM, OURS, OURS_ONE, TCPDUMP, TCPTRACE, TSHARK, UNPACK, Measurements, Subject
from measure import Usage, spread

BEGIN, END = "<!-- table of: make benchmark -->\n", "<!-- end of the table -->\n"
ROWS = {
    "5k": "5,000 packets",
    "1m": "1 million",
    "10m": "10 million",
    "100m": "100 million",
    "10m-gzip": "10 million, gzip",
    "10m-zstd": "10 million, zstd",
    "3m-pcapng": "3 million, pcapng",
}
PEERS = {TCPDUMP: "tcpdump", TCPTRACE: "tcptrace", TSHARK: "tshark", NFSTREAM: "NFStream"}
UNPACKERS = {"10m-gzip": "zcat", "10m-zstd": "zstdcat"}
CPU_INFO = Path("/proc/cpuinfo")


def write_table(path: Path, measurements: Measurements, packets: Mapping[str, int]) -> None:
    """Put the table between its marks in this file; raises ValueError where there are none."""
    text = path.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path}: no marks of the table")
    path.write_text(before + begin + "\n".join(table(measurements, packets)) + "\n" + end + after)


def table(measurements: Measurements, packets: Mapping[str, int]) -> Iterator[str]:
    """Yield its lines: medians, how far the runs of one tool lay apart, and on which machine."""
    yield f"| | keepalive | packets/s | peak | one thread | {' | '.join(PEERS.values())} |"
    yield "|---|" + "---:|" * (4 + len(PEERS))
    for name, label in ROWS.items():
        ours = measurements.get(Subject(name, OURS))
        if ours is None:
            continue
        one, unpack = (measurements.get(Subject(name, tool)) for tool in (OURS_ONE, UNPACK))
        peers = [seconds(measurements.get(Subject(name, tool))) for tool in PEERS]
        if unpack:
            peers[0] = f"({UNPACKERS[name]} {seconds(unpack)})"
        rate = packets[name] / spread(ours, "wall").median / 1e6
        peak = spread(ours, "rss").maximum / MEGABYTE
        cells = (seconds(ours), f"{rate:.2g} M", f"{peak:.0f} MB", seconds(one), *peers)
        yield f"| {label} | {' | '.join(cells)} |"
    yield ""
    runs = max(map(len, measurements.values()))
    walls = [spread(usages, "wall") for usages in measurements.values()]
    widest = max(wall.maximum / wall.minimum for wall in walls)
    yield f"Seconds, medians of {runs} runs in turn (slowest by fastest of one tool: at most {widest:.2f}); files in"
    yield f"memory; {machine()}."


def seconds(usages: list[Usage] | None) -> str:
    """The median, to two digits; nothing where it was not measured."""
    return f"{spread(usages, 'wall').median:#.2g}".rstrip(".") if usages else ""


def machine() -> str:
    """What it was measured on."""
    model = platform.processor() or platform.machine()
    if CPU_INFO.exists():
        found = re.search(r"model name\s*: (.*)", CPU_INFO.read_text())
        model = found[1] if found else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = ".".join(platform.release().split(".")[:2])
    return f"{model}, {cores} processors, {platform.system()} {system}, Python {platform.python_version()}"
