"""Pictures that are kept, each with its command: `python tests/support/kept_pictures.py --write` renews them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).parents[1] / "baselines"
COMMANDS = {
    "timeline.png": "keepalive chart captures/crowd/capture.pcap --kind timeline --utc",
    "idle.png": "keepalive chart captures/recovered/capture.pcap --kind idle --utc",
    "intervals.png": "keepalive chart captures/recovered/capture.pcap --kind intervals --utc",
    "ladder.png": "keepalive chart captures/lost-state/capture.pcap --kind ladder --utc",
    "hosts.png": "keepalive chart captures/crowd/capture.pcap --kind hosts --utc",
}


def make(name: str, out: Path) -> None:
    """Have the command of one of them write there."""
    from analyzer.cli import app

    words = shlex.split(COMMANDS[name])[1:]
    words = [str(ROOT / word) if word.startswith("captures/") else word for word in words]
    app([*words, "-o", str(out)], standalone_mode=False)


if __name__ == "__main__":
    for name in COMMANDS:
        if sys.argv[1:] == ["--write"]:
            make(name, KEPT / name)
            (KEPT / name).chmod(0o644)
        print(name, "by", COMMANDS[name])
