"""Formats of one header and then records until the end: what pcap and snoop have in common."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.errors import CaptureError
from analyzer.kernels import Buffer, Ints, Kernels
from analyzer.kernels.records import (
    AT,
    BAD_LENGTH,
    BIG_ENDIAN,
    CAPLEN_AT,
    COUNT,
    END,
    HEAD_SIZE,
    LIMIT,
    LINK,
    MAY_BE_SWAPPED,
    NEED_MORE,
    NEED_ROOM,
    ORIGLEN_AT,
    SIZE_AT,
    SUBSECOND_NS,
    TIME_AT,
    fresh_scan,
    times_of,
)

MAX_SNAPLEN = 1 << 18  # libpcap's MAXIMUM_SNAPLEN
MAX_BLOCK = 1 << 24


class Head(NamedTuple):
    """What a file's header says of its records; positions are within the head of a record."""

    order: str  # of bytes: big or little
    link: int
    link_name: str
    digits: int  # decimals of a second
    snaplen: int
    size: int
    time_at: int
    caplen_at: int
    origlen_at: int
    size_at: int = 0
    may_be_swapped: bool = False


class FlatFormat:
    """A header, read by the subclass, then records."""

    name = ""
    header_size = 0

    def __init__(self) -> None:
        self.digits = 6
        self.link_types: list[str] = []
        self.problems: list[tuple[int, str]] = []
        self.other_records = 0
        self.lost = False
        self._head: Head | None = None
        self._scan: Ints = fresh_scan()

    def read_header(self, header: bytes) -> Head:
        """Read the file's first `header_size` bytes; raises CaptureError for what it does not know."""
        raise NotImplementedError

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._kernels = kernels
        self._scan = kernels.adopt(self._scan)

    @property
    def times(self) -> tuple[int, int, int, int]:
        """See `reader.Format`."""
        return times_of(self._scan)

    @property
    def unfinished(self) -> tuple[int, int]:
        """Nothing is ever passed over."""
        return 0, 0

    def scan(self, buffer: bytearray, octets: Buffer, start: int, end: int, records: Ints) -> tuple[int, int, int]:
        """Find records in [start, end); see `reader.Format.scan`, and what it raises."""
        if self._head is None:
            if end - start < self.header_size:
                return NEED_MORE, start, 0
            self._head = self.read_header(bytes(buffer[start : start + self.header_size]))
            self._set_up(self._head)
            start += self.header_size
        self._scan[AT], self._scan[END] = start, end
        status = self._kernels.scan_records(octets, self._scan, records)
        at, count = int(self._scan[AT]), int(self._scan[COUNT])
        if status == BAD_LENGTH and count:
            return NEED_ROOM, at, count  # once the good ones are taken, what follows them is looked at again
        if status == BAD_LENGTH:
            length_at = at + (self._head.size_at or self._head.caplen_at)
            length = int.from_bytes(buffer[length_at : length_at + 4], "big" if self._head.order == "big" else "little")
            what = f"a record of {length} bytes cannot be" if length else "from here on there are but zeros"
            raise CaptureError(f"{what}: the capture is damaged here", offset=at)
        return status, at, count

    def _set_up(self, head: Head) -> None:
        self.digits = head.digits
        self.link_types.append(head.link_name)
        for field, value in (
            (BIG_ENDIAN, int(head.order == "big")),
            (SUBSECOND_NS, 10 ** (9 - head.digits)),
            (LINK, head.link),
            (LIMIT, max(MAX_SNAPLEN, min(head.snaplen, MAX_BLOCK))),
            (HEAD_SIZE, head.size),
            (TIME_AT, head.time_at),
            (CAPLEN_AT, head.caplen_at),
            (ORIGLEN_AT, head.origlen_at),
            (SIZE_AT, head.size_at),
            (MAY_BE_SWAPPED, int(head.may_be_swapped)),
        ):
            self._scan[field] = value
