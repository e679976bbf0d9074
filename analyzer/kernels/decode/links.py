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
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_PPPOE_SESSION,
    LINKTYPE_APPLE_IP_OVER_IEEE1394,
    LINKTYPE_ARCNET_LINUX,
    LINKTYPE_ATM_RFC1483,
    LINKTYPE_C_HDLC,
    LINKTYPE_C_HDLC_WITH_DIR,
    LINKTYPE_DSA_TAG_BRCM,
    LINKTYPE_DSA_TAG_BRCM_PREPEND,
    LINKTYPE_DSA_TAG_DSA,
    LINKTYPE_DSA_TAG_EDSA,
    LINKTYPE_ENC,
    LINKTYPE_ETHERNET,
    LINKTYPE_ETHERNET_MPACKET,
    LINKTYPE_FDDI,
    LINKTYPE_FRELAY,
    LINKTYPE_FRELAY_WITH_DIR,
    LINKTYPE_IEEE802_5,
    LINKTYPE_IP_OVER_FC,
    LINKTYPE_IPOIB,
    LINKTYPE_IPV4,
    LINKTYPE_IPV6,
    LINKTYPE_LINUX_SLL,
    LINKTYPE_LINUX_SLL2,
    LINKTYPE_LOOP,
    LINKTYPE_MPLS,
    LINKTYPE_NETANALYZER,
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
    LINKTYPE_SUNATM,
    NFLOG_PAYLOAD,
    NO_IP,
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
def in_cells(buf: Buffer, at: int, end: int, link: int) -> int:
    """As `link_layer`, for ATM and Fibre Channel, which carry LLC, and for frame relay."""
    if link == LINKTYPE_SUNATM:
        at += 4  # the kind, and the channel
    if link == LINKTYPE_IP_OVER_FC:
        at += 16  # two addresses of eight octets (RFC 2625)
    if link == LINKTYPE_FRELAY_WITH_DIR:
        at += 1
    if link == LINKTYPE_FRELAY or link == LINKTYPE_FRELAY_WITH_DIR:
        return frame_relay(buf, at, end)
    return llc(buf, at, end)


@kernel
def before_ethertype(link: int) -> int:
    """Where the ethertype stands in frames like Ethernet's, with something else in them; -1 for other link types."""
    if link == LINKTYPE_NETANALYZER:
        return 4 + 12
    if link == LINKTYPE_ETHERNET_MPACKET:
        return 8 + 12  # behind the preamble
    if link == LINKTYPE_APPLE_IP_OVER_IEEE1394:
        return 16
    # What a switch tells its CPU: before the frame, or between addresses and ethertype (Linux net/dsa).
    if link == LINKTYPE_DSA_TAG_BRCM or link == LINKTYPE_DSA_TAG_BRCM_PREPEND or link == LINKTYPE_DSA_TAG_DSA:
        return 4 + 12
    return 8 + 12 if link == LINKTYPE_DSA_TAG_EDSA else -1


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
def seldom_frame(buf: Buffer, at: int, end: int, link: int) -> int:
    """As `link_layer`, for link types that hardly any capture has."""
    if link == LINKTYPE_C_HDLC_WITH_DIR:
        return ppp(buf, at + 1, end)
    if link == LINKTYPE_IEEE802_5:
        return token_ring(buf, at, end)
    if link == LINKTYPE_FDDI:
        return fddi(buf, at, end)
    if link == LINKTYPE_ENC:
        return raw_ip(buf, at + 12, end)  # behind family, SPI and flags of OpenBSD's IPsec
    if link == LINKTYPE_ATM_RFC1483 or link == LINKTYPE_SUNATM or link == LINKTYPE_IP_OVER_FC:
        return in_cells(buf, at, end, link)
    if link == LINKTYPE_FRELAY or link == LINKTYPE_FRELAY_WITH_DIR:
        return in_cells(buf, at, end, link)
    ethertype = before_ethertype(link)
    if ethertype >= 0:
        return ethertype_at(buf, at + ethertype, end)
    return -1 - NOT_IP if link == NO_IP else -1 - UNSUPPORTED_LINK_TYPE


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
    return seldom_frame(buf, at, end, link)


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
