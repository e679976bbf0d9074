"""The share of statements and branches that tests reach, by package, and what modules below a limit lack.

Reads what `coverage json -o -` writes: coverage_table.py < FILE.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIMIT = 95.0
COUNTS = ("num_statements", "covered_lines", "num_branches", "covered_branches")


def package(path: str) -> str:
    """The room that a module is in; kernels by their directories."""
    parts = Path(path).parts[1:-1]
    return "/".join(parts if parts[:1] == ("kernels",) else parts[:1]) or "top level"


def shares(counts: Mapping[str, int]) -> str:
    """Statements, branches, and both together, in percent."""
    statements, reached, branches, taken = (counts[name] for name in COUNTS)
    both = percent(reached + taken, statements + branches)
    return f"{percent(reached, statements):6.1f} {percent(taken, branches):6.1f} {both:6.1f}"


def percent(part: int, whole: int) -> float:
    """A share; of nothing all is reached."""
    return 100 * part / whole if whole else 100.0


def missing(module: Mapping[str, Any]) -> str:
    """The lines that nothing runs, and the jumps that nothing takes from lines that run."""
    lines = set(module["missing_lines"])
    jumps = [f"{a}->{'exit' if b < 0 else b}" for a, b in module["missing_branches"] if a not in lines]
    return " ".join([*map(str, sorted(lines)), *jumps])


def main() -> None:
    """Print both tables."""
    modules = json.load(sys.stdin)["files"]
    rooms: dict[str, Counter[str]] = defaultdict(Counter)
    for path, module in modules.items():
        counts = {name: module["summary"][name] for name in COUNTS}
        rooms[package(path)].update(counts)
        rooms["all"].update(counts)
    print(f"{'':24} statements, branches, both (%)")
    for name, counts in sorted(rooms.items()):
        print(f"{name:24} {shares(counts)}")
    low = sorted((one["summary"]["percent_covered"], path) for path, one in modules.items())
    print(f"\nbelow {LIMIT:g} %:")
    for share, path in low:
        if share < LIMIT:
            print(f"{path:48} {shares(modules[path]['summary'])}  {missing(modules[path])}")


if __name__ == "__main__":
    main()
