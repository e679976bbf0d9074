"""Two captures of one path, at its two ends: which segments one holds and the other lacks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.capture import open_capture
from analyzer.captured import CaptureFacts
from analyzer.decode import Decoder
from analyzer.findings import Apart
from analyzer.kernels import Kernels
from analyzer.kernels.copies import COPY_WITHIN_NS
from analyzer.layout import (
    CLIENT_IS_LOW,
    DPORT,
    DST_HI,
    DST_LO,
    END_TIME,
    FIRST_TIME,
    FLAGS,
    FRAME,
    FRAME_BITS,
    HIGH_HI,
    HIGH_LO,
    KEY_PORTS,
    KIND,
    LOW_HI,
    LOW_LO,
    PACKET_SIZE,
    ROLES,
    SPORT,
    SRC_HI,
    SRC_LO,
    TIME,
    TTL,
)
from analyzer.model import Column, Mask
from analyzer.peek import LASTING
from analyzer.tcp import RST

# As far before the end of the other capture, or after its beginning, a packet may have been on its way.
ON_ITS_WAY_NS = 500_000_000
FACTOR = -7046029254386353131  # odd: mixes words into one (Knuth, TAOCP 6.4)
WHO = (SRC_HI, SRC_LO, SPORT, DST_HI, DST_LO, DPORT)
COLUMNS = (*LASTING, FRAME, TIME, TTL)
AT = {field: place for place, field in enumerate(COLUMNS)}


class _End:
    """The TCP segments of one capture, as rows of COLUMNS, each once."""

    def __init__(self, index: int, facts: CaptureFacts, kernels: Kernels, *, split_tunnels: bool) -> None:
        decoder = Decoder(kernels, split_tunnels=split_tunnels)
        parts = []
        for records in open_capture(facts.path, kernels).batches():
            rows, size = decoder.feed(records._replace(first_frame=records.first_frame + (index << FRAME_BITS)))
            table = np.array(rows[: size * PACKET_SIZE], np.int64).reshape(-1, PACKET_SIZE)
            parts.append(table[table[:, KIND] == 0][:, COLUMNS])
        rows = np.concatenate(parts) if parts else np.zeros((0, len(COLUMNS)), np.int64)
        rows[:, AT[TIME]] -= facts.clock_shift
        signature = _signatures(rows)
        order = np.lexsort((rows[:, AT[TIME]], signature))
        rows, signature = rows[order], signature[order]
        again = np.zeros(len(rows), bool)
        again[1:] = (signature[1:] == signature[:-1]) & (np.diff(rows[:, AT[TIME]]) <= COPY_WITHIN_NS)
        self.rows, signature = rows[~again], signature[~again]
        # Of segments that are alike in all that lasts the first is the first at both ends, and so on.
        begins = np.flatnonzero(np.diff(signature, prepend=signature[:1] - 1)) if len(signature) else signature
        lengths = np.diff(np.append(begins, len(signature)))
        rank = np.arange(len(signature)) - np.repeat(begins, lengths)
        with np.errstate(over="ignore"):
            self.keys = signature * FACTOR + rank

    def column(self, field: int) -> Column:
        """One field of all segments."""
        return np.asarray(self.rows[:, AT[field]])

    def lacked_by(self, other: _End) -> Mask:
        """Which of these segments the other capture, which was running, does not hold."""
        if not len(other.rows):
            return np.zeros(len(self.rows), bool)
        time, times = self.column(TIME), other.column(TIME)
        running = (time >= times.min() + ON_ITS_WAY_NS) & (time <= times.max() - ON_ITS_WAY_NS)
        return np.asarray(running & ~np.isin(self.keys, other.keys))


def _signatures(rows: Column) -> Column:
    mixed = np.zeros(len(rows), np.int64)
    with np.errstate(over="ignore"):
        for place in range(len(LASTING)):
            mixed = (mixed ^ rows[:, place]) * FACTOR
            mixed ^= mixed >> 29
    return mixed


def compare_ends(
    captures: Sequence[CaptureFacts], flows: Column, kernels: Kernels, *, split_tunnels: bool
) -> list[Apart]:
    """What each of two captures holds of each connection and sender, and the other lacks; captures need their paths."""
    ends = [_End(index, facts, kernels, split_tunnels=split_tunnels) for index, facts in enumerate(captures[:2])]
    streams = _streams(flows)
    found = []
    for index, end in enumerate(ends):
        other = ends[1 - index]
        lacked = end.rows[end.lacked_by(other)]
        for who in np.unique(lacked[:, [AT[field] for field in WHO]], axis=0).tolist():
            mine = (lacked[:, [AT[field] for field in WHO]] == who).all(axis=1)
            is_near = _is_nearer(end, other, who[:2], default=index == 0)
            found += _apart(index, lacked[mine], streams.get(tuple(who), []), is_near)
    return sorted(found, key=lambda one: (one.stream, one.side, one.capture))


def _apart(capture: int, rows: Column, streams: list[tuple[int, int, int, int]], is_near: bool) -> list[Apart]:
    found = []
    for stream, side, first, last in streams:
        time = rows[:, AT[TIME]]
        mine = rows[(time >= first) & (time <= last)]
        mine = mine[np.argsort(mine[:, AT[FRAME]])]
        if len(mine):
            resets = mine[mine[:, AT[FLAGS]] & RST != 0]
            frames, reset_frames = mine[:, AT[FRAME]].tolist(), resets[:, AT[FRAME]].tolist()
            found.append(Apart(stream, side, capture, tuple(frames), tuple(reset_frames), is_near))
    return found


def _is_nearer(end: _End, other: _End, source: list[int], *, default: bool) -> bool:
    """Whether this capture was made nearer to a host than the other: its packets had passed fewer routers there."""
    ttls = []
    for one in (end, other):
        sent = (one.column(SRC_HI) == source[0]) & (one.column(SRC_LO) == source[1])
        ttls.append(float(np.median(one.column(TTL)[sent])) if sent.any() else None)
    mine, others = ttls
    if mine is None or others is None or mine == others:
        return default if mine is None or others is None else _sent_first(end, other, source, default=default)
    return mine > others


def _sent_first(end: _End, other: _End, source: list[int], *, default: bool) -> bool:
    """The same by the clocks, which have been set by each other: where a host's packets were seen sooner."""
    common, mine, others = np.intersect1d(end.keys, other.keys, return_indices=True)
    sent = (end.column(SRC_HI)[mine] == source[0]) & (end.column(SRC_LO)[mine] == source[1])
    if not len(common) or not sent.any():
        return default
    later = other.column(TIME)[others][sent] - end.column(TIME)[mine][sent]
    return bool(np.median(later) > 0)


def _streams(flows: Column) -> dict[tuple[int, ...], list[tuple[int, int, int, int]]]:
    """By the sender's and receiver's address and port: streams, the sender's side, first and last time."""
    found: dict[tuple[int, ...], list[tuple[int, int, int, int]]] = {}
    for stream, row in enumerate(flows):
        low = (int(row[LOW_HI]), int(row[LOW_LO]), int(row[KEY_PORTS]) >> 16)
        high = (int(row[HIGH_HI]), int(row[HIGH_LO]), int(row[KEY_PORTS]) & 0xFFFF)
        client, server = (low, high) if row[ROLES] & CLIENT_IS_LOW else (high, low)
        span = int(row[FIRST_TIME]), int(row[END_TIME])
        found.setdefault(client + server, []).append((stream, 0, *span))
        found.setdefault(server + client, []).append((stream, 1, *span))
    return found
