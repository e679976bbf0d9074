"""Link headers: where IP starts in a captured frame of each link type, or why nowhere; as in `ethertypes`."""

from __future__ import annotations

from analyzer.kernels.arithmetic import be16, le32
from analyzer.kernels.decode.ethertypes import MAX_HEADERS, ethertype_at, frame_relay, llc, past, ppp, raw_ip
from analyzer.kernels.engine.registry import Buffer, kernel
from analyzer.tables.fields import MALFORMED, NOT_IP, TRUNCATED, UNSUPPORTED_LINK_TYPE
from analyzer.wire import (
    AF_INET,
    AF_INET6,
    ARCNET_IPV4,
    ARCNET_IPV4_OLD,
    ETHERTYPE_FRAME_RELAY,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_JUMBO_LLC,
    ETHERTYPE_PPP,
    IP_BY_VERSION,
    LINK_HEADERS,
    LINK_PROTOCOLS,
    LINKTYPE_ARCNET_LINUX,
    LINKTYPE_ETHERNET,
    LINKTYPE_FDDI,
    LINKTYPE_IEEE802_5,
    LINKTYPE_LOOP,
    LINKTYPE_NFLOG,
    LINKTYPE_NULL,
    LINKTYPE_PFLOG,
    LINKTYPE_PKTAP,
    NFLOG_PAYLOAD,
    NO_IP,
    SMALLEST_ETHERTYPE,
)

# IEEE 802.5 3.2: access and frame control, two addresses; the frame's type, and the bit of the sender's address that
# announces a route (802.1D annex C), whose first five low bits are its length.
RING_HEADER = 14
RING_TYPE = 0xC0
RING_LLC = 0x40
RING_ROUTED = 0x80
RING_ROUTE_SIZE = 0x1F
# FDDI's frame control: LLC, asynchronous (0x5x) or synchronous (0xDx).
FDDI_HEADER = 13
FDDI_CLASS = 0x70
FDDI_LLC = 0x50


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
    return address_family((buf[at] | buf[at + 3]) & 0xFF, at + 4)  # either end: the other three bytes are zero


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
def token_ring(buf: Buffer, at: int, end: int) -> int:
    """What a token ring frame (IEEE 802.5) carries behind addresses and, where the sender's says so, its route."""
    if at + RING_HEADER > end:
        return -1 - TRUNCATED
    if buf[at + 1] & RING_TYPE != RING_LLC:
        return -1 - NOT_IP
    routed = buf[at + 8] & RING_ROUTED
    at += RING_HEADER
    if routed:
        if at >= end:
            return -1 - TRUNCATED
        at += buf[at] & RING_ROUTE_SIZE
    return llc(buf, at, end)


@kernel
def fddi(buf: Buffer, at: int, end: int) -> int:
    """What an FDDI frame (ANSI X3.139) carries behind frame control and addresses."""
    if at + FDDI_HEADER > end:
        return -1 - TRUNCATED
    if buf[at] & FDDI_CLASS != FDDI_LLC:
        return -1 - NOT_IP
    return llc(buf, at + FDDI_HEADER, end)


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
def pflog(buf: Buffer, at: int, end: int) -> int:
    """The packet behind OpenBSD's log of its filter: the header's length, filled up to four bytes, and the family."""
    if at + 4 > end:
        return -1 - TRUNCATED
    return address_family(buf[at + 1], at + ((buf[at] + 3) & ~3))


@kernel
def own_kernel(buf: Buffer, at: int, end: int, link: int) -> int:
    """What a frame carries whose header is not of one size: OWN_KERNEL in the table, but for PKTAP and 802.11."""
    if link == LINKTYPE_NULL or link == LINKTYPE_LOOP:
        return null_family(buf, at, end)
    if link == LINKTYPE_PFLOG:
        return pflog(buf, at, end)
    if link == LINKTYPE_NFLOG:
        return nflog(buf, at, end)
    if link == LINKTYPE_IEEE802_5:
        return token_ring(buf, at, end)
    if link == LINKTYPE_FDDI:
        return fddi(buf, at, end)
    if link == LINKTYPE_ARCNET_LINUX:
        return arcnet(buf, at, end)
    return -1 - UNSUPPORTED_LINK_TYPE


@kernel
def by_table(buf: Buffer, at: int, end: int, link: int) -> int:
    """What stands behind the header of this link type, as the table of link types (`wire.LINK_TYPES`) has it."""
    if link < 0 or link >= len(LINK_PROTOCOLS):
        return -1 - NOT_IP if link == NO_IP else -1 - UNSUPPORTED_LINK_TYPE
    protocol = LINK_PROTOCOLS[link]
    if protocol < 0:
        return own_kernel(buf, at, end, link)
    behind = at + LINK_HEADERS[link]
    if protocol < SMALLEST_ETHERTYPE:
        if behind > end:
            return -1 - TRUNCATED
        return (behind << 16) | be16(buf, at + protocol)
    if protocol == IP_BY_VERSION:
        return raw_ip(buf, behind, end)
    if protocol == ETHERTYPE_PPP:
        return ppp(buf, behind, end)
    if protocol == ETHERTYPE_JUMBO_LLC:
        return llc(buf, behind, end)
    if protocol == ETHERTYPE_FRAME_RELAY:
        return frame_relay(buf, behind, end)
    return (behind << 16) | protocol


@kernel
def link_layer(buf: Buffer, at: int, end: int, link: int) -> int:
    """Where IP starts in a frame of this link type."""
    if link == LINKTYPE_PKTAP:  # Apple's: its length, the kind of record, and the link type of what follows
        if at + 12 > end:
            return -1 - TRUNCATED
        link = le32(buf, at + 8)
        at += le32(buf, at)
    if link == LINKTYPE_ETHERNET:  # nearly all there are
        return past(buf, ethertype_at(buf, at + 12, end), end)
    return past(buf, by_table(buf, at, end, link), end)
