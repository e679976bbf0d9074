"""snoop (RFC 1761), the format of Solaris: big-endian, every record with its own length."""

from __future__ import annotations

import struct

from analyzer.capture.formats.flat import MAX_SNAPLEN, FlatFormat, Head
from analyzer.errors import CaptureError
from analyzer.wire import (
    LINKTYPE_ETHERNET,
    NO_LINK_TYPE,
    SNOOP_ETHERNET,
    SNOOP_HEADER_SIZE,
    SNOOP_IEEE_802_3,
    SNOOP_MAGIC,
    SNOOP_RECORD_SIZE,
    SNOOP_VERSION,
    link_type_name,
)


def is_snoop(magic: bytes) -> bool:
    """Whether a file that begins with these bytes is snoop."""
    return magic.startswith(SNOOP_MAGIC)


class SnoopFormat(FlatFormat):
    """Original and included length, length of the record, drops, seconds, microseconds, then the packet."""

    name = "snoop"
    header_size = SNOOP_HEADER_SIZE

    def read_header(self, header: bytes) -> Head:
        """See FlatFormat; raises CaptureError for another version than that of RFC 1761."""
        version, link = struct.unpack(">II", header[8:16])
        if version != SNOOP_VERSION:
            raise CaptureError(f"snoop version {version}, of which we know {SNOOP_VERSION} alone", offset=0)
        known = link in (SNOOP_IEEE_802_3, SNOOP_ETHERNET)
        return Head(
            order="big",
            link=LINKTYPE_ETHERNET if known else NO_LINK_TYPE,
            link_name=link_type_name(LINKTYPE_ETHERNET) if known else f"snoop {link}",
            digits=6,
            snaplen=MAX_SNAPLEN,
            size=SNOOP_RECORD_SIZE,
            time_at=16,
            caplen_at=4,
            origlen_at=0,
            size_at=8,
        )
