"""`keepalive report` of 10,000 connections, and of 200: processor time, size of the page, first paint."""

from __future__ import annotations

import argparse
import resource
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from soak import Soak

sys.path.append(str(Path(__file__).parents[1] / "support"))
from browser import browser

CONNECTIONS = Soak(seconds=500, short_each=19, long=500, dying=40)
CROWD = Path(__file__).parents[2] / "captures" / "crowd" / "capture.pcap"
MOST_S, MOST_CROWD_S, MOST_BYTES, MOST_PAINT_MS = 5.0, 3.0, 3_000_000, 2000.0  # seconds of processor time


def processor_time(command: list[str | Path]) -> float:
    """Seconds that a command and its children took of the processors."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def first_paint(page: Path) -> float:
    """Milliseconds until something of it is seen in Chromium, at the second look."""
    with browser() as chromium:
        for _ in range(2):
            chromium.open(page)
        entries = chromium.run("return performance.getEntriesByType('paint').map(e => [e.name, e.startTime])")
    return float(dict(entries)["first-contentful-paint"])


def main() -> int:
    """Measure; exit with 1 when a limit does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", type=shlex.split, default=["keepalive", "report"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        capture, page = Path(folder) / "capture.pcap", Path(folder) / "report.html"
        capture.write_bytes(b"".join(CONNECTIONS.octets()))
        took = processor_time([*options.command, capture, "-o", page])
        size, paint = page.stat().st_size, first_paint(page)
        crowd = processor_time([*options.command, CROWD, "-o", Path(folder) / "crowd.html"])
    count = CONNECTIONS.short + CONNECTIONS.long
    print(f"report of {count} connections: {took:.1f} s of processor time (at most {MOST_S:.0f})")
    print(f"its size: {size / 1e6:.1f} MB (at most {MOST_BYTES / 1e6:.0f})")
    print(f"first paint in Chromium: {paint:.0f} ms (at most {MOST_PAINT_MS:.0f})")
    print(f"report of 200 connections: {crowd:.1f} s of processor time (at most {MOST_CROWD_S:.0f})")
    return int(took > MOST_S or crowd > MOST_CROWD_S or size > MOST_BYTES or paint > MOST_PAINT_MS)


if __name__ == "__main__":
    sys.exit(main())
