"""Tunnels: the packet inside GRE, ERSPAN, IP, or UDP, and the id that tells one tunnel from another.

Functions return what those of `ethertypes` return: where the header inside starts, and its ethertype.
"""

from __future__ import annotations

from analyzer.kernels.arithmetic import be16, be32
from analyzer.kernels.decode.datagrams import in_udp, name_tunnel
from analyzer.kernels.decode.ethertypes import past, ppp, raw_ip
from analyzer.kernels.decode.wireless import wireless_data
from analyzer.kernels.engine.registry import Buffer, Ints, kernel
from analyzer.tables.fields import (
    NOT_TCP,
    TRUNCATED,
    TUNNEL_GRE,
)
from analyzer.wire import (
    ETHERTYPE_ARUBA_FIRST,
    ETHERTYPE_ARUBA_LAST,
    ETHERTYPE_EOIP,
    ETHERTYPE_ERSPAN_2,
    ETHERTYPE_ERSPAN_3,
    ETHERTYPE_MPLS,
    ETHERTYPE_PPP,
    ETHERTYPE_TRANSPARENT_ETHERNET,
    ETHERTYPE_WCCP,
    IPPROTO_ETHERIP,
    IPPROTO_GRE,
    IPPROTO_IPV4,
    IPPROTO_IPV6,
    IPPROTO_MPLS,
    IPPROTO_UDP,
)

# GRE (RFC 2784, 2890; version 1 is PPTP's, RFC 2637): bits of its first 16.
GRE_CHECKSUM = 0x8000
GRE_ROUTING = 0x4000
GRE_KEY = 0x2000
GRE_SEQUENCE = 0x1000
GRE_ACK = 0x0080
GRE_VERSION = 0x0007
ERSPAN_2_SIZE = 8  # draft-foschiano-erspan-03 4.2; 4.3 for version 3, whose last bit announces eight bytes more
ERSPAN_3_SIZE = 12
ERSPAN_SESSION = 0x03FF


@kernel
def erspan(buf: Buffer, at: int, end: int, version: int, packets: Ints, row: int) -> int:
    """The mirrored Ethernet frame in ERSPAN."""
    size = ERSPAN_2_SIZE if version == 2 else ERSPAN_3_SIZE
    if at + size > end:
        return -1 - TRUNCATED
    name_tunnel(packets, row, TUNNEL_GRE, be16(buf, at + 2) & ERSPAN_SESSION)
    if version == 3 and buf[at + 11] & 1:
        size += 8
    return ((at + size) << 16) | ETHERTYPE_TRANSPARENT_ETHERNET


@kernel
def wccp(buf: Buffer, at: int, end: int) -> int:
    """The packet that a router redirects to a cache: in version 2 of the protocol a header of four bytes is first."""
    if at < end and buf[at] >> 4 != 4 and buf[at] >> 4 != 6:
        at += 4
    return raw_ip(buf, at, end)


@kernel
def gre(buf: Buffer, at: int, end: int, packets: Ints, row: int) -> int:
    """The packet in GRE: whatever has an ethertype, PPP, or ERSPAN."""
    if at + 4 > end:
        return -1 - TRUNCATED
    flags, ethertype = be16(buf, at), be16(buf, at + 2)
    if flags & GRE_ROUTING:
        return -1 - NOT_TCP  # RFC 1701's source routes, which RFC 2784 took out
    if ethertype == ETHERTYPE_EOIP:  # its length and id stand where the key would
        return ((at + 8) << 16) | ETHERTYPE_TRANSPARENT_ETHERNET
    at += 4
    if flags & GRE_CHECKSUM:
        at += 4
    if flags & GRE_KEY:
        if at + 4 > end:
            return -1 - TRUNCATED
        if flags & GRE_VERSION == 0:
            name_tunnel(packets, row, TUNNEL_GRE, be32(buf, at))
        at += 4
    if flags & GRE_SEQUENCE:
        at += 4
    if flags & GRE_VERSION and flags & GRE_ACK:
        at += 4
    if ethertype == ETHERTYPE_ERSPAN_3:
        return erspan(buf, at, end, 3, packets, row)
    if ethertype == ETHERTYPE_ERSPAN_2:
        if flags & GRE_SEQUENCE:
            return erspan(buf, at, end, 2, packets, row)
        return (at << 16) | ETHERTYPE_TRANSPARENT_ETHERNET  # version 1 has no header of its own
    if ethertype == ETHERTYPE_PPP:
        return ppp(buf, at, end)
    if ETHERTYPE_ARUBA_FIRST <= ethertype <= ETHERTYPE_ARUBA_LAST:
        return wireless_data(buf, at, end)
    if ethertype == ETHERTYPE_WCCP:
        return wccp(buf, at, end)
    return (at << 16) | ethertype


@kernel
def inside(buf: Buffer, at: int, end: int, protocol: int, packets: Ints, row: int) -> int:
    """The IP header inside the tunnel that this IP protocol is, or -1 - NOT_TCP when it is none."""
    if protocol == IPPROTO_UDP:
        found = in_udp(buf, at, end, packets, row)
    elif protocol == IPPROTO_GRE:
        found = gre(buf, at, end, packets, row)
    elif protocol == IPPROTO_IPV4 or protocol == IPPROTO_IPV6:
        found = raw_ip(buf, at, end)
    elif protocol == IPPROTO_MPLS:
        found = (at << 16) | ETHERTYPE_MPLS
    elif protocol == IPPROTO_ETHERIP:
        found = ((at + 2) << 16) | ETHERTYPE_TRANSPARENT_ETHERNET
    else:
        return -1 - NOT_TCP
    return past(buf, found, end)
