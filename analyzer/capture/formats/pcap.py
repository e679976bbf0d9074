"""Classic pcap (draft-ietf-opsawg-pcap) and its older relatives, in both byte orders."""

from __future__ import annotations

import struct

from analyzer.capture.formats.flat import FlatFormat, Head
from analyzer.wire import (
    PCAP_HEADER_SIZE,
    PCAP_LENGTHS_IN_ORDER,
    PCAP_MICROSECONDS,
    PCAP_MODIFIED,
    PCAP_MODIFIED_RECORD_SIZE,
    PCAP_NANOSECONDS,
    PCAP_RECORD_SIZE,
    link_type_name,
)

LINK_TYPE_MASK = 0x03FFFFFF  # above it: FCS length and reserved bits

_ORDERS = {
    struct.pack(order + "I", magic): (order, magic)
    for order in "<>"
    for magic in (PCAP_MICROSECONDS, PCAP_NANOSECONDS, PCAP_MODIFIED)
}


def is_pcap(magic: bytes) -> bool:
    """Whether a file that begins with these bytes is classic pcap."""
    return magic[:4] in _ORDERS


class PcapFormat(FlatFormat):
    """Seconds, a fraction, captured and original length, then the bytes of the packet."""

    name = "pcap"
    header_size = PCAP_HEADER_SIZE

    def read_header(self, header: bytes) -> Head:
        """See FlatFormat."""
        order, magic = _ORDERS[header[:4]]
        major, minor = struct.unpack(order + "HH", header[4:8])
        snaplen, link = struct.unpack(order + "II", header[16:24])
        old = major == 2 and minor < PCAP_LENGTHS_IN_ORDER
        swapped = old and minor < PCAP_LENGTHS_IN_ORDER - 1
        return Head(
            order="big" if order == ">" else "little",
            link=link & LINK_TYPE_MASK,
            link_name=link_type_name(link & LINK_TYPE_MASK),
            digits=9 if magic == PCAP_NANOSECONDS else 6,
            snaplen=snaplen,
            size=PCAP_MODIFIED_RECORD_SIZE if magic == PCAP_MODIFIED else PCAP_RECORD_SIZE,
            time_at=0,
            caplen_at=12 if swapped else 8,
            origlen_at=8 if swapped else 12,
            may_be_swapped=old,
        )
