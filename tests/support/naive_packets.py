"""Captures as lists of packets, read by scapy: slow, obvious, and nobody's twin but scapy's."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, cast

from scapy.layers.inet import IP, TCP, TCPerror
from scapy.layers.inet6 import IPv6
from scapy.packet import Padding
from scapy.utils import PcapReader

COPY_WITHIN_NS = 5_000_000
LATE_COPY_NS = 150_000_000

Address = tuple[str, int]


@dataclass(frozen=True)
class Packet:
    """One TCP segment; with `quoted`, an ICMP error about it."""

    frame: int
    time: int
    source: Address
    target: Address
    seq: int
    ack: int
    flags: str
    length: int
    window: int
    ip_id: int | None
    timestamps: tuple[int, int] | None
    sack: tuple[int, ...]
    pushed_or_nonzero: bool = False
    quoted: bool = False

    @property
    def is_reset(self) -> bool:
        return "R" in self.flags

    @property
    def is_bare_syn(self) -> bool:
        return "S" in self.flags and "A" not in self.flags

    @property
    def space(self) -> int:
        """How many sequence numbers it takes (RFC 9293 3.4: SYN and FIN count)."""
        return self.length + ("S" in self.flags) + ("F" in self.flags)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What two copies of one packet share: all but the frame, the time and the hop limit."""
        return (
            *(self.source, self.target, self.seq, self.ack, self.flags, self.length, self.window),
            *(self.ip_id, self.timestamps, self.sack),
        )


def read(capture: bytes) -> list[Packet]:
    """The TCP segments, and the ICMP errors about any, without second copies."""
    packets = []
    counted: dict[tuple[Any, ...], int] = {}
    with PcapReader(cast(Any, io.BytesIO(capture))) as reader:
        for frame, layers in enumerate(reader, 1):
            packet = one(frame, layers)
            if packet is None:
                continue
            before = counted.get(packet.identity)
            if not packet.quoted:
                within = LATE_COPY_NS if packet.ip_id else COPY_WITHIN_NS
                if before is not None and abs(packet.time - before) <= within:
                    continue
                counted[packet.identity] = packet.time
            packets.append(packet)
    return packets


def one(frame: int, layers: Any) -> Packet | None:
    """The segment in one frame, if there is any."""
    time = int(layers.time * 10**9)
    if TCPerror in layers:
        return segment(frame, time, layers[TCPerror], quoted=True)
    if TCP in layers:
        return segment(frame, time, layers[TCP], quoted=False)
    return None


def segment(frame: int, time: int, tcp: Any, quoted: bool) -> Packet:
    """A TCP header, and the IP header below it."""
    ip = tcp.underlayer
    while not (isinstance(ip, (IP, IPv6))):
        ip = ip.underlayer
    if quoted:
        return Packet(
            frame, time, (ip.src, tcp.sport), (ip.dst, tcp.dport), tcp.seq, 0, "", 0, 0, None, None, (), quoted=True
        )
    payload = b"" if isinstance(tcp.payload, Padding) else tcp.payload.original
    # The headers say how long the payload was; the capture may have cut it off.
    below = len(ip) - len(tcp)
    whole = ip.plen + 40 if isinstance(ip, IPv6) else ip.len
    length = whole - below - 4 * tcp.dataofs if whole else len(payload)
    options = dict(tcp.options)
    return Packet(
        frame=frame,
        time=time,
        source=(ip.src, tcp.sport),
        target=(ip.dst, tcp.dport),
        seq=tcp.seq,
        ack=tcp.ack,
        flags=str(tcp.flags),
        length=length,
        window=tcp.window,
        ip_id=ip.id if isinstance(ip, IP) else None,
        timestamps=options.get("Timestamp") or None,  # cut short by the capture
        sack=tuple(options.get("SAck", ())),
        pushed_or_nonzero="P" in tcp.flags or payload[:1] not in (b"", b"\0"),
    )
