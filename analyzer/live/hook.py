"""A command that is run for each finding, and for each that is over; it reads JSON. No shell runs it."""

from __future__ import annotations

import os
import queue
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from analyzer.errors import UsageError

LONGEST_S = 30.0  # one that takes longer is ended
MOST_WAITING = 1000
LAST_S = 10.0  # for those that still wait in the end


class Hook:
    """Runs it in a thread of its own, one after another, so that capturing does not wait."""

    def __init__(self, command: str, notify: Callable[[str], None]) -> None:
        """Raises UsageError for what is no command that we may run; `notify` is told of those that fail."""
        self._command = _words(command)
        self._notify = notify
        self._waiting: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._lost = 0
        self._worker = threading.Thread(target=self._work, daemon=True)
        self._worker.start()

    def run(self, finding: str) -> None:
        """Have it run with this on its standard input, as soon as those before have ended."""
        try:
            self._waiting.put_nowait(finding)
        except queue.Full:
            self._lost += 1

    def close(self) -> None:
        """Wait a while for those that have not run yet."""
        if self._lost:
            self._notify(f"--on-finding: {self._lost} findings came faster than the command took them")
        try:
            self._waiting.put(None, timeout=LAST_S)
            self._worker.join(LAST_S)
        except queue.Full:
            pass
        if self._worker.is_alive():
            self._notify(
                f"--on-finding: {self._waiting.qsize()} findings were not handed over: the command takes too long"
            )

    def _work(self) -> None:
        while (finding := self._waiting.get()) is not None:
            complaint = _handed_over(self._command, finding)
            if complaint:
                self._notify(f"--on-finding: {complaint}")


def try_out(command: str, finding: str) -> str:
    """Run it once; what goes wrong, or nothing. Raises UsageError for what is no command that we may run."""
    return _handed_over(_words(command), finding)


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--on-finding {command}: {error}") from error
    if not words:
        raise UsageError("--on-finding: give a command")
    if shutil.which(words[0]) is None:
        raise UsageError(f"--on-finding {words[0]}: {_why_not(words[0])}")
    return words


def _why_not(program: str) -> str:
    """Why this program cannot be run by whom we are now, and what to do."""
    if "/" not in program:
        return "no such program in PATH"
    user = f"user {os.geteuid()}" if hasattr(os, "geteuid") else "this user"
    try:
        is_directory = Path(program).is_dir()
        Path(program).stat()
    except PermissionError:
        return f"{user}, which live runs it as, may not enter the directory that it is in"
    except OSError as error:
        return error.strerror or str(error)
    if is_directory:
        return "this is a directory, not a program"
    return f"{user}, which live runs it as, may not execute it: try chmod a+rx {shlex.quote(program)}"


def _handed_over(words: list[str], finding: str) -> str:
    try:
        ended = subprocess.run(
            words,
            input=f"{finding}\n".encode(),
            stdout=sys.stderr.fileno(),  # ours is for the result
            timeout=LONGEST_S,
            check=False,
            start_new_session=True,  # an interrupt from the keyboard is for us
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return f"{words[0]} ended with status {ended.returncode}" if ended.returncode else ""
