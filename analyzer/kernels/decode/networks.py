"""Network headers: where the header behind IPv4 or IPv6 starts, or why there is none.

Every function is given where the captured bytes end and reads none beyond. What comes next is returned packed as
`at << 16 | protocol`, or -1 - reason.
"""

from __future__ import annotations

from analyzer.kernels.arithmetic import be16, be32, half_address
from analyzer.kernels.engine.registry import Buffer, Ints, kernel
from analyzer.tables.fields import (
    DST_HI,
    DST_LO,
    IP_FRAGMENT,
    IP_ID,
    LEN,
    MALFORMED,
    SRC_HI,
    SRC_LO,
    TRUNCATED,
    TTL,
)
from analyzer.wire import (
    ETHERTYPE_IPV4,
    IPPROTO_AH,
    IPPROTO_DSTOPTS,
    IPPROTO_FRAGMENT,
    IPPROTO_HOPOPTS,
    IPPROTO_MOBILITY,
    IPPROTO_ROUTING,
)

MAPPED_IPV4 = 0xFFFF << 32  # ::ffff:0:0/96, RFC 4291 2.5.5.2
IPV4_HEADER_SIZE = 20
IPV6_HEADER_SIZE = 40
MAX_EXTENSION_HEADERS = 16  # RFC 8200 4.1 names seven; more than twice that is an attack on the reader
FRAGMENT_OFFSET = 0x1FFF


@kernel
def authentication_header(buf: Buffer, at: int) -> int:
    """How long the AH at `at` is (RFC 4302 2.2)."""
    return (buf[at + 1] + 2) * 4


@kernel
def ipv4(buf: Buffer, at: int, end: int, wire_end: int, packets: Ints, row: int) -> int:
    """Read an IPv4 header (RFC 791); LEN is left holding where its payload ends on the wire."""
    if at + IPV4_HEADER_SIZE > end:
        return -1 - TRUNCATED
    header = (buf[at] & 0x0F) * 4
    total = be16(buf, at + 2)
    if buf[at] >> 4 != 4 or header < IPV4_HEADER_SIZE:
        return -1 - MALFORMED
    if total == 0:  # segmentation offload: the card fills it in, the capture saw it before that
        total = wire_end - at
    if total < header:
        return -1 - MALFORMED
    if be16(buf, at + 6) & FRAGMENT_OFFSET:
        return -1 - IP_FRAGMENT
    packets[row + SRC_HI] = 0
    packets[row + SRC_LO] = MAPPED_IPV4 | be32(buf, at + 12)
    packets[row + DST_HI] = 0
    packets[row + DST_LO] = MAPPED_IPV4 | be32(buf, at + 16)
    packets[row + TTL] = buf[at + 8]
    packets[row + IP_ID] = be16(buf, at + 4)
    packets[row + LEN] = at + total
    at += header
    if buf[at - header + 9] != IPPROTO_AH:
        return (at << 16) | buf[at - header + 9]
    if at + 8 > end:
        return -1 - TRUNCATED
    return ((at + authentication_header(buf, at)) << 16) | buf[at]


@kernel
def is_extension(protocol: int) -> bool:
    """Whether this is an IPv6 extension header that another header can follow."""
    return (
        protocol == IPPROTO_HOPOPTS
        or protocol == IPPROTO_ROUTING
        or protocol == IPPROTO_FRAGMENT
        or protocol == IPPROTO_DSTOPTS
        or protocol == IPPROTO_AH
        or protocol == IPPROTO_MOBILITY
    )


@kernel
def ipv6(buf: Buffer, at: int, end: int, wire_end: int, packets: Ints, row: int) -> int:
    """Read an IPv6 header and its extension headers (RFC 8200); LEN as with `ipv4`."""
    if at + IPV6_HEADER_SIZE > end:
        return -1 - TRUNCATED
    if buf[at] >> 4 != 6:
        return -1 - MALFORMED
    payload = be16(buf, at + 4)
    packets[row + SRC_HI] = half_address(buf, at + 8)
    packets[row + SRC_LO] = half_address(buf, at + 16)
    packets[row + DST_HI] = half_address(buf, at + 24)
    packets[row + DST_LO] = half_address(buf, at + 32)
    packets[row + TTL] = buf[at + 7]
    packets[row + IP_ID] = -1
    packets[row + LEN] = at + IPV6_HEADER_SIZE + payload if payload else wire_end
    protocol = buf[at + 6]
    at += IPV6_HEADER_SIZE
    for _ in range(MAX_EXTENSION_HEADERS):
        if not is_extension(protocol):
            return (at << 16) | protocol
        if at + 8 > end:
            return -1 - TRUNCATED
        if protocol == IPPROTO_FRAGMENT:
            if be16(buf, at + 2) & 0xFFF8:
                return -1 - IP_FRAGMENT
            size = 8
        elif protocol == IPPROTO_AH:
            size = authentication_header(buf, at)
        else:
            size = (buf[at + 1] + 1) * 8
        protocol = buf[at]
        at += size
    return -1 - MALFORMED


@kernel
def network_layer(buf: Buffer, found: int, end: int, wire_end: int, packets: Ints, row: int) -> int:
    """Where the transport header starts, and its protocol; `found` is what a link layer returned."""
    at = found >> 16
    if found & 0xFFFF == ETHERTYPE_IPV4:
        return ipv4(buf, at, end, wire_end, packets, row)
    return ipv6(buf, at, end, wire_end, packets, row)
