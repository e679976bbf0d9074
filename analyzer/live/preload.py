"""A live analysis of packets made up here, before the rights go: what it loads may lie where others cannot read.

An installation of root's own is closed to the user that the analysis goes on as, and much of it is loaded when it is
first needed: rules, profiles, what writes the result.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Iterator
from typing import TextIO

from analyzer.analysis import Analysis
from analyzer.kernels import Kernels
from analyzer.live.session import Live
from analyzer.live.sources import OfOthers
from analyzer.tcp import ACK, PSH, RST, SECOND, SYN
from analyzer.wire import ETHERTYPE_IPV4, LINKTYPE_ETHERNET, PCAP_NANOSECONDS

PROTOCOL_TCP = 6


class _Sink(io.StringIO):
    """Takes what is told, and passes for what will take it in earnest."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._terminal = out.isatty()

    def isatty(self) -> bool:
        """Whether that is a terminal."""
        return self._terminal


class _Made(OfOthers):
    """A stream of packets that are made up."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.output = os.fdopen(reading, "rb", buffering=0)
        with os.fdopen(writing, "wb") as pipe:  # they are far fewer than it takes
            pipe.write(struct.pack("<IHHiIII", PCAP_NANOSECONDS, 2, 4, 0, 0, 1 << 16, LINKTYPE_ETHERNET))
            for time, frame in sorted(_packets()):
                pipe.write(struct.pack("<IIII", *divmod(time, SECOND), len(frame), len(frame)) + frame)

    def stop(self) -> None:
        """It has ended."""

    def close(self) -> None:
        """Read no more."""
        self.output.close()


def rehearse(
    kernels: Kernels,
    prepare: Callable[[Live, TextIO], None],
    write: Callable[[Analysis, TextIO], None],
    out: TextIO,
) -> None:
    """Do all that the analysis will do, `prepare` and `write` the result included, as for `out`, with nothing said."""
    import linecache  # noqa: F401 - what tells of errors that nobody expects
    import traceback  # noqa: F401

    from analyzer.knowledge.matching import middleboxes, profiles

    profiles()
    middleboxes()
    sink = _Sink(out)
    # With no more than one connection in memory the others leave it for the disk.
    run = Live(kernels, idle_after=SECOND, notify=lambda text: None, most=1)
    try:
        prepare(run, sink)
        run.intake.read("rehearsal", _Made())
        run.run()
        write(run.finish(), sink)
    finally:
        run.close()


def _packets() -> Iterator[tuple[int, bytes]]:
    """Times and frames of connections that end in all that there is to tell: probes answered, in vain, resets."""
    for number in range(4):
        port, start = 40000 + number, number * SECOND
        client, server = (1, port), (2, 7000)
        yield start, _frame(client, server, 0, 0, SYN)
        yield start + 1, _frame(server, client, 0, 1, SYN | ACK)
        yield start + 2, _frame(client, server, 1, 1, ACK)
        yield start + 3, _frame(client, server, 1, 1, PSH | ACK, b"question")
        yield start + 4, _frame(server, client, 1, 9, PSH | ACK, b"answer")
        yield start + 5, _frame(client, server, 9, 7, ACK)
        for probe in range(1, 6):
            yield start + probe * 15 * SECOND, _frame(client, server, 8, 7, ACK)
            if probe < 3:
                yield start + probe * 15 * SECOND + 1, _frame(server, client, 7, 9, ACK)
        if number:
            by_client = number > 1
            ends = (client, server, 9, 7) if by_client else (server, client, 7, 9)
            yield start + 90 * SECOND, _frame(*ends, RST | ACK)


def _frame(
    source: tuple[int, int], target: tuple[int, int], seq: int, ack: int, flags: int, payload: bytes = b""
) -> bytes:
    """A TCP segment in IPv4 and Ethernet, from the last octet of an address of TEST-NET-1 and a port."""
    tcp = struct.pack("!HHIIBBHHH", source[1], target[1], seq, ack, 5 << 4, flags, 1000, 0, 0) + payload
    addresses = b"".join(bytes([192, 0, 2, host]) for host, _ in (source, target))
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, PROTOCOL_TCP, 0) + addresses
    return bytes(12) + struct.pack("!H", ETHERTYPE_IPV4) + ip + tcp
