"""The README's output, as its commands print it: `python tests/support/readme_output.py --write` renews it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- output of: (.+?) -->\n```\n)(.*?)(```)", re.DOTALL)


def renewed(text: str) -> str:
    """The README with what its commands print now."""
    return BLOCK.sub(lambda match: f"{match[1]}$ {match[2]}\n{_output(match[2])}{match[4]}", text)


def _output(command: str) -> str:
    command, _, first = command.partition(" | head -")  # so many lines of it
    command, _, redirected = command.partition(" < ")
    words = shlex.split(command)
    given = (ROOT / redirected).read_bytes() if redirected else b""
    program = {"keepalive": [sys.executable, "-m", "analyzer"], "python": [sys.executable]}[words[0]]
    run = subprocess.run(
        [*program, *words[1:]],
        cwd=ROOT,
        input=given,
        capture_output=True,
        check=True,
    )
    return "".join(run.stdout.decode().splitlines(keepends=True)[: int(first) if first else None])


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        README.write_text(renewed(README.read_text()))
    else:
        print(renewed(README.read_text()))
