"""The command line as users run it: another process, its output, its exit status."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from results import ROOT

from analyzer.cli import app

Variables = dict[str, str]
KEEPALIVE = [sys.executable, "-m", "analyzer"]
PLAIN_ENVIRONMENT = {"PYTHONPATH": str(ROOT), "TZ": "UTC", "COLUMNS": "200", "TERM": "xterm"}


def environment(changes: Variables | None = None) -> Variables:
    """The environment, without what would colour or resize the output."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "LINES")}
    return {**kept, **PLAIN_ENVIRONMENT, **(changes or {})}


def keepalive(
    *arguments: str | Path, stdin: bytes = b"", variables: Variables | None = None, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end."""
    command = [*prefix, *KEEPALIVE, *map(str, arguments)]
    return subprocess.run(
        command, input=stdin, capture_output=True, env=environment(variables), check=False, timeout=120
    )


def output(*arguments: str | Path, variables: Variables | None = None) -> str:
    """Standard output of a command that succeeds and has nothing to remark."""
    run = keepalive(*arguments, variables=variables)
    assert (run.returncode, run.stderr) == (0, b"")
    return run.stdout.decode()


def inside(*arguments: str | Path) -> str:
    """Standard output of a command that succeeds, run within this process: for tests that need many."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = app([str(argument) for argument in arguments], standalone_mode=False)
    assert not status
    return out.getvalue()


def as_json(*arguments: str | Path) -> dict[str, Any]:
    """The result of `analyze --format json`, numbers exact."""
    whole: dict[str, Any] = json.loads(inside("analyze", *arguments, "--format", "json"), parse_float=Decimal)
    return whole


def streams(*arguments: str | Path) -> list[int]:
    """The streams that a selection shows."""
    return [flow["stream"] for flow in as_json(*arguments)["flows"]]
