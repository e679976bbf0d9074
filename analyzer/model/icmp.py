"""ICMP errors in words: what they say, and who sent them."""

from __future__ import annotations

import ipaddress

from analyzer.tables.fields import ICMPV6

# RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1; RFC 4443.
NAMES = {
    (4, 3, 0): "network unreachable",
    (4, 3, 1): "host unreachable",
    (4, 3, 2): "protocol unreachable",
    (4, 3, 3): "port unreachable",
    (4, 3, 4): "fragmentation needed",
    (4, 3, 6): "network unknown",
    (4, 3, 7): "host unknown",
    (4, 3, 9): "network prohibited",
    (4, 3, 10): "host prohibited",
    (4, 3, 13): "administratively prohibited",
    (4, 11, 0): "TTL exceeded",
    (6, 1, 0): "no route",
    (6, 1, 1): "administratively prohibited",
    (6, 1, 3): "address unreachable",
    (6, 1, 4): "port unreachable",
    (6, 2, 0): "packet too big",
    (6, 3, 0): "hop limit exceeded",
}
WORD = (1 << 64) - 1


def icmp_text(kind: int) -> str:
    """What an error of this tables.fields.KIND says: `ICMP type 3 code 1 (host unreachable)`."""
    version = 6 if kind >= ICMPV6 else 4
    number = (kind - 1) & 0xFFFF
    name = NAMES.get((version, number >> 8, number & 0xFF))
    return f"ICMP{'v6' if version == 6 else ''} type {number >> 8} code {number & 0xFF}" + (
        f" ({name})" if name else ""
    )


def address_text(high: int, low: int) -> str:
    """An address from its two halves."""
    address = ipaddress.IPv6Address((high & WORD) << 64 | (low & WORD))
    return str(address.ipv4_mapped or address)
