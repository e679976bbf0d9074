"""What a live analysis reads: an interface, standard input, or what somebody else writes to disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

from analyzer.backend import Backend
from analyzer.capture import standard_input
from analyzer.capture.growing import Growing
from analyzer.capture.tcpdump import Tcpdump
from analyzer.capture.tcpdump import interfaces as listed_by_tcpdump


class OfOthers:
    """What somebody else captures."""

    interface = None
    dropped = 0
    complaint = ""


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

    def stop(self) -> None:
        """Have it end soon."""

    def close(self) -> None:
        """Read no more."""


def capturer(name: str, wanted: str | None, backend: Backend, *, vlan: bool) -> Input:
    """Start to capture on an interface; raises CaptureError when that is seen at once to be impossible."""
    if backend.chosen is Backend.tcpdump:
        return Tcpdump(name, wanted, vlan=vlan)
    from analyzer.capture.sniffer import Sniffer

    return Sniffer(name, wanted, vlan=vlan)


def names_of(interfaces: Sequence[str], backend: Backend) -> list[str]:
    """The interfaces to capture on: scapy knows no `any`."""
    if backend.chosen is Backend.tcpdump or "any" not in interfaces:
        return list(interfaces)
    return interfaces_there(backend)


def interfaces_there(backend: Backend) -> list[str]:
    """The names of this host's interfaces."""
    if backend.chosen is Backend.tcpdump:
        return listed_by_tcpdump()
    from analyzer.capture.sniffer import interfaces

    return interfaces()
