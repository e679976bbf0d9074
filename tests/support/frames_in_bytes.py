"""Frames byte by byte: link, IP and TCP headers written with struct from the standards, checksums left zero."""

from __future__ import annotations

import ipaddress
import struct
from functools import cache

CLIENT, SERVER = "192.0.2.10", "198.51.100.20"
CLIENT6, SERVER6 = "2001:db8::10", "2001:db8:ffff:1::20"
IPV4, IPV6, ARP, VLAN, QINQ = 0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, MOBILITY = 0, 43, 44, 51, 60, 135
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MACS = bytes.fromhex("020000000001020000000002")
UNKNOWN_LINK = 65_000  # the number of a link type that nobody has


def tcp(
    sport: int = 40001,
    dport: int = 7000,
    *,
    seq: int = 1000,
    ack: int = 2000,
    flags: int = ACK,
    window: int = 502,
    options: bytes = b"",
    payload: bytes = b"",
    header_words: int | None = None,
) -> bytes:
    """A TCP segment; options are filled up with zeros to 32 bits."""
    options += bytes(-len(options) % 4)
    words = 5 + len(options) // 4 if header_words is None else header_words
    return struct.pack("!HHIIBBHHH", sport, dport, seq, ack, words << 4, flags, window, 0, 0) + options + payload


def ipv4(
    payload: bytes,
    protocol: int = TCP,
    *,
    source: str = CLIENT,
    destination: str = SERVER,
    options: bytes = b"",
    total: int | None = None,
    fragment: int = 0,
    ttl: int = 64,
    identification: int = 0,
) -> bytes:
    """An IPv4 packet; `total` overrides its total length."""
    options += bytes(-len(options) % 4)
    words = 5 + len(options) // 4
    length = words * 4 + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, length, identification, fragment, ttl, protocol, 0)
    return head + packed(source) + packed(destination) + options + payload


def ipv6(
    payload: bytes,
    following: int = TCP,
    *,
    source: str = CLIENT6,
    destination: str = SERVER6,
    length: int | None = None,
    hops: int = 64,
) -> bytes:
    """An IPv6 packet whose `payload` may begin with extension headers."""
    size = len(payload) if length is None else length
    return struct.pack("!IHBB", 6 << 28, size, following, hops) + packed(source) + packed(destination) + payload


def extension(following: int, size: int = 8) -> bytes:
    """A hop-by-hop, routing, destination or mobility header of `size` bytes (RFC 8200 4.3, 4.4, 4.6)."""
    return bytes([following, size // 8 - 1]) + bytes(size - 2)


def fragment_header(following: int, offset: int = 0, more: bool = False) -> bytes:
    """RFC 8200 4.5; `offset` in units of eight bytes."""
    return struct.pack("!BBHI", following, 0, offset << 3 | more, 7)


def authentication_header(following: int, size: int = 24) -> bytes:
    """RFC 4302 2.2: the length counts words less two."""
    return bytes([following, size // 4 - 2]) + bytes(size - 2)


def icmp_error(kind: int, code: int, quoted: bytes) -> bytes:
    """An ICMP or ICMPv6 error about `quoted`."""
    return bytes([kind, code, 0, 0, 0, 0, 0, 0]) + quoted


def ethernet(packet: bytes, *tags: int, ethertype: int | None = None) -> bytes:
    """An Ethernet frame, with a VLAN tag for each tag protocol named."""
    return MACS + b"".join(struct.pack("!HH", tag, 7) for tag in tags) + _ethertype(packet, ethertype) + packet


def sll(packet: bytes, *tags: int, ethertype: int | None = None) -> bytes:
    """LINKTYPE_LINUX_SLL: packet type, ARPHRD, address length, address, protocol."""
    head = struct.pack("!HHH8s", 0, 1, 6, MACS[:6])
    return head + b"".join(struct.pack("!HH", tag, 7) for tag in tags) + _ethertype(packet, ethertype) + packet


def sll2(packet: bytes, *tags: int, ethertype: int | None = None) -> bytes:
    """LINKTYPE_LINUX_SLL2: protocol, reserved, interface, ARPHRD, packet type, address length, address."""
    kinds = [struct.pack("!H", tag) for tag in tags] + [_ethertype(packet, ethertype)]
    head = kinds[0] + struct.pack("!HIHBB8s", 0, 2, 1, 0, 6, MACS[:6])
    return head + b"".join(struct.pack("!H", 7) + kind for kind in kinds[1:]) + packet


def null(packet: bytes, order: str = "<", family: int | None = None) -> bytes:
    """LINKTYPE_NULL, in the byte order of the host that captured; LINKTYPE_LOOP is always big endian."""
    if family is None:
        family = 2 if packet[0] >> 4 == 4 else 30
    return struct.pack(order + "I", family) + packet


def timestamps(value: int, echo: int) -> bytes:
    """RFC 7323 3.2."""
    return struct.pack("!BBII", 8, 10, value, echo)


def sack(*blocks: tuple[int, int]) -> bytes:
    """RFC 2018 3."""
    return bytes([5, 2 + 8 * len(blocks)]) + b"".join(struct.pack("!II", *edges) for edges in blocks)


@cache
def packed(address: str) -> bytes:
    """An address as its bytes."""
    return ipaddress.ip_address(address).packed


def _ethertype(packet: bytes, ethertype: int | None) -> bytes:
    known = IPV4 if packet and packet[0] >> 4 == 4 else IPV6
    return struct.pack("!H", known if ethertype is None else ethertype)
