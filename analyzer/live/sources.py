"""What a live analysis reads: an interface, standard input, or what somebody else writes to disk."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any, Protocol

from analyzer.capture import standard_input
from analyzer.capture.follow import Growing
from analyzer.capture.interface import scapy_sniffer as sniffer
from analyzer.capture.interface import tcpdump
from analyzer.capture.interface.backend import Backend
from analyzer.capture.interface.processes import Capturers, Commands
from analyzer.errors import CaptureError

DROPPED = re.compile(r"(\d+) packets? dropped by kernel")
SETTLED_S = 2.0
_SAYS_NOTHING = re.compile(r"listening on|dropped by kernel")
KEPT_ERRORS = 20


class OfOthers:
    """What somebody else captures."""

    interface = None
    dropped = 0
    complaint = ""

    def ask(self) -> None:
        """Others are not asked."""


class StandardInput(OfOthers):
    """A stream of pcap or pcapng on standard input."""

    def __init__(self) -> None:
        self.output = standard_input()
        self._descriptor = self.output.fileno()
        self._blocking = os.get_blocking(self._descriptor)

    def stop(self) -> None:
        """It cannot be told."""

    def close(self) -> None:
        """Leave it as it was found: others may hold the same open file."""
        os.set_blocking(self._descriptor, self._blocking)


class Followed(OfOthers):
    """A capture file that is still being written."""

    def __init__(self, path: str) -> None:
        self.output = Growing(path)

    def stop(self) -> None:
        """Whoever writes it has gone on to the next: where it ends now is its end."""
        self.output.complete = True

    def close(self) -> None:
        """Read no more."""
        self.output.close()


class Input(Protocol):
    """Something to read; on an interface somebody captures for us, who says what was dropped, and why it ended."""

    output: Any

    @property
    def interface(self) -> str | None:
        """Its name; None for what others capture."""

    @property
    def dropped(self) -> int:
        """Packets that the kernel had no room for."""

    @property
    def complaint(self) -> str:
        """Why it ended."""

    def ask(self) -> None:
        """Have `dropped` be renewed soon."""

    def stop(self) -> None:
        """Have it end soon."""

    def close(self) -> None:
        """Read no more."""


class Capturer:
    """An interface that is captured on by a process, which hands on a stream of pcap and says what goes wrong."""

    def __init__(self, name: str, capturers: Capturers, *, vlan: bool) -> None:
        """Have it start; without `vlan` frames with VLAN tags are not asked for, which some link types do not know.

        Raises CaptureError when that is seen at once to be impossible, ConnectionError when nobody is there to ask.
        """
        self.interface = name
        self._capturers = capturers
        try:
            output, errors = capturers.start(name, vlan=vlan)
        except ConnectionError:
            raise
        except OSError as error:
            raise CaptureError(f"the capture cannot be started: {error.strerror}", path=name) from error
        self.output: Any = os.fdopen(output, "rb", buffering=0)
        self._errors = os.fdopen(errors, "rb")
        self._status: int | None = None
        self._said: list[str] = []
        self._began = time.monotonic()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def dropped(self) -> int:
        """How many packets the kernel dropped for want of room, as it said last."""
        found = DROPPED.findall("\n".join(self._said))
        return int(found[-1]) if found else 0

    @property
    def complaint(self) -> str:
        """What it said last that was no statistics: why it ended, where it ended by itself."""
        lines = [line for line in self._said if line and not line[0].isdigit() and not _SAYS_NOTHING.search(line)]
        return lines[-1].removeprefix("tcpdump: ") if lines else f"the capture ended with status {self._status}"

    def ask(self) -> None:
        """Have it say how many packets were dropped so far."""
        if time.monotonic() - self._began < SETTLED_S:  # a program that is not ready for the question ends by it
            return
        with contextlib.suppress(OSError):  # who has ended is noticed by the end of what it hands on
            self._capturers.ask(self.interface)

    def stop(self) -> None:
        """Have it end: it hands on what it has, says its statistics, and closes its output."""
        try:
            self._capturers.stop(self.interface)
        except ConnectionError:  # nobody can tell it: without a reader it ends by itself
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, self.output.fileno(), inheritable=False)
            os.close(nothing)

    def close(self) -> None:
        """Wait for its end, which does not take long."""
        self._status = self._capturers.reap(self.interface)
        self._listener.join(timeout=1)
        self.output.close()
        if not self._listener.is_alive():
            self._errors.close()

    def _listen(self) -> None:
        for line in self._errors:
            self._said.append(line.decode(errors="replace").strip())
            del self._said[:-KEPT_ERRORS]


def commands(interfaces: Sequence[str], wanted: str | None, backend: Backend) -> Commands:
    """By interface, how it is captured on: `wanted` is let through alone. scapy knows no `any`."""
    if backend.chosen is Backend.tcpdump:
        command = tcpdump.command
    else:
        command = sniffer.command
        interfaces = interfaces_there() if "any" in interfaces else interfaces
    return {name: (command(name, wanted, vlan=True), command(name, wanted, vlan=False)) for name in interfaces}


def interfaces_there() -> list[str]:
    """The names of this host's interfaces."""
    return [name for _, name in socket.if_nameindex()]
