"""Segments of a made-up conversation as the octets of a capture file, by way of scapy."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

logging.getLogger("scapy").setLevel(logging.CRITICAL)
from scapy.layers.inet import ICMP, IP, TCP  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    ICMPv6DestUnreach,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Dot1Q, Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402

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


def tcp_layers(segment: Segment) -> Any:
    """The segment from the IP header on."""
    tcp = TCP(
        sport=segment.source.port,
        dport=segment.target.port,
        seq=segment.seq % WRAP,
        ack=segment.ack % WRAP,
        flags=segment.flags,
        window=segment.window,
        options=segment.options,
    )
    ip: Any
    if segment.around.v6:
        ip = IPv6(src=segment.source.address, dst=segment.target.address, hlim=segment.source.ttl)
        if segment.around.extension_headers:
            ip = ip / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt()
    else:
        ip = IP(src=segment.source.address, dst=segment.target.address, ttl=segment.source.ttl, id=segment.ip_id)
    return ip / tcp / Raw(segment.payload) if segment.payload else ip / tcp


def icmp_layers(segment: Segment, about: Segment) -> Any:
    """A router's "host unreachable" that quotes the other segment."""
    quoted = bytes(tcp_layers(about))
    if segment.around.v6:
        return IPv6(src=segment.source.address, dst=segment.target.address) / ICMPv6DestUnreach(code=3) / quoted
    # IPv4 routers promise no more than the header and eight octets (RFC 792).
    return IP(src=segment.source.address, dst=segment.target.address) / ICMP(type=3, code=1) / quoted[:28]


def frame_bytes(segment: Segment, copy: int = 0) -> bytes:
    """The captured frame; a second copy has been one hop further."""
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    if segment.around.vlan is not None:
        ether = ether / Dot1Q(vlan=segment.around.vlan)
    layers = tcp_layers(segment) if segment.error_about is None else icmp_layers(segment, segment.error_about)
    if copy:
        name = "hlim" if segment.around.v6 else "ttl"
        setattr(layers, name, segment.source.ttl - copy)
    return bytes(ether / layers)


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
