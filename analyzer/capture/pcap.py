"""Classic pcap (draft-ietf-opsawg-pcap), in both byte orders, with microseconds or nanoseconds."""

from __future__ import annotations

import struct

from analyzer.errors import CaptureError
from analyzer.kernels import Ints, Kernels
from analyzer.kernels.records import (
    AT,
    BAD_LENGTH,
    BIG_ENDIAN,
    COUNT,
    END,
    LIMIT,
    LINK,
    NEED_MORE,
    NEED_ROOM,
    SCAN_SIZE,
    SUBSECOND_NS,
)
from analyzer.wire import PCAP_HEADER_SIZE, PCAP_MICROSECONDS, PCAP_NANOSECONDS, link_type_name

MAX_SNAPLEN = 1 << 18  # libpcap's MAXIMUM_SNAPLEN
MAX_BLOCK = 1 << 24
LINK_TYPE_MASK = 0x03FFFFFF  # above it: FCS length and reserved bits

_ORDERS = {
    struct.pack(order + "I", magic): (order, magic) for order in "<>" for magic in (PCAP_MICROSECONDS, PCAP_NANOSECONDS)
}


def is_pcap(magic: bytes) -> bool:
    """Whether a file that begins with these four bytes is classic pcap."""
    return magic in _ORDERS


class PcapFormat:
    """One header, then records until the end."""

    name = "pcap"

    def __init__(self) -> None:
        self.digits = 6
        self.link_types: list[str] = []
        self.problems: list[tuple[int, str]] = []
        self.other_records = 0
        self._header_read = False
        self._scan: Ints = []

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._kernels = kernels
        self._scan = kernels.adopt(self._scan) if self._header_read else kernels.ints(SCAN_SIZE)

    @property
    def unfinished(self) -> tuple[int, int]:
        """Nothing is ever passed over."""
        return 0, 0

    def scan(self, buffer: bytearray, start: int, end: int, records: Ints) -> tuple[int, int, int]:
        """Find records in [start, end); see `reader.Format.scan`."""
        if not self._header_read:
            if end - start < PCAP_HEADER_SIZE:
                return NEED_MORE, start, 0
            self._read_header(bytes(buffer[start : start + PCAP_HEADER_SIZE]))
            start += PCAP_HEADER_SIZE
        self._scan[AT], self._scan[END] = start, end
        status = self._kernels.scan_pcap(self._kernels.view(buffer), self._scan, records)
        at, count = int(self._scan[AT]), int(self._scan[COUNT])
        if status == BAD_LENGTH and count:
            return NEED_ROOM, at, count  # once the good ones are taken, what follows them is looked at again
        if status == BAD_LENGTH:
            length = int.from_bytes(buffer[at + 8 : at + 12], "big" if self._scan[BIG_ENDIAN] else "little")
            raise CaptureError(f"a record of {length} bytes cannot be: the capture is damaged here", offset=at)
        return status, at, count

    def _read_header(self, header: bytes) -> None:
        order, magic = _ORDERS[header[:4]]
        snaplen, link = struct.unpack(order + "II", header[16:24])
        self._scan[BIG_ENDIAN] = int(order == ">")
        self._scan[SUBSECOND_NS] = 1000 if magic == PCAP_MICROSECONDS else 1
        self._scan[LINK] = link & LINK_TYPE_MASK
        self._scan[LIMIT] = max(MAX_SNAPLEN, min(snaplen, MAX_BLOCK))
        self.digits = 6 if magic == PCAP_MICROSECONDS else 9
        self.link_types.append(link_type_name(link & LINK_TYPE_MASK))
        self._header_read = True
