"""A short connection as IP packets: a handshake, an exchange, answered keepalive probes, then a run unanswered."""

from __future__ import annotations

import frames_in_bytes as frames
from captures_in_bytes import SECOND, Captured, captured
from frames_in_bytes import ACK, CLIENT, PSH, RST, SERVER, SYN, ethernet, ipv4, tcp

START = 1_700_000_000 * SECOND + 123_456_789
PROBES_ANSWERED, PROBES_LOST = 3, 4
_TURN = 20_000_000  # from a segment to its answer


def segment(by_client: bool, **fields: int | bytes) -> bytes:
    """An IPv4 packet of the connection from one side or the other."""
    source, destination = (CLIENT, SERVER) if by_client else (SERVER, CLIENT)
    ports = (40001, 7000) if by_client else (7000, 40001)
    return ipv4(tcp(*ports, **fields), source=source, destination=destination)  # type: ignore[arg-type]


def talk() -> list[tuple[int, bytes]]:
    """(time, IP packet) for each packet of the connection."""
    at = START
    packets = [
        (at, segment(True, seq=99, ack=0, flags=SYN, options=b"\x02\x04\x05\xb4")),
        (at + _TURN, segment(False, seq=499, ack=100, flags=SYN | ACK)),
        (at + _TURN + 1000, segment(True, seq=100, ack=500)),
        (at + 2 * _TURN, segment(True, seq=100, ack=500, flags=PSH | ACK, payload=b"ping")),
        (at + 3 * _TURN, segment(False, seq=500, ack=104, flags=PSH | ACK, payload=b"pong")),
        (at + 3 * _TURN + 1000, segment(True, seq=104, ack=504)),
    ]
    for _ in range(PROBES_ANSWERED):
        at += 10 * SECOND
        packets.append((at, segment(True, seq=103, ack=504)))
        packets.append((at + _TURN, segment(False, seq=504, ack=104)))
    at += 10 * SECOND
    for _ in range(PROBES_LOST):
        packets.append((at, segment(True, seq=103, ack=504)))
        at += 2 * SECOND
    packets.append((at, segment(True, seq=104, ack=504, flags=RST | ACK)))
    return packets


def ethernet_talk() -> list[Captured]:
    """The same, in Ethernet frames, padded as an Ethernet card pads them."""
    return [captured(ethernet(packet).ljust(60, b"\0"), time) for time, packet in talk()]


def as_captured(link: int, wrap: str) -> list[Captured]:
    """The same, wrapped by one of the link layers of `frames_in_bytes`, or bare."""
    layer = getattr(frames, wrap) if wrap else bytes
    return [captured(layer(packet), time, link=link) for time, packet in talk()]
