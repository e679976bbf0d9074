"""Record connections drawn at random on this machine's kernel, analyse each once, and print how many were understood.

    python tests/support/first_contact.py [SEED] [--count N] [--kinds KIND ...]

Needs what `captures/lab/record.py` needs: Linux, root, and its programs. What is not understood points at the model;
the recordings are kept, and said where.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "captures" / "lab"))
from truths import disagreements

RECORD = Path(__file__).parents[2] / "captures" / "lab" / "record.py"


def main() -> int:
    """Record, compare, print; the exit status is how many were not understood, or 1 where nothing was recorded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seed", type=int, nargs="?", default=int(time.time()))
    parser.add_argument("--count", type=int, help="how many connections (default: one of each kind)")
    parser.add_argument("--kinds", nargs="+", default=[], help="these kinds alone (captures/lab/draw.py)")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="first-contact-"))
    command = [sys.executable, str(RECORD), "--random", str(arguments.seed), "--out", str(folder)]
    command += ["--count", str(arguments.count)] if arguments.count else []
    command += ["--kinds", *arguments.kinds] if arguments.kinds else []
    subprocess.run(command, check=False)
    truths = sorted(folder.glob("*/truth.json"))
    failed = 0
    for path in truths:
        wrong = disagreements(path)
        failed += bool(wrong)
        print(f"{path.parent.name}: {wrong or 'understood'}")
    print(f"seed {arguments.seed}: {len(truths) - failed} of {len(truths)} understood; the recordings are in {folder}")
    return failed if truths else 1


if __name__ == "__main__":
    sys.exit(main())
