"""pcapng (draft-ietf-opsawg-pcapng): sections, interfaces, packets; other blocks are passed over."""

from __future__ import annotations

import re

from analyzer.errors import CaptureError
from analyzer.kernels import Buffer, Ints, Kernels
from analyzer.kernels.records import (
    AT,
    BAD_LENGTH,
    BIG_ENDIAN,
    COUNT,
    END,
    IF_BINARY,
    IF_DIVIDE,
    IF_LINK,
    IF_MULTIPLY,
    IF_OFFSET_NS,
    IF_SNAPLEN,
    INTERFACE_SIZE,
    LIMIT,
    NEED_MORE,
    NEED_ROOM,
    OTHER_BLOCK,
    UNKNOWN_INTERFACE,
    fresh_scan,
    times_of,
)
from analyzer.tcp import NANO_DIGITS
from analyzer.wire import (
    PCAPNG_BYTE_ORDER,
    PCAPNG_DEFAULT_TSRESOL,
    PCAPNG_END_OF_OPTIONS,
    PCAPNG_IF_TSOFFSET,
    PCAPNG_IF_TSRESOL,
    PCAPNG_INTERFACE,
    PCAPNG_OTHER_RECORDS,
    PCAPNG_SECTION_HEADER,
    link_type_name,
)

MAX_BLOCK = 1 << 24  # bounds the buffer; blocks that are passed over may be longer
MAX_INTERFACES = 1 << 16
SMALLEST_BLOCK = 12
SMALLEST_SECTION = 28
VERSIONS = ((1, 0), (1, 2))  # 1.2 is written by some and the same (draft-ietf-opsawg-pcapng 4.1)
# How blocks begin that are looked for after damage: a section header, an interface, a packet of any kind, names, or
# statistics; the length is a multiple of four and below MAX_BLOCK.
_LENGTHS = b"[" + b"".join(b"\\x%02x" % octet for octet in range(0, 256, 4)) + b"]"
_ANY_SECTION = b"\n\r\r\n[\\s\\S]{4}(?:\\x1a\\x2b\\x3c\\x4d|\\x4d\\x3c\\x2b\\x1a)"
_BLOCKS = {
    False: re.compile(b"(?=" + _ANY_SECTION + b"|[\1-\6]\0\0\0" + _LENGTHS + b"[\\s\\S]{2}\0)"),
    True: re.compile(b"(?=" + _ANY_SECTION + b"|\0\0\0[\1-\6]\0[\\s\\S]{2}" + _LENGTHS + b")"),
}
_ORDERS = {PCAPNG_BYTE_ORDER.to_bytes(4, "big"): "big", PCAPNG_BYTE_ORDER.to_bytes(4, "little"): "little"}
_SECTION = PCAPNG_SECTION_HEADER.to_bytes(4, "big")
BINARY = 0x80  # if_tsresol: the other bits are a power of two, not of ten


def is_pcapng(magic: bytes) -> bool:
    """Whether a file that begins with these four bytes is pcapng."""
    return magic[:4] == _SECTION


class PcapngFormat:
    """Blocks; a section header starts the list of interfaces anew, perhaps in another byte order."""

    name = "pcapng"

    def __init__(self) -> None:
        self.digits = 6
        self.link_types: list[str] = []
        self.problems: list[tuple[int, str]] = []
        self._scan: Ints = fresh_scan()
        self._scan[LIMIT] = MAX_BLOCK
        self._interfaces: Ints = []
        self._order: str | None = None
        self._skip = 0
        self._passed = 0
        self.lost = False
        self._sections_only = False  # what follows is in a version that we do not know
        self.other_records = 0

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._kernels = kernels
        self._scan = kernels.adopt(self._scan)
        self._interfaces = kernels.adopt(self._interfaces)

    @property
    def times(self) -> tuple[int, int, int, int]:
        """See `reader.Format`."""
        return times_of(self._scan)

    def scan(self, buffer: bytearray, octets: Buffer, start: int, end: int, records: Ints) -> tuple[int, int, int]:
        """Find records in [start, end); see `reader.Format.scan`."""
        at = start
        while True:
            if self.lost:
                at = self._search(buffer, at, end)
                if self.lost:
                    return NEED_MORE, at, 0
            passed = min(self._skip, end - at)
            self._skip -= passed
            self._passed += passed
            at += passed
            if self._order is None:
                status, count = OTHER_BLOCK, 0
            else:
                self._scan[AT], self._scan[END] = at, end
                status = self._kernels.scan_pcapng(octets, self._scan, self._interfaces, records)
                at, count = int(self._scan[AT]), int(self._scan[COUNT])
            if count:
                return NEED_ROOM, at, count
            try:
                if status in (BAD_LENGTH, UNKNOWN_INTERFACE):
                    complete = self._pass_damage(buffer, at, end, status)
                else:
                    complete = status == OTHER_BLOCK and self._other_block(buffer, at, end)
            except CaptureError as error:
                if self._order is None:
                    raise  # nothing is understood yet: this is no pcapng
                self.problems.append((error.offset, error.reason))
                self.lost = True
                at += 1
                continue
            if not complete:
                return NEED_MORE, at, 0

    def _search(self, buffer: bytearray, at: int, end: int) -> int:
        """Where, after damage, the next block that makes sense starts, or what may be one that is not all there.

        A block makes sense when its kind is known and it says its length twice; that 8 bytes of something else look
        so by chance happens once in 2**30 places.
        """
        for found in _BLOCKS[self._order == "big"].finditer(buffer, at, end):
            at = found.start()
            order = self._order
            if buffer[at : at + 4] == _SECTION:
                order = _ORDERS[bytes(buffer[at + 8 : at + 12])]
            elif self._sections_only:
                continue
            length = int.from_bytes(buffer[at + 4 : at + 8], "big" if order == "big" else "little")
            if length > MAX_BLOCK or length < SMALLEST_BLOCK:
                continue
            if at + length > end:
                return at
            if buffer[at + length - 4 : at + length] == buffer[at + 4 : at + 8]:
                self.lost = self._sections_only = False
                return at
        return max(at, end - SMALLEST_BLOCK)

    def _pass_damage(self, buffer: bytearray, at: int, end: int, status: int) -> bool:
        """Pass over one packet block that makes no sense; False when more bytes must tell.

        Raises CaptureError when its length cannot be believed, for then nobody knows where the next block begins.
        """
        length = self._number(buffer, at + 4, 4)
        if length < SMALLEST_BLOCK or length % 4 or length > MAX_BLOCK:
            raise CaptureError(f"a packet block of {length} bytes cannot be: the capture is damaged here", offset=at)
        if end - at < length:
            return False
        reason = "a packet whose length exceeds its block"
        if self._number(buffer, at + length - 4, 4) != length:
            reason = "a packet block whose two lengths disagree"
            if end - at < length + 8:
                return False
            follower = self._number(buffer, at + length + 4, 4)
            if follower < SMALLEST_BLOCK or follower % 4 or follower > MAX_BLOCK:
                raise CaptureError(f"{reason}: the capture is damaged here", offset=at)
        if status == UNKNOWN_INTERFACE:
            reason = "a packet of an interface that was never described"
        self.problems.append((at, reason))
        self._pass_over(length)
        return True

    @property
    def unfinished(self) -> tuple[int, int]:
        """Of a block that is being passed over: bytes passed, bytes still to come."""
        return self._passed, self._skip

    def _other_block(self, buffer: bytearray, at: int, end: int) -> bool:
        """Take note of a block that is no packet, and mark it to be skipped; False when it is not all there."""
        if end - at < SMALLEST_BLOCK:
            return False
        if buffer[at : at + 4] == _SECTION:
            if end - at < SMALLEST_SECTION:
                return False
            self._start_section(buffer, at)
        kind = self._number(buffer, at, 4)
        length = self._number(buffer, at + 4, 4)
        if length < SMALLEST_BLOCK or length % 4:
            raise CaptureError(f"a block of {length} bytes cannot be: the capture is damaged here", offset=at)
        if kind in PCAPNG_OTHER_RECORDS:
            self.other_records += 1
        if kind == PCAPNG_INTERFACE:
            if length > MAX_BLOCK:
                raise CaptureError(f"an interface description of {length} bytes cannot be", offset=at)
            if end - at < length:
                return False
            self._add_interface(buffer, at, length)
        self._pass_over(length)
        return True

    def _pass_over(self, length: int) -> None:
        self._skip = length
        self._passed = 0

    def _number(self, buffer: bytearray, at: int, size: int) -> int:
        return int.from_bytes(buffer[at : at + size], "big" if self._order == "big" else "little")

    def _start_section(self, buffer: bytearray, at: int) -> None:
        magic = bytes(buffer[at + 8 : at + 12])
        if magic not in _ORDERS:
            raise CaptureError(f"a section header with the byte-order magic {magic.hex()}", offset=at)
        before, self._order = self._order, _ORDERS[magic]
        major, minor = self._number(buffer, at + 12, 2), self._number(buffer, at + 14, 2)
        if (major, minor) not in VERSIONS:
            self._order = before
            self._sections_only = True
            raise CaptureError(f"pcapng version {major}.{minor}, which nobody has defined", offset=at)
        self._scan[BIG_ENDIAN] = int(self._order == "big")
        self._interfaces = self._kernels.ints(0)

    def _add_interface(self, buffer: bytearray, at: int, length: int) -> None:
        count = len(self._interfaces)
        if count >= MAX_INTERFACES * INTERFACE_SIZE:
            raise CaptureError(f"more than {MAX_INTERFACES} interfaces in one section", offset=at)
        link = self._number(buffer, at + 8, 2)
        options = self._options(buffer, at + 16, at + length - 4)
        resolution = options.get(PCAPNG_IF_TSRESOL, bytes([PCAPNG_DEFAULT_TSRESOL]))[:1]
        offset = int.from_bytes(
            options.get(PCAPNG_IF_TSOFFSET, b"")[:8], "big" if self._order == "big" else "little", signed=True
        )
        self._interfaces = self._kernels.adopt(self._interfaces, count + INTERFACE_SIZE)
        row = self._interfaces
        row[count + IF_LINK] = link
        row[count + IF_SNAPLEN] = self._number(buffer, at + 12, 4)
        row[count + IF_OFFSET_NS] = offset * 10**NANO_DIGITS if abs(offset) < 1 << 32 else 0
        self._set_resolution(row, count, resolution[0] if resolution else PCAPNG_DEFAULT_TSRESOL, at)
        name = link_type_name(link)
        if name not in self.link_types:
            self.link_types.append(name)

    def _set_resolution(self, row: Ints, at: int, resolution: int, offset: int) -> None:
        exponent = resolution & ~BINARY
        row[at + IF_MULTIPLY], row[at + IF_DIVIDE], row[at + IF_BINARY] = 1, 1, 0
        if resolution & BINARY:
            if exponent > 63:
                raise CaptureError(f"an interface that counts in 2**-{exponent} s", offset=offset)
            row[at + IF_BINARY] = exponent
            if exponent == 0:
                row[at + IF_MULTIPLY] = 10**NANO_DIGITS
            self.digits = NANO_DIGITS
        elif exponent <= NANO_DIGITS:
            row[at + IF_MULTIPLY] = 10 ** (NANO_DIGITS - exponent)
            self.digits = max(self.digits, exponent)
        elif exponent <= 2 * NANO_DIGITS:
            row[at + IF_DIVIDE] = 10 ** (exponent - NANO_DIGITS)
            self.digits = NANO_DIGITS
        else:
            raise CaptureError(f"an interface that counts in 10**-{exponent} s", offset=offset)

    def _options(self, buffer: bytearray, at: int, end: int) -> dict[int, bytes]:
        options: dict[int, bytes] = {}
        while at + 4 <= end:
            code, size = self._number(buffer, at, 2), self._number(buffer, at + 2, 2)
            if code == PCAPNG_END_OF_OPTIONS or at + 4 + size > end:
                break
            options[code] = bytes(buffer[at + 4 : at + 4 + size])
            at += 4 + (size + 3) // 4 * 4
        return options
