"""Capture files byte by byte, written from the format drafts alone: pcap and pcapng, whole or cut."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SECOND = 10**9
ETHERNET = 1
SECTION_HEADER = 0x0A0D0D0A
INTERFACE, SIMPLE_PACKET, NAMES, STATISTICS, ENHANCED_PACKET, SECRETS, CUSTOM = 1, 3, 4, 5, 6, 10, 0x40000BAD
IF_NAME, IF_TSRESOL, IF_TSOFFSET = 2, 9, 14
OPT_COMMENT = 1


class Captured(NamedTuple):
    """One packet of a capture: its captured bytes, when (nanoseconds), and how long it was on the wire."""

    octets: bytes
    time: int
    wire_length: int
    link: int = ETHERNET


def captured(octets: bytes, time: int, *, snaplen: int | None = None, link: int = ETHERNET) -> Captured:
    """A packet of which no more than `snaplen` bytes were captured."""
    return Captured(octets[:snaplen], time, len(octets), link)


def pcap_header(order: str, nanoseconds: bool, link: int = ETHERNET, snaplen: int = 262144) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)


def pcap_record(order: str, nanoseconds: bool, packet: Captured) -> bytes:
    whole, rest = divmod(packet.time, SECOND)
    fraction = rest if nanoseconds else rest // 1000
    return struct.pack(order + "IIII", whole, fraction, len(packet.octets), packet.wire_length) + packet.octets


def pcap(packets: Iterable[Captured], order: str = "<", nanoseconds: bool = False, link: int = ETHERNET) -> bytes:
    """A classic capture."""
    records = (pcap_record(order, nanoseconds, packet) for packet in packets)
    return pcap_header(order, nanoseconds, link) + b"".join(records)


def padded(octets: bytes) -> bytes:
    """Filled up to 32 bits."""
    return octets + bytes(-len(octets) % 4)


def block(order: str, kind: int, body: bytes) -> bytes:
    """Any pcapng block."""
    length = struct.pack(order + "I", 12 + len(padded(body)))
    return struct.pack(order + "I", kind) + length + padded(body) + length


def option(order: str, code: int, value: bytes) -> bytes:
    """One option of a block."""
    return struct.pack(order + "HH", code, len(value)) + padded(value)


def section(order: str, length: int = -1, options: bytes = b"") -> bytes:
    """A section header block."""
    return block(order, SECTION_HEADER, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, length) + options)


def interface(
    order: str, link: int = ETHERNET, tsresol: int | None = None, tsoffset: int | None = None, snaplen: int = 0
) -> bytes:
    """An interface description block; other options stand around those of time."""
    options = option(order, IF_NAME, b"probe0")
    if tsresol is not None:
        options += option(order, IF_TSRESOL, bytes([tsresol]))
    if tsoffset is not None:
        options += option(order, IF_TSOFFSET, struct.pack(order + "q", tsoffset))
    return block(order, INTERFACE, struct.pack(order + "HHI", link, 0, snaplen) + options + option(order, 0, b""))


def enhanced(order: str, number: int, ticks: int, octets: bytes, wire_length: int, comment: bytes = b"") -> bytes:
    """An enhanced packet block of interface `number`."""
    head = struct.pack(
        order + "IIIII", number, (ticks >> 32) & 0xFFFFFFFF, ticks & 0xFFFFFFFF, len(octets), wire_length
    )
    options = option(order, OPT_COMMENT, comment) + option(order, 0, b"") if comment else b""
    return block(order, ENHANCED_PACKET, head + padded(octets) + options)


def simple(order: str, octets: bytes, wire_length: int) -> bytes:
    """A simple packet block."""
    return block(order, SIMPLE_PACKET, struct.pack(order + "I", wire_length) + octets)


def pcapng(packets: Iterable[Captured], order: str = "<", link: int = ETHERNET, tsresol: int = 9) -> bytes:
    """One section, one interface, enhanced packet blocks; `tsresol` is a power of ten."""
    unit = 10 ** (9 - tsresol)
    blocks = (enhanced(order, 0, p.time // unit, p.octets, p.wire_length) for p in packets)
    return section(order) + interface(order, link, tsresol) + b"".join(blocks)


def boundaries(data: bytes) -> list[int]:
    """Where a cut hurts nothing: the end of the file header and of each record or block."""
    return list(_pcapng_boundaries(data) if data[:4] == b"\n\r\r\n" else _pcap_boundaries(data))


def _pcap_boundaries(data: bytes) -> Iterator[int]:
    order = "<" if data[0] in (0xD4, 0x4D) else ">"
    at = 24
    while at < len(data):
        yield at
        at += 16 + int(struct.unpack_from(order + "I", data, at + 8)[0])
    yield at


def _pcapng_boundaries(data: bytes) -> Iterator[int]:
    at = 0
    order = "<"
    while at < len(data):
        if data[at : at + 4] == b"\n\r\r\n":
            order = "<" if data[at + 8] == 0x4D else ">"
        at += int(struct.unpack_from(order + "I", data, at + 4)[0])
        yield at
