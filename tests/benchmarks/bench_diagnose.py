"""Time and memory of measuring, diagnosing and printing alone: a million connections, and 50,000 with many probes.

The tables are those of a generated capture, the million by repeating its connections with other addresses.
"""

from __future__ import annotations

import argparse
import io
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import MAXRSS_UNIT

from analyzer.analysis import Analysis
from analyzer.diagnose import load_rules
from analyzer.measure import measure
from analyzer.model.columns import Tracks
from analyzer.pipeline.run import analyze
from analyzer.report.layout import SCREEN, Layout
from analyzer.report.text import HOSTS_LISTED, write_text
from analyzer.tables.arrays import Column
from analyzer.tables.fields import (
    ENDPOINT_SIZE,
    EVENT_ENDPOINT,
    FLOW_SIZE,
    HEAD_SIZE,
    HIGH_LO,
    LAST_PROBE,
    PROBE_BEFORE,
    PROBE_WHO,
    PROBER_SHIFT,
)

GENERATOR = Path(__file__).with_name("generate.py")
MILLION_S, MILLION_OCTETS = 5.0, 1 << 30
PROBES_S = 0.5
TEN_SECONDS = 10_000_000_000
CAPTURES = {"million": ("diagnose", 500_000, 25_000), "probes": ("10m", 10_000_000, 50_000)}


def repeated(tracks: Tracks, times: int) -> Tracks:
    """The same connections so many times, between other hosts."""
    count, logged, kept = len(tracks.flows), len(tracks.probes), len(tracks.events)
    flows = np.empty((times * count, FLOW_SIZE), np.int64)
    probes = np.empty((times * logged, tracks.probes.shape[1]), np.int64)
    events = np.empty((times * kept, tracks.events.shape[1]), np.int64)
    for number in range(times):
        part, log, happened = (
            table[number * size : (number + 1) * size]
            for table, size in ((flows, count), (probes, logged), (events, kept))
        )
        part[:], log[:], happened[:] = tracks.flows, tracks.probes, tracks.events
        part[:, HIGH_LO] += number
        for field in (HEAD_SIZE + LAST_PROBE, HEAD_SIZE + ENDPOINT_SIZE + LAST_PROBE):
            _shift(part[:, field], number * logged)
        _shift(log[:, PROBE_BEFORE], number * logged)
        log[:, PROBE_WHO] += 2 * number * count << PROBER_SHIFT
        happened[:, EVENT_ENDPOINT] += 2 * number * count
    return Tracks(flows, probes, events)


def _shift(rows: Column, by: int) -> None:
    """Row numbers from 1, where 0 is none."""
    rows[rows > 0] += by


def measured(tracks: Tracks, end: int) -> tuple[float, Analysis]:
    """How long it takes to measure, diagnose and print, in seconds of processor time, and the result."""
    load_rules()
    begin = time.process_time()
    analysis = Analysis([], measure(tracks, end), TEN_SECONDS)
    layout = Layout(None, True, lambda text, colour: text, lines=SCREEN)
    write_text(analysis, range(len(analysis)), analysis.findings, analysis.hosts(HOSTS_LISTED), layout, io.StringIO())
    return time.process_time() - begin, analysis


def report(name: str, tracks: Tracks, end: int, seconds: float, octets: int | None) -> bool:
    """Print what it took; whether it is within the limits."""
    took, analysis = min((measured(tracks, end) for _ in range(1 if octets else 3)), key=lambda one: one[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT
    held = took <= seconds and (octets is None or peak <= octets)
    print(
        f"{name}: {len(analysis)} connections, {int(analysis.facts.probes.sum())} probes, "
        f"{len(analysis.findings)} findings: {took:.2f} s (at most {seconds} s), peak {peak / 1e6:.0f} MB"
        + (f" (at most {octets / 1e6:.0f} MB)" if octets else "")
        + (": held" if held else ": NOT held")
    )
    return held


def main() -> int:
    """Measure both; exit with 1 when a limit does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "keepalive-benchmarks")
    parser.add_argument("--only", choices=("million", "probes"))
    arguments = parser.parse_args()
    if arguments.only is None:  # each in a process of its own: peaks of memory do not add up
        command = [sys.executable, __file__, "--dir", str(arguments.dir), "--only"]
        return max(subprocess.run([*command, one], check=False).returncode for one in ("million", "probes"))
    name, packets, connections = CAPTURES[arguments.only]
    path = arguments.dir / f"{name}.pcap"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        sizes = ["--packets", str(packets), "--connections", str(connections)]
        subprocess.run([sys.executable, str(GENERATOR), *sizes, str(path)], check=True)
    facts = analyze(str(path)).facts
    if arguments.only == "million":
        tracks, end = repeated(facts.tracks, 40), facts.end
        del facts
        return 0 if report("a million", tracks, end, MILLION_S, MILLION_OCTETS) else 1
    return 0 if report("many probes", facts.tracks, facts.end, PROBES_S, None) else 1


if __name__ == "__main__":
    sys.exit(main())
