"""Tunnels over UDP, which a well-known port tells: VXLAN, GENEVE, GTP-U, CAPWAP, L2TP, Teredo, TZSP, MPLS.

Functions return what those of `ethertypes` return: where the header inside starts, and its ethertype.
"""

from __future__ import annotations

from analyzer.kernels.arithmetic import be16, be32
from analyzer.kernels.decode.ethertypes import MAX_HEADERS, ppp, raw_ip
from analyzer.kernels.decode.wireless import capwap, wireless_data
from analyzer.kernels.engine.registry import Buffer, Ints, kernel
from analyzer.tables.fields import (
    MALFORMED,
    NOT_TCP,
    TRUNCATED,
    TUNNEL,
    TUNNEL_GENEVE,
    TUNNEL_KIND,
    TUNNEL_VXLAN,
)
from analyzer.wire import (
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_NSH,
    ETHERTYPE_TRANSPARENT_ETHERNET,
    PORT_CAPWAP_DATA,
    PORT_GENEVE,
    PORT_GTP_U,
    PORT_L2TP,
    PORT_MPLS,
    PORT_TEREDO,
    PORT_TZSP,
    PORT_VXLAN,
    PORT_VXLAN_GPE,
    PORT_VXLAN_LINUX,
)

UDP_SIZE = 8
VXLAN_SIZE = 8
VXLAN_HAS_VNI = 0x08  # RFC 7348 5
GPE_HAS_PROTOCOL = 0x04
GENEVE_SIZE = 8  # RFC 8926 3.4
L2TP_CONTROL = 0x8000
L2TP_LENGTH = 0x4000
L2TP_SEQUENCE = 0x0800
L2TP_OFFSET = 0x0200
TZSP_ETHERNET = 1
TZSP_WIRELESS = 18
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
def vxlan(buf: Buffer, at: int, end: int, packets: Ints, row: int) -> int:
    """The Ethernet frame in VXLAN."""
    if at + VXLAN_SIZE > end or buf[at] & VXLAN_HAS_VNI == 0:
        return -1 - NOT_TCP
    name_tunnel(packets, row, TUNNEL_VXLAN, be32(buf, at + 4) >> 8)
    return ((at + VXLAN_SIZE) << 16) | ETHERTYPE_TRANSPARENT_ETHERNET


@kernel
def vxlan_gpe(buf: Buffer, at: int, end: int, packets: Ints, row: int) -> int:
    """The packet in VXLAN with a protocol field (draft-ietf-nvo3-vxlan-gpe 3)."""
    if at + VXLAN_SIZE > end or buf[at] & GPE_HAS_PROTOCOL == 0:
        return vxlan(buf, at, end, packets, row)
    name_tunnel(packets, row, TUNNEL_VXLAN, be32(buf, at + 4) >> 8)
    protocol = buf[at + 3]
    at += VXLAN_SIZE
    if protocol == 1 or protocol == 2:
        return raw_ip(buf, at, end)
    if protocol == 3:
        return (at << 16) | ETHERTYPE_TRANSPARENT_ETHERNET
    if protocol == 4:
        return (at << 16) | ETHERTYPE_NSH
    return (at << 16) | ETHERTYPE_MPLS if protocol == 5 else -1 - NOT_TCP


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
        extension = buf[at - 1]
    for _ in range(MAX_HEADERS):
        if extension == 0:
            return raw_ip(buf, at, end)
        if at >= end or buf[at] == 0:
            break
        at += buf[at] * 4
        if at > end:
            return -1 - TRUNCATED
        extension = buf[at - 1]
    return -1 - MALFORMED


@kernel
def l2tp(buf: Buffer, at: int, end: int) -> int:
    """The PPP frame in a data message of L2TP version 2 (RFC 2661 3.1)."""
    if at + 6 > end or be16(buf, at) & L2TP_CONTROL or buf[at + 1] & 0x0F != 2:
        return -1 - NOT_TCP
    flags = be16(buf, at)
    at += 6
    if flags & L2TP_LENGTH:
        at += 2
    if flags & L2TP_SEQUENCE:
        at += 4
    if flags & L2TP_OFFSET:
        if at + 2 > end:
            return -1 - TRUNCATED
        at += 2 + be16(buf, at)
    return ppp(buf, at, end)


@kernel
def teredo(buf: Buffer, at: int, end: int) -> int:
    """The IPv6 packet in Teredo (RFC 4380 5.1.1), behind an origin or authentication."""
    for _ in range(2):
        if at + 4 > end:
            return -1 - NOT_TCP
        if buf[at] != 0:
            break
        at += 8 if buf[at + 1] == 0 else 13 + buf[at + 2] + buf[at + 3]
    found = raw_ip(buf, at, end)
    return found if found < 0 or found & 0xFFFF == ETHERTYPE_IPV6 else -1 - NOT_TCP


@kernel
def tzsp(buf: Buffer, at: int, end: int) -> int:
    """The frame in TZSP, behind tags with a length, of which the last is of type 1."""
    if at + 4 > end or buf[at] != 1 or buf[at + 1] > 1:
        return -1 - NOT_TCP
    protocol = be16(buf, at + 2)
    at += 4
    for _ in range(MAX_HEADERS):
        if at + 2 > end:
            return -1 - TRUNCATED
        if buf[at] == 1:
            if protocol == TZSP_ETHERNET:
                return ((at + 1) << 16) | ETHERTYPE_TRANSPARENT_ETHERNET
            return wireless_data(buf, at + 1, end) if protocol == TZSP_WIRELESS else -1 - NOT_TCP
        at += 1 if buf[at] == 0 else 2 + buf[at + 1]
    return -1 - MALFORMED


@kernel
def seldom_in_udp(buf: Buffer, at: int, end: int, port: int, packets: Ints, row: int) -> int:
    """As `in_udp`, for tunnels that few captures have; `at` is behind the UDP header."""
    if port == PORT_VXLAN_GPE:
        return vxlan_gpe(buf, at, end, packets, row)
    if port == PORT_MPLS:
        return (at << 16) | ETHERTYPE_MPLS
    if port == PORT_TZSP:
        return tzsp(buf, at, end)
    if port == PORT_L2TP or be16(buf, at - UDP_SIZE) == PORT_L2TP:
        return l2tp(buf, at, end)
    if port == PORT_TEREDO or be16(buf, at - UDP_SIZE) == PORT_TEREDO:
        return teredo(buf, at, end)
    return -1 - NOT_TCP


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
    return seldom_in_udp(buf, at, end, port, packets, row)
