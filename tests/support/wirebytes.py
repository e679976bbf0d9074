"""Segments of a made-up conversation as the bytes of a capture file; scapy makes the same (test_wirebytes.py)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from frames_in_bytes import DESTINATION, HOP_BY_HOP, ICMP, ICMPV6, TCP, VLAN, ethernet, ipv4, ipv6, packed, tcp

PCAP_NANOSECONDS = 0xA1B23C4D
PCAP_MICROSECONDS = 0xA1B2C3D4
ETHERNET = 1
WRAP = 1 << 32


@dataclass(frozen=True)
class Host:
    """Where segments come from and go to."""

    address: str
    port: int
    ttl: int = 64


@dataclass(frozen=True)
class Encapsulation:
    """What lies around TCP."""

    v6: bool = False
    vlan: int | None = None
    extension_headers: bool = False


@dataclass(eq=False)
class Segment:
    """One segment as the capture point sees it; `frame` is known once the capture has been put together."""

    time: int
    sender: str
    source: Host
    target: Host
    flags: str
    seq: int
    ack: int = 0
    payload: bytes = b""
    window: int = 502
    ip_id: int = 0
    options: list[tuple[str, Any]] = field(default_factory=list)
    around: Encapsulation = field(default_factory=Encapsulation)
    captured: bool = True
    copies: int = 1
    frame: int = 0
    error_about: Segment | None = None  # this is an ICMP error from a router, and quotes that segment


# RFC 9293 3.2, RFC 7323, RFC 2018: kind, length, value.
OPTIONS: dict[str, Callable[[Any], bytes]] = {
    "MSS": lambda value: struct.pack("!BBH", 2, 4, value),
    "WScale": lambda value: bytes([3, 3, value]),
    "SAckOK": lambda value: bytes([4, 2]),
    "SAck": lambda value: struct.pack(f"!BB{len(value)}I", 5, 2 + 4 * len(value), *value),
    "Timestamp": lambda value: struct.pack("!BBII", 8, 10, *value),
    "NOP": lambda value: bytes([1]),
}
FLAGS = "FSRPAUEC"
PADDED = bytes([0, 1, 4, 0, 0, 0, 0])  # an extension header that holds a PadN alone, but for what follows it


def summed(octets: bytes) -> bytes:
    """The checksum of RFC 1071."""
    total = sum(struct.unpack(f"!{(len(octets) + 1) // 2}H", octets + bytes(len(octets) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)


def in_ip(segment: Segment, protocol: int, octets: bytes, checksum_at: int, ttl: int, ip_id: int) -> bytes:
    """A packet of what another protocol says, that protocol's checksum put in."""
    source, target = segment.source.address, segment.target.address
    begins = (
        b"" if protocol == ICMP else packed(source) + packed(target) + struct.pack("!IHH", len(octets), 0, protocol)
    )
    octets = octets[:checksum_at] + summed(begins + octets) + octets[checksum_at + 2 :]
    if not segment.around.v6:
        packet = ipv4(octets, protocol, source=source, destination=target, ttl=ttl, identification=ip_id)
        return packet[:10] + summed(packet[:20]) + packet[12:]
    if segment.around.extension_headers and protocol == TCP:
        octets, protocol = bytes([DESTINATION]) + PADDED + bytes([protocol]) + PADDED + octets, HOP_BY_HOP
    return ipv6(octets, protocol, source=source, destination=target, hops=ttl)


def tcp_packet(segment: Segment, copy: int = 0) -> bytes:
    """The segment from the IP header on."""
    octets = tcp(
        segment.source.port,
        segment.target.port,
        seq=segment.seq % WRAP,
        ack=segment.ack % WRAP,
        flags=sum(1 << FLAGS.index(letter) for letter in segment.flags),
        window=segment.window,
        options=b"".join(OPTIONS[name](value) for name, value in segment.options),
        payload=segment.payload,
    )
    return in_ip(segment, TCP, octets, 16, segment.source.ttl - copy, segment.ip_id)


def icmp_packet(segment: Segment, about: Segment, copy: int = 0) -> bytes:
    """A router's "host unreachable" that quotes the other segment."""
    quoted, ttl = tcp_packet(about), segment.source.ttl - copy if copy else 64
    if segment.around.v6:
        return in_ip(segment, ICMPV6, bytes([1, 3, 0, 0, 0, 0, 0, 0]) + quoted, 2, ttl, 1)
    # IPv4 routers promise no more than the header and eight bytes (RFC 792).
    return in_ip(segment, ICMP, bytes([3, 1, 0, 0, 0, 0, 0, 0]) + quoted[:28], 2, ttl, 1)


def frame_bytes(segment: Segment, copy: int = 0) -> bytes:
    """The captured frame; a second copy has been one hop further."""
    about = segment.error_about
    packet = tcp_packet(segment, copy) if about is None else icmp_packet(segment, about, copy)
    frame = ethernet(packet)
    if segment.around.vlan is None:
        return frame
    return frame[:12] + struct.pack("!HH", VLAN, segment.around.vlan) + frame[12:]


COPY_AFTER_NS = 1_000_000


def in_order(segments: Iterable[Segment]) -> list[tuple[int, Segment, int]]:
    """What was captured, as (time, segment, number of the copy) in order of time; numbers the frames."""
    shots = [
        (segment.time + copy * COPY_AFTER_NS, segment, copy)
        for segment in segments
        if segment.captured
        for copy in range(segment.copies)
    ]
    shots.sort(key=lambda shot: shot[0])
    for number, (_, segment, copy) in enumerate(shots, 1):
        if copy == 0:
            segment.frame = number
    return shots


def pcap_bytes(segments: Iterable[Segment], *, nanoseconds: bool = True) -> bytes:
    """The capture file that a tcpdump at the capture point would have written."""
    magic = PCAP_NANOSECONDS if nanoseconds else PCAP_MICROSECONDS
    divisor = 1 if nanoseconds else 1000
    parts = [struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 262144, ETHERNET)]
    for time, segment, copy in in_order(segments):
        octets = frame_bytes(segment, copy)
        second, nanosecond = divmod(time, 1_000_000_000)
        parts.append(struct.pack("<IIII", second, nanosecond // divisor, len(octets), len(octets)))
        parts.append(octets)
    return b"".join(parts)
