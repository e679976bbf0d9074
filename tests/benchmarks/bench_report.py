"""`keepalive report` of ten thousand connections: how long it takes, how large the page is, how soon it is seen."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from soak import Soak

sys.path.append(str(Path(__file__).parents[1] / "support"))
from browser import browser

CONNECTIONS = Soak(seconds=500, short_each=19, long=500, dying=40)
MOST_S, MOST_OCTETS, MOST_PAINT_MS = 15.0, 10_000_000, 2000.0


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
        began = time.monotonic()
        subprocess.run([*options.command, capture, "-o", page], check=True)
        took, size, paint = time.monotonic() - began, page.stat().st_size, first_paint(page)
    count = CONNECTIONS.short + CONNECTIONS.long
    print(f"report of {count} connections: {took:.1f} s (at most {MOST_S:.0f})")
    print(f"its size: {size / 1e6:.1f} MB (at most {MOST_OCTETS / 1e6:.0f})")
    print(f"first paint in Chromium: {paint:.0f} ms (at most {MOST_PAINT_MS:.0f})")
    return int(took > MOST_S or size > MOST_OCTETS or paint > MOST_PAINT_MS)


if __name__ == "__main__":
    sys.exit(main())
