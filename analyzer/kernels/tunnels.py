"""Tunnels: the packet inside GRE, IP, VXLAN, GENEVE, GTP-U or CAPWAP, and the id that tells one tunnel from another.

Functions return what those of `ethertypes` return: where the header inside starts, and its ethertype.
"""

from __future__ import annotations

from analyzer.kernels.arithmetic import be16, be32
from analyzer.kernels.ethertypes import MAX_HEADERS, past, ppp, raw_ip
from analyzer.kernels.registry import Buffer, Ints, kernel
from analyzer.kernels.wireless import capwap
from analyzer.layout import (
    MALFORMED,
    NOT_TCP,
    TRUNCATED,
    TUNNEL,
    TUNNEL_GENEVE,
    TUNNEL_GRE,
    TUNNEL_KIND,
    TUNNEL_VXLAN,
)
from analyzer.wire import (
    ETHERTYPE_EOIP,
    ETHERTYPE_ERSPAN_2,
    ETHERTYPE_ERSPAN_3,
    ETHERTYPE_MPLS,
    ETHERTYPE_PPP,
    ETHERTYPE_TRANSPARENT_ETHERNET,
    IPPROTO_GRE,
    IPPROTO_IPV4,
    IPPROTO_IPV6,
    IPPROTO_MPLS,
    IPPROTO_UDP,
    PORT_CAPWAP_DATA,
    PORT_GENEVE,
    PORT_GTP_U,
    PORT_VXLAN,
    PORT_VXLAN_LINUX,
)

# GRE (RFC 2784, 2890; version 1 is PPTP's, RFC 2637): bits of its first 16.
GRE_CHECKSUM = 0x8000
GRE_ROUTING = 0x4000
GRE_KEY = 0x2000
GRE_SEQUENCE = 0x1000
GRE_ACK = 0x0080
GRE_VERSION = 0x0007
ERSPAN_2_SIZE = 8  # draft-foschiano-erspan-03 4.2; 4.3 for version 3, whose last bit announces eight octets more
ERSPAN_3_SIZE = 12
ERSPAN_SESSION = 0x03FF
UDP_SIZE = 8
VXLAN_SIZE = 8
VXLAN_HAS_VNI = 0x08  # RFC 7348 5
GENEVE_SIZE = 8  # RFC 8926 3.4
# GTP-U (3GPP TS 29.281 5.1): version 1, protocol type GTP, a G-PDU; any of three bits makes the header longer.
GTP_SIZE = 8
GTP_VERSION = 0xF0
GTP_VERSION_1 = 0x30
GTP_OPTIONAL = 0x07
GTP_EXTENDED = 0x04
GTP_G_PDU = 255


@kernel
def name_tunnel(packets: Ints, row: int, kind: int, number: int) -> None:
    """Note the id of a tunnel; of several, one in another, the innermost stands."""
    packets[row + TUNNEL] = kind << TUNNEL_KIND | number


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
    return (at << 16) | ethertype


@kernel
def vxlan(buf: Buffer, at: int, end: int, packets: Ints, row: int) -> int:
    """The Ethernet frame in VXLAN."""
    if at + VXLAN_SIZE > end or buf[at] & VXLAN_HAS_VNI == 0:
        return -1 - NOT_TCP
    name_tunnel(packets, row, TUNNEL_VXLAN, be32(buf, at + 4) >> 8)
    return ((at + VXLAN_SIZE) << 16) | ETHERTYPE_TRANSPARENT_ETHERNET


@kernel
def geneve(buf: Buffer, at: int, end: int, packets: Ints, row: int) -> int:
    """The frame or packet in GENEVE, behind its options."""
    if at + GENEVE_SIZE > end or buf[at] >> 6 != 0:
        return -1 - NOT_TCP
    name_tunnel(packets, row, TUNNEL_GENEVE, be32(buf, at + 4) >> 8)
    return ((at + GENEVE_SIZE + (buf[at] & 0x3F) * 4) << 16) | be16(buf, at + 2)


@kernel
def gtp_u(buf: Buffer, at: int, end: int) -> int:
    """The packet in GTP-U, behind extension headers; its tunnel ids name one direction each, so they tell nothing."""
    if at + GTP_SIZE > end or buf[at] & GTP_VERSION != GTP_VERSION_1 or buf[at + 1] != GTP_G_PDU:
        return -1 - NOT_TCP
    flags = buf[at] & GTP_OPTIONAL
    at += GTP_SIZE
    if flags == 0:
        return raw_ip(buf, at, end)
    at += 4
    extension = 0
    if flags & GTP_EXTENDED:
        if at > end:
            return -1 - TRUNCATED
        extension = buf[at - 1] | 0
    for _ in range(MAX_HEADERS):
        if extension == 0:
            return raw_ip(buf, at, end)
        if at >= end or buf[at] == 0:
            break
        at += (buf[at] & 0xFF) * 4
        if at > end:
            return -1 - TRUNCATED
        extension = buf[at - 1] | 0
    return -1 - MALFORMED


@kernel
def in_udp(buf: Buffer, at: int, end: int, packets: Ints, row: int) -> int:
    """The packet in a tunnel over UDP, which a well-known port tells."""
    if at + UDP_SIZE > end:
        return -1 - NOT_TCP
    port = be16(buf, at + 2)
    at += UDP_SIZE
    if port == PORT_VXLAN or port == PORT_VXLAN_LINUX:
        return vxlan(buf, at, end, packets, row)
    if port == PORT_GENEVE:
        return geneve(buf, at, end, packets, row)
    if port == PORT_GTP_U:
        return gtp_u(buf, at, end)
    if port == PORT_CAPWAP_DATA or be16(buf, at - UDP_SIZE) == PORT_CAPWAP_DATA:
        return capwap(buf, at, end)
    return -1 - NOT_TCP


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
    else:
        return -1 - NOT_TCP
    return past(buf, found, end)
