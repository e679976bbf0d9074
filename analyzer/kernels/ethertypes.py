"""Ethertypes: the IP header behind one, past tags, labels, sessions and Ethernet in any of them.

Every function is given where the captured octets end and reads none beyond. Functions that look for the next header
return where it starts and what it is, packed as `at << 16 | ethertype`, or -1 - reason.
"""

from __future__ import annotations

from analyzer.kernels.arithmetic import be16
from analyzer.kernels.registry import Buffer, kernel
from analyzer.layout import MALFORMED, NOT_IP, TRUNCATED
from analyzer.wire import (
    CISCO_HDLC_MULTICAST,
    CISCO_HDLC_UNICAST,
    ETHERTYPE_FABRICPATH,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_MPLS_MULTICAST,
    ETHERTYPE_PPPOE_SESSION,
    ETHERTYPE_PROVIDER_BACKBONE,
    ETHERTYPE_QINQ,
    ETHERTYPE_QINQ_OLD,
    ETHERTYPE_TRANSPARENT_ETHERNET,
    ETHERTYPE_VLAN,
    LLC_IP,
    LLC_SNAP,
    PPP_ADDRESS_CONTROL,
    PPP_IPV4,
    PPP_IPV6,
    PPP_MPLS,
    PPP_MPLS_MULTICAST,
)

MAX_HEADERS = 16  # tags, labels and the like in one frame
SMALLEST_ETHERTYPE = 0x0600  # below it the field is a length (IEEE 802.3 3.2.6)
ETHERNET_HEADER = 14
NOTHING = 0  # stands for an ethertype where what follows is none that leads to IP


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
def leads_on(ethertype: int) -> bool:
    """Whether IP can follow this ethertype, at once or after tags and labels."""
    return (
        ethertype == ETHERTYPE_IPV4
        or ethertype == ETHERTYPE_IPV6
        or ethertype == ETHERTYPE_VLAN
        or ethertype == ETHERTYPE_QINQ
        or ethertype == ETHERTYPE_QINQ_OLD
        or ethertype == ETHERTYPE_MPLS
        or ethertype == ETHERTYPE_PPPOE_SESSION
    )


@kernel
def llc(buf: Buffer, at: int, end: int) -> int:
    """What an 802.2 header announces: IP by its own number, or by an ethertype (SNAP, RFC 1042)."""
    if at + 8 > end:
        return -1 - TRUNCATED
    if be16(buf, at) == LLC_SNAP:
        return ((at + 8) << 16) | be16(buf, at + 6)
    if be16(buf, at) == LLC_IP:
        return ((at + 3) << 16) | ETHERTYPE_IPV4
    return -1 - NOT_IP


@kernel
def mpls(buf: Buffer, at: int, end: int) -> int:
    """What an MPLS label (RFC 3032) is followed by: another, IP, or a pseudowire's Ethernet frame.

    Nothing in the labels says which: the first nibble tells IP (RFC 4928), and an ethertype where it should be tells
    a frame, with a control word before it (RFC 4448 4.6) or without.
    """
    if at + 5 > end:
        return -1 - TRUNCATED
    if buf[at + 2] & 1 == 0:
        return ((at + 4) << 16) | ETHERTYPE_MPLS
    at += 4
    if buf[at] >> 4 == 4:
        return (at << 16) | ETHERTYPE_IPV4
    if buf[at] >> 4 == 6:
        return (at << 16) | ETHERTYPE_IPV6
    for word in range(4, -1, -4):
        frame = at + word
        if frame + ETHERNET_HEADER <= end and leads_on(be16(buf, frame + 12)):
            return (frame << 16) | ETHERTYPE_TRANSPARENT_ETHERNET
    return -1 - NOT_IP


@kernel
def ppp(buf: Buffer, at: int, end: int) -> int:
    """What a PPP frame carries; its address and control may be left out, its protocol be one octet (RFC 1661 6.5)."""
    if at + 4 > end:
        return -1 - TRUNCATED
    start = be16(buf, at)
    if start == CISCO_HDLC_UNICAST or start == CISCO_HDLC_MULTICAST:
        return ((at + 4) << 16) | be16(buf, at + 2)
    if start == PPP_ADDRESS_CONTROL:
        at += 2
    if buf[at] & 1:
        protocol = buf[at] | 0
        at += 1
    else:
        protocol = be16(buf, at)
        at += 2
    if protocol == PPP_IPV4:
        return (at << 16) | ETHERTYPE_IPV4
    if protocol == PPP_IPV6:
        return (at << 16) | ETHERTYPE_IPV6
    if protocol == PPP_MPLS or protocol == PPP_MPLS_MULTICAST:
        return (at << 16) | ETHERTYPE_MPLS
    return -1 - NOT_IP


@kernel
def is_ethernet(ethertype: int) -> bool:
    """Whether another Ethernet frame follows this ethertype."""
    return (
        ethertype == ETHERTYPE_TRANSPARENT_ETHERNET
        or ethertype == ETHERTYPE_FABRICPATH
        or ethertype == ETHERTYPE_PROVIDER_BACKBONE
    )


@kernel
def next_header(buf: Buffer, at: int, end: int, ethertype: int) -> int:
    """What follows the header at `at`, which is none of IP."""
    if ethertype == ETHERTYPE_VLAN or ethertype == ETHERTYPE_QINQ or ethertype == ETHERTYPE_QINQ_OLD:
        if at + 4 > end:
            return -1 - TRUNCATED
        return ((at + 4) << 16) | be16(buf, at + 2)
    if ethertype == ETHERTYPE_MPLS or ethertype == ETHERTYPE_MPLS_MULTICAST:
        return mpls(buf, at, end)
    if ethertype == ETHERTYPE_PPPOE_SESSION:  # RFC 2516 4
        return ppp(buf, at + 6, end)
    if is_ethernet(ethertype):
        # A tag of the switches stands between their addresses and the frame that they carry.
        if ethertype == ETHERTYPE_FABRICPATH:
            at += 2
        if ethertype == ETHERTYPE_PROVIDER_BACKBONE:
            at += 4
        if at + ETHERNET_HEADER > end:
            return -1 - TRUNCATED
        return ((at + ETHERNET_HEADER) << 16) | be16(buf, at + 12)
    if ethertype < SMALLEST_ETHERTYPE and ethertype > NOTHING:
        return llc(buf, at, end)
    return -1 - NOT_IP


@kernel
def past(buf: Buffer, found: int, end: int) -> int:
    """The IP header behind `found`, past VLAN tags, MPLS labels, PPPoE, SNAP, and Ethernet in any of them."""
    for _ in range(MAX_HEADERS):
        if found < 0 or found & 0xFFFF == ETHERTYPE_IPV4 or found & 0xFFFF == ETHERTYPE_IPV6:
            return found
        found = next_header(buf, found >> 16, end, found & 0xFFFF)
    return -1 - MALFORMED


@kernel
def ethertype_at(buf: Buffer, at: int, end: int) -> int:
    """What an ethertype at `at` announces, right behind it."""
    if at + 2 > end:
        return -1 - TRUNCATED
    return ((at + 2) << 16) | be16(buf, at)
