"""A command that is run for each finding, which it reads as JSON; never by a shell."""

from __future__ import annotations

import queue
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable

from analyzer.errors import UsageError

LONGEST_S = 30.0  # one that takes longer is ended
MOST_WAITING = 1000
LAST_S = 10.0  # for those that still wait in the end


class Hook:
    """Runs it in a thread of its own, one after another, so that capturing does not wait."""

    def __init__(self, command: str, notify: Callable[[str], None]) -> None:
        """Raises UsageError for what is no command; `notify` is told of those that fail."""
        try:
            self._command = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--on-finding {command}: {error}") from error
        if not self._command:
            raise UsageError("--on-finding: no command was named")
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
            try:
                ended = subprocess.run(
                    self._command,
                    input=f"{finding}\n".encode(),
                    stdout=sys.stderr.fileno(),  # ours is for the result
                    timeout=LONGEST_S,
                    check=False,
                    start_new_session=True,  # an interrupt from the keyboard is for us
                )
            except (OSError, subprocess.SubprocessError) as error:
                self._notify(f"--on-finding: {error}")
            else:
                if ended.returncode:
                    self._notify(f"--on-finding: {self._command[0]} ended with status {ended.returncode}")
