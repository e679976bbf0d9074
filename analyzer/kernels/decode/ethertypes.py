"""Ethertypes: the IP header behind one, past tags, labels, sessions and Ethernet in any of them.

Every function is given where the captured bytes end and reads none beyond. Functions that look for the next header
return where it starts and what it is, packed as `at << 16 | ethertype`, or -1 - reason.
"""

from __future__ import annotations

from analyzer.kernels.arithmetic import be16
from analyzer.kernels.engine.registry import Buffer, kernel
from analyzer.tables.fields import MALFORMED, NOT_IP, TRUNCATED
from analyzer.wire import (
    CISCO_HDLC_MULTICAST,
    CISCO_HDLC_UNICAST,
    ETHERTYPE_CISCO_METADATA,
    ETHERTYPE_E_TAG,
    ETHERTYPE_FABRICPATH,
    ETHERTYPE_FRAME_RELAY,
    ETHERTYPE_HSR,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_JUMBO_LLC,
    ETHERTYPE_MACSEC,
    ETHERTYPE_MPLS,
    ETHERTYPE_MPLS_MULTICAST,
    ETHERTYPE_NSH,
    ETHERTYPE_PPPOE_SESSION,
    ETHERTYPE_PROVIDER_BACKBONE,
    ETHERTYPE_QINQ,
    ETHERTYPE_QINQ_OLD,
    ETHERTYPE_R_TAG,
    ETHERTYPE_TRANSPARENT_ETHERNET,
    ETHERTYPE_TRILL,
    ETHERTYPE_VLAN,
    ETHERTYPE_VNTAG,
    LLC_IP,
    LLC_SNAP,
    NLPID_IPV4,
    NLPID_IPV6,
    NLPID_SNAP,
    PPP_ADDRESS_CONTROL,
    PPP_IPV4,
    PPP_IPV6,
    PPP_MPLS,
    PPP_MPLS_MULTICAST,
    SMALLEST_ETHERTYPE,
)

MAX_HEADERS = 16  # tags, labels and the like in one frame
ETHERNET_HEADER = 14
UNNUMBERED = 0x03  # the control field of frame relay (RFC 2427 2)
# MACsec's first byte (IEEE 802.1AE 9.5): encrypted, changed otherwise, with the sender's channel.
MACSEC_ENCRYPTED = 0x08
MACSEC_CHANGED = 0x04
MACSEC_SCI = 0x20
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
def ethertype_at(buf: Buffer, at: int, end: int) -> int:
    """What an ethertype at `at` announces, right behind it."""
    if at + 2 > end:
        return -1 - TRUNCATED
    return ((at + 2) << 16) | be16(buf, at)


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
    """What a PPP frame carries; its address and control may be left out, its protocol be one byte (RFC 1661 6.5)."""
    if at + 4 > end:
        return -1 - TRUNCATED
    start = be16(buf, at)
    if start == CISCO_HDLC_UNICAST or start == CISCO_HDLC_MULTICAST:
        return ((at + 4) << 16) | be16(buf, at + 2)
    if start == PPP_ADDRESS_CONTROL:
        at += 2
    if buf[at] & 1:
        protocol = buf[at]
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
def frame_relay(buf: Buffer, at: int, end: int) -> int:
    """What a frame relay frame carries: by its network layer protocol (RFC 2427), or Cisco's way by an ethertype."""
    for _ in range(4):  # bytes of the address, whose last has its lowest bit set
        if at >= end:
            return -1 - TRUNCATED
        at += 1
        if buf[at - 1] & 1:
            break
    if at + 3 > end:
        return -1 - TRUNCATED
    if buf[at] != UNNUMBERED:
        return ((at + 2) << 16) | be16(buf, at)
    at += 2 if buf[at + 1] == 0 else 1  # a byte of padding
    if buf[at] == NLPID_IPV4:
        return ((at + 1) << 16) | ETHERTYPE_IPV4
    if buf[at] == NLPID_IPV6:
        return ((at + 1) << 16) | ETHERTYPE_IPV6
    if buf[at] != NLPID_SNAP:
        return -1 - NOT_IP
    return ethertype_at(buf, at + 4, end)


@kernel
def network_service(buf: Buffer, at: int, end: int) -> int:
    """What a network service header announces, behind its metadata."""
    if at + 4 > end:
        return -1 - TRUNCATED
    following = buf[at + 3]
    at += (buf[at + 1] & 0x3F) * 4
    if following == 1:
        return (at << 16) | ETHERTYPE_IPV4
    if following == 2:
        return (at << 16) | ETHERTYPE_IPV6
    if following == 3:
        return (at << 16) | ETHERTYPE_TRANSPARENT_ETHERNET
    if following == 5:
        return (at << 16) | ETHERTYPE_MPLS
    return -1 - NOT_IP


@kernel
def tag_size(buf: Buffer, at: int, end: int, ethertype: int) -> int:
    """How many bytes of a seldom tag stand between its ethertype and the next one; -1 where it is no such tag.

    What MACsec has encrypted is no tag; and neither is one that is not there.
    """
    if ethertype == ETHERTYPE_VNTAG or ethertype == ETHERTYPE_HSR or ethertype == ETHERTYPE_R_TAG:
        return 4
    if ethertype == ETHERTYPE_CISCO_METADATA or ethertype == ETHERTYPE_E_TAG:
        return 6
    if ethertype == ETHERTYPE_MACSEC and at < end and buf[at] & (MACSEC_ENCRYPTED | MACSEC_CHANGED) == 0:
        return 14 if buf[at] & MACSEC_SCI else 6
    return -1


@kernel
def ethernet_offset(buf: Buffer, at: int, end: int, ethertype: int) -> int:
    """How far behind this ethertype another Ethernet frame starts; -1 where none does.

    A tag of the switches stands between their addresses and the frame that they carry.
    """
    if ethertype == ETHERTYPE_TRANSPARENT_ETHERNET:
        return 0
    if ethertype == ETHERTYPE_FABRICPATH:
        return 2
    if ethertype == ETHERTYPE_PROVIDER_BACKBONE:
        return 4
    if ethertype == ETHERTYPE_TRILL and at + 2 <= end:
        return 6 + (be16(buf, at) >> 6 & 0x1F) * 4
    return -1


@kernel
def seldom_header(buf: Buffer, at: int, end: int, ethertype: int) -> int:
    """As `next_header`, for what few captures have."""
    if ethertype == ETHERTYPE_NSH:
        return network_service(buf, at, end)
    if ethertype == ETHERTYPE_FRAME_RELAY:
        return frame_relay(buf, at, end)
    if ethertype == ETHERTYPE_JUMBO_LLC:
        return llc(buf, at, end)
    offset = ethernet_offset(buf, at, end, ethertype)
    if offset >= 0:
        if at + offset + ETHERNET_HEADER > end:
            return -1 - TRUNCATED
        return ethertype_at(buf, at + offset + ETHERNET_HEADER - 2, end)
    offset = tag_size(buf, at, end, ethertype)
    if offset >= 0:
        return ethertype_at(buf, at + offset, end)
    return -1 - TRUNCATED if at >= end else -1 - NOT_IP


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
    if ethertype < SMALLEST_ETHERTYPE and ethertype > NOTHING:
        return llc(buf, at, end)
    return seldom_header(buf, at, end, ethertype)


@kernel
def past(buf: Buffer, found: int, end: int) -> int:
    """The IP header behind `found`, past VLAN tags, MPLS labels, PPPoE, SNAP, and Ethernet in any of them."""
    for _ in range(MAX_HEADERS):
        if found < 0 or found & 0xFFFF == ETHERTYPE_IPV4 or found & 0xFFFF == ETHERTYPE_IPV6:
            return found
        found = next_header(buf, found >> 16, end, found & 0xFFFF)
    return -1 - MALFORMED
