"""The table of test files in tests/README.md."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
README = TESTS / "README.md"
ROW = re.compile(r"^\| `(\w+/test_\w+\.py)` \| .+ \| ([\d.]+) \|$", re.MULTILINE)


def seconds_of_files() -> dict[str, float]:
    """How long each test file takes, by its path in tests/."""
    return {name: float(seconds) for name, seconds in ROW.findall(README.read_text(encoding="utf-8"))}
