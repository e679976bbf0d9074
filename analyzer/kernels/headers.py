"""Link and network headers: where the transport header of a captured frame starts, or why there is none.

Every function is given where the captured octets end and reads none beyond. Functions that look for the next header
return where it starts and what it is, packed as `at << 16 | protocol`, or -1 - reason.
"""

from __future__ import annotations

from analyzer.kernels.arithmetic import be16, be32, half_address
from analyzer.kernels.registry import Buffer, Ints, kernel
from analyzer.layout import (
    DST_HI,
    DST_LO,
    IP_FRAGMENT,
    IP_ID,
    LEN,
    MALFORMED,
    NOT_IP,
    NOT_TCP,
    SRC_HI,
    SRC_LO,
    TRUNCATED,
    TTL,
    UNSUPPORTED_LINK_TYPE,
)
from analyzer.wire import (
    AF_INET,
    AF_INET6,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_QINQ,
    ETHERTYPE_VLAN,
    IPPROTO_AH,
    IPPROTO_DSTOPTS,
    IPPROTO_FRAGMENT,
    IPPROTO_HOPOPTS,
    IPPROTO_ICMPV6,
    IPPROTO_MOBILITY,
    IPPROTO_ROUTING,
    IPPROTO_TCP,
    LINKTYPE_ETHERNET,
    LINKTYPE_IPV4,
    LINKTYPE_IPV6,
    LINKTYPE_LINUX_SLL,
    LINKTYPE_LINUX_SLL2,
    LINKTYPE_LOOP,
    LINKTYPE_NULL,
    LINKTYPE_RAW,
    LINKTYPE_RAW_12,
    LINKTYPE_RAW_14,
)

MAPPED_IPV4 = 0xFFFF << 32  # ::ffff:0:0/96, RFC 4291 2.5.5.2
IPV4_HEADER_SIZE = 20
IPV6_HEADER_SIZE = 40
MAX_EXTENSION_HEADERS = 16  # RFC 8200 4.1 names seven; more than twice that is an attack on the reader
MAX_TAGS = 8
MORE_FRAGMENTS = 0x2000
FRAGMENT_OFFSET = 0x1FFF


@kernel
def raw_ip(buf: Buffer, at: int, end: int) -> int:
    """The IP header at `at`, told by its version nibble."""
    if at >= end:
        return -1 - TRUNCATED
    version = buf[at] >> 4
    if version == 4:
        return (at << 16) | ETHERTYPE_IPV4
    if version == 6:
        return (at << 16) | ETHERTYPE_IPV6
    return -1 - NOT_IP


@kernel
def ethertype_at(buf: Buffer, at: int, end: int) -> int:
    """The header after an ethertype at `at`, past any VLAN tags (IEEE 802.1Q, 802.1ad)."""
    for _ in range(MAX_TAGS):
        if at + 2 > end:
            return -1 - TRUNCATED
        ethertype = be16(buf, at)
        at += 2
        if ethertype == ETHERTYPE_IPV4 or ethertype == ETHERTYPE_IPV6:
            return (at << 16) | ethertype
        if ethertype != ETHERTYPE_VLAN and ethertype != ETHERTYPE_QINQ:
            return -1 - NOT_IP
        at += 2
    return -1 - MALFORMED


@kernel
def null_family(buf: Buffer, at: int, end: int) -> int:
    """The header after a BSD loopback header: an address family in the byte order of whoever captured."""
    if at + 4 > end:
        return -1 - TRUNCATED
    family = buf[at] | buf[at + 3]  # little or big endian: the other three octets are zero
    if buf[at + 1] != 0 or buf[at + 2] != 0:
        return -1 - NOT_IP
    if family == AF_INET:
        return ((at + 4) << 16) | ETHERTYPE_IPV4
    for known in AF_INET6:
        if family == known:
            return ((at + 4) << 16) | ETHERTYPE_IPV6
    return -1 - NOT_IP


@kernel
def link_layer(buf: Buffer, at: int, end: int, link: int) -> int:
    """Where IP starts in a frame of this link type."""
    if link == LINKTYPE_ETHERNET:
        return ethertype_at(buf, at + 12, end)
    if link == LINKTYPE_LINUX_SLL:
        return ethertype_at(buf, at + 14, end)
    if link == LINKTYPE_LINUX_SLL2:
        # The protocol comes first, and the rest of the header has a fixed size; a VLAN tag may follow it.
        if at + 20 > end:
            return -1 - TRUNCATED
        ethertype = be16(buf, at)
        if ethertype == ETHERTYPE_IPV4 or ethertype == ETHERTYPE_IPV6:
            return ((at + 20) << 16) | ethertype
        if ethertype == ETHERTYPE_VLAN or ethertype == ETHERTYPE_QINQ:
            return ethertype_at(buf, at + 22, end)
        return -1 - NOT_IP
    if link == LINKTYPE_NULL or link == LINKTYPE_LOOP:
        return null_family(buf, at, end)
    if link == LINKTYPE_RAW or link == LINKTYPE_RAW_12 or link == LINKTYPE_RAW_14:
        return raw_ip(buf, at, end)
    if link == LINKTYPE_IPV4 or link == LINKTYPE_IPV6:
        return raw_ip(buf, at, end)
    return -1 - UNSUPPORTED_LINK_TYPE


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
    return ((at + header) << 16) | buf[at + 9]


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
    protocol = buf[at + 6] | 0
    at += IPV6_HEADER_SIZE
    for _ in range(MAX_EXTENSION_HEADERS):
        if protocol == IPPROTO_TCP or protocol == IPPROTO_ICMPV6:
            return (at << 16) | protocol
        if at + 8 > end:
            return -1 - TRUNCATED if is_extension(protocol) else -1 - NOT_TCP
        if protocol == IPPROTO_FRAGMENT:
            if be16(buf, at + 2) & 0xFFF8:
                return -1 - IP_FRAGMENT
            size = 8
        elif protocol == IPPROTO_AH:
            size = (buf[at + 1] + 2) * 4
        elif is_extension(protocol):
            size = (buf[at + 1] + 1) * 8
        else:
            return -1 - NOT_TCP
        protocol = buf[at] | 0
        at += size
    return -1 - MALFORMED


@kernel
def network_layer(buf: Buffer, found: int, end: int, wire_end: int, packets: Ints, row: int) -> int:
    """Where the transport header starts, and its protocol; `found` is what a link layer returned."""
    at = found >> 16
    if found & 0xFFFF == ETHERTYPE_IPV4:
        return ipv4(buf, at, end, wire_end, packets, row)
    return ipv6(buf, at, end, wire_end, packets, row)
