"""The processes that capture: one for each interface, which hands on a stream of pcap and says what goes wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from typing import Protocol

# By interface: how its process is called, and how where the link type knows no VLAN tags.
Commands = Mapping[str, tuple[list[str], list[str]]]
PATIENCE_S = 2
# What tcpdump takes for the question how many packets there were (tcpdump(8)); BSD and macOS have a signal for such.
STATISTICS: signal.Signals = getattr(signal, "SIGINFO", None) or signal.SIGUSR1


class Capturers(Protocol):
    """Who starts and ends the processes that capture."""

    names: list[str]

    def start(self, name: str, *, vlan: bool) -> tuple[int, int]:
        """Capture on an interface: the descriptors of its stream and of what it says. Raises OSError."""

    def ask(self, name: str) -> None:
        """Have it say its statistics so far. Raises OSError."""

    def stop(self, name: str) -> None:
        """Have it end: it hands on what it has, says its statistics, and closes its output. Raises OSError."""

    def reap(self, name: str) -> int | None:
        """Wait for its end, which does not take long, or bring it about; its status if that is known."""

    def close(self) -> None:
        """End all."""


class Children:
    """Those that this process starts with its own rights, by commands that are fixed from the beginning."""

    def __init__(self, commands: Commands) -> None:
        self.names = list(commands)
        self._commands = commands
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *, vlan: bool) -> tuple[int, int]:
        """See `Capturers`."""
        self.reap(name)
        process: subprocess.Popen[bytes] = subprocess.Popen(
            self._commands[name][not vlan],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # an interrupt from the keyboard is for us: it is told to end when we have read
        )
        self._running[name] = process
        assert process.stdout is not None and process.stderr is not None
        with process.stdout as output, process.stderr as errors:
            return os.dup(output.fileno()), os.dup(errors.fileno())

    def ask(self, name: str) -> None:
        """See `Capturers`."""
        self._signal(name, STATISTICS)

    def stop(self, name: str) -> None:
        """See `Capturers`."""
        self._signal(name, signal.SIGINT)

    def _signal(self, name: str, number: signal.Signals) -> None:
        if name in self._running:
            with contextlib.suppress(ProcessLookupError):
                self._running[name].send_signal(number)

    def reap(self, name: str) -> int | None:
        """See `Capturers`."""
        self.stop(name)
        process = self._running.pop(name, None)
        if process is None:
            return None
        try:
            return process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def close(self) -> None:
        """See `Capturers`; nobody reads their output any more."""
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()
        self._running.clear()
