"""Link headers: where IP starts in a captured frame of each link type, or why nowhere; as in `ethertypes`."""

from __future__ import annotations

from analyzer.kernels.arithmetic import be16, le32
from analyzer.kernels.ethertypes import MAX_HEADERS, ethertype_at, past, ppp, raw_ip
from analyzer.kernels.registry import Buffer, kernel
from analyzer.layout import MALFORMED, NOT_IP, TRUNCATED, UNSUPPORTED_LINK_TYPE
from analyzer.wire import (
    AF_INET,
    AF_INET6,
    ARCNET_IPV4,
    ARCNET_IPV4_OLD,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_PPPOE_SESSION,
    LINKTYPE_ARCNET_LINUX,
    LINKTYPE_C_HDLC,
    LINKTYPE_ETHERNET,
    LINKTYPE_IPOIB,
    LINKTYPE_IPV4,
    LINKTYPE_IPV6,
    LINKTYPE_LINUX_SLL,
    LINKTYPE_LINUX_SLL2,
    LINKTYPE_LOOP,
    LINKTYPE_MPLS,
    LINKTYPE_NFLOG,
    LINKTYPE_NULL,
    LINKTYPE_PFLOG,
    LINKTYPE_PKTAP,
    LINKTYPE_PPP,
    LINKTYPE_PPP_ETHER,
    LINKTYPE_PPP_HDLC,
    LINKTYPE_PPP_PPPD,
    LINKTYPE_PPP_WITH_DIR,
    LINKTYPE_RAW,
    LINKTYPE_RAW_12,
    LINKTYPE_RAW_14,
    NFLOG_PAYLOAD,
    NO_IP,
)


@kernel
def address_family(family: int, at: int) -> int:
    """The IP header of this address family; every system has its own numbers for IPv6."""
    if family == AF_INET:
        return (at << 16) | ETHERTYPE_IPV4
    for known in AF_INET6:
        if family == known:
            return (at << 16) | ETHERTYPE_IPV6
    return -1 - NOT_IP


@kernel
def null_family(buf: Buffer, at: int, end: int) -> int:
    """The header after a BSD loopback header: an address family in the byte order of whoever captured."""
    if at + 4 > end:
        return -1 - TRUNCATED
    if buf[at + 1] != 0 or buf[at + 2] != 0:
        return -1 - NOT_IP
    return address_family((buf[at] | buf[at + 3]) & 0xFF, at + 4)  # either end: the other three octets are zero


@kernel
def sll2(buf: Buffer, at: int, end: int) -> int:
    """The header after a "cooked" header of version 2: the protocol comes first, the whole is 20 octets."""
    if at + 20 > end:
        return -1 - TRUNCATED
    return ((at + 20) << 16) | be16(buf, at)


@kernel
def arcnet(buf: Buffer, at: int, end: int) -> int:
    """The packet in an ARCNET frame as Linux captures it."""
    if at + 8 > end:
        return -1 - TRUNCATED
    if buf[at + 4] == ARCNET_IPV4:
        return ((at + 8) << 16) | ETHERTYPE_IPV4
    if buf[at + 4] == ARCNET_IPV4_OLD:
        return ((at + 5) << 16) | ETHERTYPE_IPV4
    return -1 - NOT_IP


@kernel
def nflog(buf: Buffer, at: int, end: int) -> int:
    """The packet in a Linux NFLOG message: the payload among its attributes, in the byte order of its writer."""
    if at + 4 > end:
        return -1 - TRUNCATED
    at += 4
    for _ in range(2 * MAX_HEADERS):
        if at + 4 > end:
            return -1 - TRUNCATED
        size = buf[at] | buf[at + 1] << 8
        kind = buf[at + 2] | buf[at + 3] << 8
        if kind == NFLOG_PAYLOAD:
            return raw_ip(buf, at + 4, end)
        if size < 4:
            return -1 - MALFORMED
        at += (size + 3) & ~3
    return -1 - MALFORMED


@kernel
def seldom_link(buf: Buffer, at: int, end: int, link: int) -> int:
    """As `link_layer`, for link types that few captures have."""
    if link == LINKTYPE_PPP or link == LINKTYPE_PPP_HDLC or link == LINKTYPE_C_HDLC:
        return ppp(buf, at, end)
    if link == LINKTYPE_PPP_WITH_DIR:
        return ppp(buf, at + 1, end)
    if link == LINKTYPE_PPP_PPPD:
        return ppp(buf, at + 2, end)  # direction stands where the address would
    if link == LINKTYPE_PPP_ETHER:
        return (at << 16) | ETHERTYPE_PPPOE_SESSION
    if link == LINKTYPE_MPLS:
        return (at << 16) | ETHERTYPE_MPLS
    if link == LINKTYPE_ARCNET_LINUX:
        return arcnet(buf, at, end)
    if link == LINKTYPE_IPOIB:
        if at + 44 > end:
            return -1 - TRUNCATED
        return ((at + 44) << 16) | be16(buf, at + 40)  # behind a global route header
    if link == LINKTYPE_PFLOG:
        if at + 4 > end:
            return -1 - TRUNCATED
        return address_family(buf[at + 1] | 0, at + ((buf[at] + 3) & ~3))
    if link == LINKTYPE_NFLOG:
        return nflog(buf, at, end)
    return -1 - NOT_IP if link == NO_IP else -1 - UNSUPPORTED_LINK_TYPE


@kernel
def link_layer(buf: Buffer, at: int, end: int, link: int) -> int:
    """Where IP starts in a frame of this link type."""
    if link == LINKTYPE_PKTAP:  # Apple's: its length, the kind of record, and the link type of what follows
        if at + 12 > end:
            return -1 - TRUNCATED
        link = le32(buf, at + 8)
        at += le32(buf, at)
    if link == LINKTYPE_ETHERNET:
        return past(buf, ethertype_at(buf, at + 12, end), end)
    if link == LINKTYPE_LINUX_SLL:
        return past(buf, ethertype_at(buf, at + 14, end), end)
    if link == LINKTYPE_LINUX_SLL2:
        return past(buf, sll2(buf, at, end), end)
    if link == LINKTYPE_NULL or link == LINKTYPE_LOOP:
        return null_family(buf, at, end)
    if link == LINKTYPE_RAW or link == LINKTYPE_RAW_12 or link == LINKTYPE_RAW_14:
        return raw_ip(buf, at, end)
    if link == LINKTYPE_IPV4 or link == LINKTYPE_IPV6:
        return raw_ip(buf, at, end)
    return past(buf, seldom_link(buf, at, end, link), end)
