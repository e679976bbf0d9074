"""IEEE 802.11 data frames, and CAPWAP, in which access points tunnel them to their controller."""

from __future__ import annotations

from analyzer.kernels.arithmetic import be16
from analyzer.kernels.decode.ethertypes import llc
from analyzer.kernels.engine.registry import Buffer, kernel
from analyzer.tables.fields import IP_FRAGMENT, NOT_IP, NOT_TCP, TRUNCATED
from analyzer.wire import ETHERTYPE_TRANSPARENT_ETHERNET

# IEEE 802.11 9.2.4.1: the two bytes of frame control.
TYPE_AND_VERSION = 0x0F
DATA = 0x08
NO_DATA = 0x40  # subtype: null frames and the like
QOS = 0x80
BOTH_DS = 0x03
PROTECTED = 0x40
ORDER = 0x80
ADDRESSES_3 = 24  # bytes of the header
# RFC 5415 4.3: bits of the header's first four bytes.
CAPWAP_SIZE = 8
CAPWAP_NATIVE = 0x0100  # 802.11 rather than 802.3
CAPWAP_FRAGMENT = 0x0080
CAPWAP_KEEP_ALIVE = 0x0008
AGGREGATE = 0x80  # QoS control: several frames in one


@kernel
def wireless_data(buf: Buffer, at: int, end: int) -> int:
    """What an 802.11 data frame carries behind its 802.2 header."""
    if at + ADDRESSES_3 > end:
        return -1 - TRUNCATED
    kind, flags = buf[at] & 0xFF, buf[at + 1] & 0xFF
    if kind & TYPE_AND_VERSION != DATA:
        kind, flags = flags, kind  # Cisco's controllers send the two bytes swapped
    if kind & TYPE_AND_VERSION != DATA or kind & NO_DATA or flags & PROTECTED:
        return -1 - NOT_IP
    at += ADDRESSES_3
    if flags & BOTH_DS == BOTH_DS:
        at += 6
    if kind & QOS:
        if at + 2 > end:
            return -1 - TRUNCATED
        if buf[at] & AGGREGATE:
            return -1 - NOT_IP
        at += 6 if flags & ORDER else 2
    return llc(buf, at, end)


@kernel
def capwap(buf: Buffer, at: int, end: int) -> int:
    """The frame in CAPWAP's data channel."""
    if at + CAPWAP_SIZE > end or buf[at] != 0:
        return -1 - NOT_TCP  # version 0, not encrypted
    flags = be16(buf, at + 2)
    if flags & CAPWAP_KEEP_ALIVE:
        return -1 - NOT_TCP
    if flags & CAPWAP_FRAGMENT and be16(buf, at + 6) >> 3 != 0:
        return -1 - IP_FRAGMENT
    at += (buf[at + 1] >> 3) * 4
    if flags & CAPWAP_NATIVE:
        return wireless_data(buf, at, end)
    return (at << 16) | ETHERTYPE_TRANSPARENT_ETHERNET
