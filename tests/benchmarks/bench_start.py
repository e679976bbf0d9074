"""How long `keepalive` takes on a small capture, beside `tshark -r`, and until it has said its version and its help."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from measure import median_ratio, pairwise_ratio, run_interleaved, spread

CAPTURE = Path(__file__).parents[2] / "captures" / "dead-peer" / "capture.pcap"
MOST = 1.0  # of what tshark takes, in processor time
OURS, PEER = "analyze", "tshark"


def main() -> int:
    """Measure; exit with 1 when we take longer than tshark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", type=shlex.split, default=["keepalive"])
    parser.add_argument("--capture", type=Path, default=CAPTURE)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    keepalive, capture = options.command, str(options.capture)
    commands = {
        OURS: [*keepalive, "analyze", capture],
        "json": [*keepalive, "analyze", "--format", "json", capture],
        "explain": [*keepalive, "explain"],
        "--help": [*keepalive, "--help"],
        "--version": [*keepalive, "--version"],
        "numpy": [sys.executable, "-c", "import numpy"],
        "python": [sys.executable, "-c", "pass"],
    }
    if shutil.which(PEER):
        commands[PEER] = [PEER, "-r", capture]
    with tempfile.TemporaryDirectory() as folder:
        usages = run_interleaved(commands, options.runs, Path(folder))
    print(f"{'seconds':12}{'wall: minimum':>16}{'median':>9}{'user+sys: minimum':>20}{'median':>9}")
    for name, runs in usages.items():
        wall, cpu = spread(runs, "wall"), spread(runs, "cpu")
        print(f"{name:12}{wall.minimum:16.3f}{wall.median:9.3f}{cpu.minimum:20.3f}{cpu.median:9.3f}")
    if PEER not in usages:
        print("tshark is not installed: nothing to compare with")
        return 0
    ratio = median_ratio(usages[OURS], usages[PEER], "cpu")
    pairs = pairwise_ratio(usages[OURS], usages[PEER], "cpu")
    print(f"analyze / tshark: {ratio:.2f} of the processor time, pairwise {pairs:.2f} (at most {MOST})")
    return int(ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())
