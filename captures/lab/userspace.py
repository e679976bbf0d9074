"""A prober outside the kernel: it copies a connection's numbers and sends what the kernel never would."""

import socket
import struct

from recorder import read_segments
from stage import Stage

TTL = 64
TCP = 6
ACK = 0x10


def send_garbage_octet(stage: Stage, number: int = 0) -> None:
    """Send one zero octet just below the next sequence number of a connection's client, as Windows does."""
    talk = stage.talks[number]
    source, destination = talk.addresses
    segments = read_segments(stage.witness_path("client"))
    # The numbers are those of the last ordinary segment; probes sent before are below them.
    last = [one for one in segments if one.source == source and one.length != 1][-1]
    if last.seq is None or last.ack is None or last.window is None:
        raise RuntimeError("the client has not said anything yet")
    seq = (last.seq + last.length - 1) % 2**32
    ports = struct.pack("!HH", source[1], destination[1])
    rest = struct.pack("!IIBBHHH", seq, last.ack, 5 << 4, ACK, last.window, 0, 0)
    segment = _with_checksum(ports + rest + b"\0", source[0], destination[0])
    with stage.client.entered(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(_ip_header(source[0], destination[0], len(segment)) + segment, (destination[0], 0))
    talk.client.injected += 1


def _with_checksum(segment: bytes, source: str, destination: str) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    total = _ones_sum(addresses + struct.pack("!BBH", 0, TCP, len(segment)) + segment)
    return segment[:16] + struct.pack("!H", ~total & 0xFFFF) + segment[18:]


def _ones_sum(data: bytes) -> int:
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _ip_header(source: str, destination: str, length: int) -> bytes:
    # Identification and checksum are left 0: the kernel fills them in.
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, TTL, TCP, 0) + addresses
