"""Frames through the decoder of either engine, and its rows with names."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from results import kernels_of

from analyzer.decode import Decoder
from analyzer.model.columns import Records
from analyzer.tables import fields as layout

Frame = tuple[int, bytes]  # link type, bytes


class Row(NamedTuple):
    """One row of Packets, as layout orders it."""

    kind: int
    frame: int
    time: int
    src_hi: int
    src_lo: int
    dst_hi: int
    dst_lo: int
    sport: int
    dport: int
    seq: int
    ackno: int
    flags: int
    len: int
    window: int
    ttl: int
    ip_id: int
    tsval: int
    tsecr: int
    options: int
    sack_left: int
    sack_right: int
    octet: int
    heartbeat: int
    key_hash: int
    tunnel: int

    @property
    def src(self) -> str:
        return address(self.src_hi, self.src_lo)

    @property
    def dst(self) -> str:
        return address(self.dst_hi, self.dst_lo)

    @property
    def quoted(self) -> Row:
        """Of an ICMP error only what it quotes: the other columns of its row mean nothing."""
        meaningless = dict.fromkeys(("ackno", "window", "tsval", "tsecr", "options"), 0)
        return (
            self._replace(**meaningless, sack_left=0, sack_right=0, octet=0, key_hash=0)
            if self.kind
            else self._replace(key_hash=0)
        )


def address(high: int, low: int) -> str:
    """An address from its two signed halves."""
    whole = ipaddress.IPv6Address((high % 2**64) << 64 | low % 2**64)
    return str(whole.ipv4_mapped or whole)


class Decoded(NamedTuple):
    """What became of a batch of frames."""

    rows: list[Row]
    skipped: dict[str, int]


def decode(frames: Sequence[Frame], snaplen: int | None = None) -> Decoded:
    """Decode frames, cut at `snaplen`, as one batch; both engines must say the same."""
    plain = _decode(frames, snaplen, "plain")
    assert _decode(frames, snaplen, "compiled") == plain
    for frame in frames:  # each alone, where what is read beyond its end is an IndexError
        _decode([frame], snaplen, "plain")
    assert len(plain.rows) + sum(plain.skipped.values()) == len(frames)
    return plain


def only_row(octets: bytes, link: int = 1, snaplen: int | None = None) -> Row:
    """The one packet of one frame."""
    rows, skipped = decode([(link, octets)], snaplen)
    assert skipped == {}
    return rows[0]


def only_reason(octets: bytes, link: int = 1, snaplen: int | None = None) -> str:
    """Why one frame gave no packet."""
    rows, skipped = decode([(link, octets)], snaplen)
    assert rows == []
    (reason,) = skipped
    return reason


def _decode(frames: Sequence[Frame], snaplen: int | None, engine: str) -> Decoded:
    kernels = kernels_of(engine)
    table, buffer = [], bytearray()
    for i, (link, octets) in enumerate(frames):
        kept = octets[:snaplen]
        table += [len(buffer), len(kept), len(octets), 1000 + i, link]
        buffer += kept  # nothing between the frames: a read past the end of one lands in the next
    decoder = Decoder(kernels)
    packets = decoder.feed(Records(kernels.view(buffer), kernels.adopt(table), len(frames), 1))
    size, fields = layout.PACKET_SIZE, len(Row._fields)
    rows = [Row(*map(int, packets.rows[i * size : i * size + fields])).quoted for i in range(packets.size)]
    assert decoder.tcp_packets == sum(row.kind == 0 for row in rows)
    return Decoded(rows, decoder.skipped)
