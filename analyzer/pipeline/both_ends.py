"""Two captures of one path, at its two ends: which segments one holds and the other lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analyzer.capture import open_capture
from analyzer.errors import UsageError
from analyzer.kernels import Kernels
from analyzer.kernels.track.copies import COPY_WITHIN_NS
from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Facts
from analyzer.model.findings import Apart
from analyzer.model.words import How
from analyzer.pipeline.lane import Lane
from analyzer.pipeline.same_traffic.numbering import connections_of, mixed
from analyzer.pipeline.same_traffic.places import NEVER_JOINED, UNTRANSLATED
from analyzer.pipeline.same_traffic.samples import LASTING, WHO
from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import (
    CLIENT_IS_LOW,
    DST_HI,
    DST_LO,
    END_TIME,
    FIRST_TIME,
    FLAGS,
    FRAME,
    HIGH_HI,
    HIGH_LO,
    KEY_PORTS,
    KIND,
    LEN,
    LOW_HI,
    LOW_LO,
    PACKET_SIZE,
    RESET_FRAME,
    ROLES,
    SEQ,
    SRC_HI,
    SRC_LO,
    TIME,
    TTL,
)
from analyzer.tcp import RST

# As far before the end of the other capture, or after its beginning, a packet may have been on its way; and as far
# apart in time its two captures may be.
ON_ITS_WAY_NS = 500_000_000
# What is known of the path from the packets that arrived, with room for those that took longer.
SLOWER = 3
LEAST_NS = 20_000_000
COLUMNS = (*LASTING, TIME, FRAME, TTL)  # begins as peek.SAMPLED
AT = {field: place for place, field in enumerate(COLUMNS)}
SOURCE, TARGET = (SRC_HI, SRC_LO), (DST_HI, DST_LO)
NOBODY = -1
SENT_AGAIN = 4  # so many segments that begin at one number, or before it, are looked at


class _End:
    """The TCP segments of one capture, as rows of COLUMNS, each once; and when it ran."""

    def __init__(self, index: int, facts: CaptureFacts, kernels: Kernels, *, split_tunnels: bool) -> None:
        lane = Lane(index, open_capture(facts.path, kernels), kernels, split_tunnels)
        parts = []
        while lane.advance():
            rows, size = lane.packets
            table = np.array(rows[: size * PACKET_SIZE], np.int64).reshape(-1, PACKET_SIZE)
            parts.append(table[table[:, KIND] == 0][:, COLUMNS])
        self.rows: Column = np.concatenate(parts) if parts else np.zeros((0, len(COLUMNS)), np.int64)
        self.rows[:, AT[TIME]] -= facts.clock_shift
        # It ran from its first packet to its last of any kind.
        self.first = (facts.first_time or 0) - facts.clock_shift
        self.last = (facts.last_time or 0) - facts.clock_shift
        self.signature = self.partner = np.zeros(0, np.int64)

    def column(self, field: int) -> Column:
        """One field of all segments."""
        return np.asarray(self.rows[:, AT[field]])

    def sign(self, other: _End) -> None:
        """Give each segment a signature that it has at the other end, too, also where addresses were translated."""
        translated = ~np.isin(connections_of(self.rows), connections_of(other.rows))
        signature = mixed(self.rows, LASTING)
        signature[translated] = mixed(self.rows[translated], UNTRANSLATED)
        self.signature = signature

    def order(self) -> None:
        """Put what looks the same side by side, in order of time, without second copies."""
        order = np.lexsort((self.column(TIME), self.signature))
        self.rows, self.signature = self.rows[order], self.signature[order]
        again = np.zeros(len(self.rows), bool)
        again[1:] = (self.signature[1:] == self.signature[:-1]) & (np.diff(self.column(TIME)) <= COPY_WITHIN_NS)
        self.rows, self.signature = self.rows[~again], self.signature[~again]
        self.partner = np.full(len(self.rows), NOBODY)

    def lacked_by(self, other: _End) -> Mask:
        """Which of these segments the other capture, which was running, does not hold, though it is on their path."""
        time = self.column(TIME)
        arrived = self.partner != NOBODY
        late = np.abs(other.column(TIME)[self.partner[arrived]] - time[arrived]).max(initial=0)
        margin = min(max(SLOWER * int(late), LEAST_NS), ON_ITS_WAY_NS)
        running = (time >= other.first + margin) & (time <= other.last - margin)
        path = _path(self.rows)
        lacked = running & ~arrived & np.isin(path, path[arrived])
        long = np.flatnonzero(lacked & (self.column(LEN) > NEVER_JOINED))
        if len(long):
            lacked[long] = ~_carried(self.rows[long], other.rows, margin)
        return np.asarray(lacked)


def _match(one: _End, other: _End) -> None:
    """Find for each segment the same one at the other end: not far in time, each the partner of one alone."""
    one.sign(other)
    other.sign(one)
    one.order()
    other.order()
    low = np.searchsorted(other.signature, one.signature, side="left")
    high = np.searchsorted(other.signature, one.signature, side="right")
    times, others = one.column(TIME), other.column(TIME)
    first = np.ones(len(one.rows), bool)
    first[1:] = one.signature[1:] != one.signature[:-1]
    begins = np.flatnonzero(first)
    ends = np.append(begins[1:], len(one.rows))
    single = (ends - begins == 1) & (high[begins] - low[begins] == 1)
    at = begins[single]
    near = np.abs(others[low[at]] - times[at]) <= ON_ITS_WAY_NS
    one.partner[at[near]] = low[at[near]]
    for begin, end in zip(begins[~single].tolist(), ends[~single].tolist(), strict=True):
        mine, its = begin, int(low[begin])
        while mine < end and its < high[begin]:
            apart = int(others[its] - times[mine])
            if abs(apart) <= ON_ITS_WAY_NS:
                one.partner[mine] = its
            mine += apart >= -ON_ITS_WAY_NS
            its += apart <= ON_ITS_WAY_NS
    arrived = np.flatnonzero(one.partner != NOBODY)
    other.partner[one.partner[arrived]] = arrived


def _carried(rows: Column, others: Column, margin: int) -> Mask:
    """Which of these segments are among others at the same time, as a network card cut or joined them (TSO, GRO)."""
    senders = np.unique(mixed(others, WHO))
    place = np.searchsorted(senders, mixed(others, WHO))
    key = place << 32 | others[:, AT[SEQ]]
    order = np.argsort(key, kind="stable")
    key, others = key[order], others[order]
    sender = mixed(rows, WHO)
    mine = np.minimum(np.searchsorted(senders, sender), len(senders) - 1)
    carried = senders[mine] == sender
    for octet in (rows[:, AT[SEQ]], rows[:, AT[SEQ]] + rows[:, AT[LEN]] - 1):
        last = np.searchsorted(key, mine << 32 | octet, side="right") - 1
        held = np.zeros(len(rows), bool)
        for before in range(SENT_AGAIN):
            at = np.maximum(last - before, 0)
            one = others[at]
            within = (one[:, AT[SEQ]] <= octet) & (octet < one[:, AT[SEQ]] + one[:, AT[LEN]])
            near = np.abs(one[:, AT[TIME]] - rows[:, AT[TIME]]) <= margin
            held |= (key[at] >> 32 == mine) & within & near
        carried &= held
    return np.asarray(carried)


def _path(rows: Column) -> Column:
    """A number for the two addresses of each segment, whichever is the sender's."""
    with np.errstate(over="ignore"):
        return np.asarray(mixed(rows, SOURCE) + mixed(rows, TARGET))


def at_both_ends(
    captures: Sequence[CaptureFacts], facts: Facts, kernels: Kernels, *, split_tunnels: bool
) -> tuple[Facts, list[Apart]]:
    """What only one of two captures holds, and the facts with what that says of who reset a connection.

    Raises UsageError where the captures are not two of one path.
    """
    if len(captures) != 2:
        raise UsageError("--both-ends compares two capture files: name the client's and the server's")
    if not any(capture.same_traffic for capture in captures):
        raise UsageError("--both-ends: no packets that are in both captures show that they are of one path")
    flows = facts.tracks.flows
    apart = compare_ends(captures, flows, kernels, split_tunnels=split_tunnels)
    forged = facts.forged.copy()
    forged[made_between(apart, flows[:, RESET_FRAME])] = True
    return replace(facts, forged=forged & (facts.how == How.RST)), apart


def compare_ends(
    captures: Sequence[CaptureFacts], flows: Column, kernels: Kernels, *, split_tunnels: bool
) -> list[Apart]:
    """What each of two captures holds of each connection and sender, and the other lacks; captures need their paths."""
    ends = [_End(index, facts, kernels, split_tunnels=split_tunnels) for index, facts in enumerate(captures[:2])]
    _match(*ends)
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
    sent = (end.column(SRC_HI) == source[0]) & (end.column(SRC_LO) == source[1])
    arrived = np.flatnonzero(sent & (end.partner != NOBODY))
    if not len(arrived):
        return default
    partner = end.partner[arrived]
    passed = np.median(other.column(TTL)[partner] - end.column(TTL)[arrived])
    if passed:
        return bool(passed < 0)
    # The clocks have been set by each other: where a host's packets were seen sooner.
    return bool(np.median(other.column(TIME)[partner] - end.column(TIME)[arrived]) > 0)


def made_between(apart: Sequence[Apart], resets: Column) -> list[int]:
    """The streams whose first RST, of these frames, no end sent: it is in the capture nearer to its receiver alone."""
    return [one.stream for one in apart if not one.by_sender and int(resets[one.stream]) in one.resets]


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
