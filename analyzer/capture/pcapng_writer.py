"""pcapng as we write it (draft-ietf-opsawg-pcapng): one section, any interfaces, packets with comments.

scapy's writer, the one library at hand that knows comments, keeps time in microseconds and by way of a float.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analyzer.kernels import octets_of
from analyzer.model.columns import Records
from analyzer.tables.fields import CAPLEN, LINK_TYPE, OFFSET, ORIGLEN, RECORD_SIZE, RECORD_TIME
from analyzer.tcp import NANO_DIGITS
from analyzer.wire import (
    PCAPNG_BYTE_ORDER,
    PCAPNG_COMMENT,
    PCAPNG_END_OF_OPTIONS,
    PCAPNG_ENHANCED_PACKET,
    PCAPNG_IF_NAME,
    PCAPNG_IF_TSRESOL,
    PCAPNG_INTERFACE,
    PCAPNG_SECTION_HEADER,
    PCAPNG_USER_APPLICATION,
)

Comments = Mapping[int, Sequence[str]]
MAX_LINK_TYPE = 0xFFFF
_PACKET = struct.Struct("<IIIIIII")
_PACKET_OCTETS = _PACKET.size + 4  # with the length repeated at the end
_WHOLE_SECTION = 0xFFFF_FFFF_FFFF_FFFF  # a length that is not told


class PcapngWriter:
    """Composes the bytes of a capture file; whoever has it writes them, each call's as a whole."""

    def __init__(self) -> None:
        self._interfaces: dict[tuple[str, int, int], int] = {}

    def begin(self) -> bytes:
        """A section header, after which no interface is known."""
        self._interfaces.clear()
        program = _option(PCAPNG_USER_APPLICATION, b"keepalive")
        body = struct.pack("<IHHQ", PCAPNG_BYTE_ORDER, 1, 0, _WHOLE_SECTION)
        return _block(PCAPNG_SECTION_HEADER, body + program + _option(PCAPNG_END_OF_OPTIONS))

    def records(self, records: Records, name: str, digits: int, comments: Comments | None = None) -> bytes:
        """All packets of a batch, as captured at `name` in so many decimals of a second; comments by frame number.

        Raises OSError for a link type above MAX_LINK_TYPE, for which the format has no room; so does `packet`.
        """
        parts: list[bytes | memoryview] = []
        octets = octets_of(records.buffer)
        rows = records.rows[: records.size * RECORD_SIZE]
        flat: list[int] = rows if isinstance(rows, list) else rows.tolist()
        said = comments or {}
        for place, row in enumerate(range(0, len(flat), RECORD_SIZE)):
            at = flat[row + OFFSET]
            data = octets[at : at + flat[row + CAPLEN]]
            where = name, flat[row + LINK_TYPE], digits
            of_this = said.get(records.first_frame + place, ())
            self._packet(parts, data, flat[row + ORIGLEN], flat[row + RECORD_TIME], where, of_this)
        return b"".join(parts)

    def packet(self, octets: bytes, original: int, time: int, where: tuple[str, int, int]) -> bytes:
        """One packet, captured at a name, of a link type, in so many decimals of a second."""
        parts: list[bytes | memoryview] = []
        self._packet(parts, octets, original, time, where)
        return b"".join(parts)

    def _packet(
        self,
        parts: list[bytes | memoryview],
        data: Any,
        original: int,
        time: int,
        where: tuple[str, int, int],
        comments: Iterable[str] = (),
    ) -> None:
        """Add the blocks of one packet, nanoseconds since 1970, captured at a name, of a link type, in decimals."""
        interface = self._interfaces.get(where)
        if interface is None:
            interface = self._interfaces[where] = len(self._interfaces)
            parts.append(_interface(*where))
        options = b"".join(_option(PCAPNG_COMMENT, comment.encode()) for comment in comments)
        if options:
            options += _option(PCAPNG_END_OF_OPTIONS)
        ticks = time // 10 ** (NANO_DIGITS - where[2])
        captured = len(data)
        padding = -captured % 4
        length = _PACKET_OCTETS + captured + padding + len(options)
        high, low = ticks >> 32 & 0xFFFF_FFFF, ticks & 0xFFFF_FFFF
        parts += (
            _PACKET.pack(PCAPNG_ENHANCED_PACKET, length, interface, high, low, captured, original),
            data,
            bytes(padding) + options + length.to_bytes(4, "little"),
        )


def _interface(name: str, link_type: int, digits: int) -> bytes:
    """The block that describes one. Raises OSError where its link type, of classic pcap, needs more than 16 bits."""
    if link_type > MAX_LINK_TYPE:
        raise OSError(errno.EOVERFLOW, f"pcapng has no room for link type {link_type}")
    options = _option(PCAPNG_IF_NAME, name.encode(errors="replace")) + _option(PCAPNG_IF_TSRESOL, bytes([digits]))
    return _block(PCAPNG_INTERFACE, struct.pack("<HHI", link_type, 0, 0) + options + _option(PCAPNG_END_OF_OPTIONS))


def _option(code: int, value: bytes = b"") -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length
