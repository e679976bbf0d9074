"""Say where the truths of two runs differ, apart from what is left to chance: compare.py FOLDER OTHER."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# How it came to be known, and on what machine.
NOT_TRUTH = ("sources", "kernel", "hz")


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a tree with its dotted path."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if items is None:
        yield path, node
        return
    for key, value in items:
        yield from leaves(value, f"{path}.{key}" if path else str(key))


def differences(first: Path, second: Path) -> Iterator[str]:
    """What one truth says otherwise than another."""
    truths = [json.loads(path.read_text(encoding="utf-8")) for path in (first, second)]
    chance = tuple(f"{path}." for path in {*truths[0].pop("chance"), *truths[1].pop("chance")})
    told = [dict(leaves({key: part for key, part in truth.items() if key not in NOT_TRUTH})) for truth in truths]
    for path in sorted(told[0].keys() | told[1].keys()):
        if told[0].get(path) != told[1].get(path) and not f"{path}.".startswith(chance):
            yield f"{first.parent.name}: {path}: {told[0].get(path)!r}, {told[1].get(path)!r}"


def main() -> int:
    """The front door; 1 where something differs."""
    folder, other = map(Path, sys.argv[1:])
    pairs = [(path, other / path.parent.name / "truth.json") for path in sorted(folder.glob("*/truth.json"))]
    both = [(first, second) for first, second in pairs if second.exists()]
    found = [line for first, second in both for line in differences(first, second)]
    print(*found, f"{len(both)} truths compared, {len(found)} differences", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
