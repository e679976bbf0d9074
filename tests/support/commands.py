"""The command line as users run it: another process, its output, its exit status."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import struct
import subprocess
import sys
import termios
import time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import IO, Any

import forked
from results import ROOT

from analyzer.cli import app
from analyzer.commands.exits import EXIT_NOTHING_SELECTED

Variables = dict[str, str]
ALSO_WITHOUT_MATCH = (0, None, EXIT_NOTHING_SELECTED)
KEEPALIVE = [sys.executable, "-m", "analyzer"]
PLAIN_ENVIRONMENT = {"PYTHONPATH": str(ROOT), "TZ": "UTC", "COLUMNS": "200", "TERM": "xterm"}


def environment(changes: Variables | None = None) -> Variables:
    """The environment, without what would colour or resize the output."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "LINES")}
    return {**kept, **PLAIN_ENVIRONMENT, **(changes or {})}


def keepalive(
    *arguments: str | Path, stdin: bytes = b"", variables: Variables | None = None, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end; from the start of an interpreter on where that is what something is told."""
    words = list(map(str, arguments))
    if not prefix and not any(name.startswith("PYTHON") for name in variables or ()):
        return _forks().run(words, stdin, environment(variables))
    command = [*prefix, *KEEPALIVE, *words]
    return subprocess.run(
        command, input=stdin, capture_output=True, env=environment(variables), check=False, timeout=forked.LONGEST_S
    )


@cache
def _forks() -> forked.Forks:
    return forked.Forks(environment())


def output(*arguments: str | Path, variables: Variables | None = None) -> str:
    """Standard output of a command that succeeds and has nothing to remark."""
    run = keepalive(*arguments, variables=variables)
    assert (run.returncode, run.stderr) == (0, b"")
    return run.stdout.decode()


def until_drained(pipe: IO[bytes]) -> None:
    """Wait until the reader has taken everything out of a pipe."""
    deadline = time.monotonic() + forked.LONGEST_S
    while struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def inside(*arguments: str | Path, statuses: tuple[int | None, ...] = (0, None)) -> str:
    """Standard output of a command that succeeds, run within this process: for tests that need many."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = app([str(argument) for argument in arguments], standalone_mode=False)
    assert status in statuses
    return out.getvalue()


def as_json(*arguments: str | Path) -> dict[str, Any]:
    """The result of `analyze --format json`, numbers exact; also where nothing matches a selection."""
    text = inside("analyze", *arguments, "--format", "json", statuses=ALSO_WITHOUT_MATCH)
    whole: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return whole


def streams(*arguments: str | Path) -> list[int]:
    """The streams that a selection shows."""
    return [flow["stream"] for flow in as_json(*arguments)["flows"]]
