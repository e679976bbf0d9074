"""Segments from outside the kernel, with a connection's numbers: what a Linux kernel never would send, or a device."""

import socket
import struct
import time

from endpoints import Talk
from network import Namespace
from recorder import read_segments
from stage import Stage

Ends = tuple[tuple[str, int], tuple[str, int]]

TTL = 64
TCP = 6
ACK, RST = 0x10, 0x04
IPV6_HEADER = 36  # ipv6(7): IPV6_HDRINCL


def send_garbage_octet(stage: Stage, number: int = 0) -> None:
    """Send one zero byte just below the next sequence number of a connection's client, as Windows does."""
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


def send_lone_ack(stage: Stage, talk: Talk, seq: int, ack: int) -> None:
    """Send an ACK of no connection, as a scanner does to see what is let through."""
    talk.opened = time.time()
    _send(stage.client, talk.addresses, (seq, ack, ACK, 1024), 48)


def reset_both(stage: Stage, talk: Talk, hop_limit: int) -> None:
    """End a connection from the router: an RST to each end in the other's name, with the number that it waits for."""
    numbers = {}
    for role in ("client", "server"):
        own = [one for one in read_segments(stage.witness_path(role)) if one.source == talk.end(role).address]
        last = next(one for one in reversed(own) if one.destination == talk.end(role).peer)
        if last.ack is None:
            raise RuntimeError(f"the {role} has acknowledged nothing yet")
        numbers[role] = last.ack
    for role, other in (("client", "server"), ("server", "client")):
        ends = talk.end(other).address, talk.end(role).address
        _send(stage.network.hosts["router"], ends, (numbers[role], 0, RST, 0), hop_limit)
    stage.made_by_hand += 2


def _send(host: Namespace, ends: Ends, header: tuple[int, int, int, int], hop_limit: int) -> None:
    """Send a segment without data: sequence number, acknowledgement number, flags, window."""
    (source, sport), (destination, dport) = ends
    seq, ack, flags, window = header
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, window, 0, 0)
    segment = _with_checksum(segment, source, destination)
    if ":" not in source:
        with host.entered(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(_ip_header(source, destination, len(segment), hop_limit) + segment, (destination, 0))
        return
    with host.entered(), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.setsockopt(socket.IPPROTO_IPV6, IPV6_HEADER, 1)
        first = struct.pack("!IHBB", 6 << 28, len(segment), TCP, hop_limit)
        raw.sendto(first + _packed(source) + _packed(destination) + segment, (destination, 0))


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _with_checksum(segment: bytes, source: str, destination: str) -> bytes:
    total = _ones_sum(_packed(source) + _packed(destination) + struct.pack("!II", len(segment), TCP) + segment)
    return segment[:16] + struct.pack("!H", ~total & 0xFFFF) + segment[18:]


def _ones_sum(data: bytes) -> int:
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _ip_header(source: str, destination: str, length: int, ttl: int = TTL) -> bytes:
    # Identification and checksum are left 0: the kernel fills them in.
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, ttl, TCP, 0) + addresses
