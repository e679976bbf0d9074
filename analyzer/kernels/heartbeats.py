"""Heartbeats of applications: payload that a protocol sends for no other reason, and small data at an even pace."""

from __future__ import annotations

from analyzer.kernels.probes import IDLE_NS
from analyzer.kernels.registry import Buffer, Ints, kernel
from analyzer.kernels.states import log_event
from analyzer.layout import (
    BEAT,
    BEAT_GAP_MASK,
    BEAT_GAPS,
    BEAT_KIND,
    BEAT_LAST,
    BEAT_LONGEST,
    BEAT_PROTOCOL,
    BEAT_WAITS,
    BEATS_ANSWERED,
    BEATS_IN_RHYTHM,
    BEATS_MASK,
    BEATS_SENT,
    EVENT_BEAT,
    EVENT_UNWELCOME,
    EVENTS_KEPT,
    HEARTBEAT,
    LEN,
    OCTET,
    TIME,
)
from analyzer.wire import (
    HEARTBEAT_LONGEST,
    HEARTBEAT_REPLY,
    HEARTBEAT_ROW,
    HEARTBEATS,
    HEARTBEATS_UNWELCOME,
    WEBSOCKET_LONGEST,
    WEBSOCKET_PING,
    WEBSOCKET_PONG,
)

MILLI = 1_000_000
# Heartbeats of an unknown protocol are small, TLS and all.
LONGEST_UNKNOWN = 128
# Of a connection's events most are left for what ended it.
EVENTS_FOR_BEATS = 6
# An even pace: no gap is longer or shorter than the first by an eighth, as much as a timer of Linux is late.
UNEVEN = 8


@kernel
def websocket_payload(buf: Buffer, at: int, length: int) -> int:
    """As `heartbeat_payload`, for a whole WebSocket control frame, masked (by clients) or not (RFC 6455 5.2)."""
    if length < 2 or length > WEBSOCKET_LONGEST:
        return 0
    size = buf[at + 1] | 0
    if (size < 0x80 and length == 2 + size) or (size >= 0x80 and length == 6 + (size & 0x7F)):
        return 1 if buf[at] == WEBSOCKET_PING else 1 | HEARTBEAT_REPLY
    return 0


@kernel
def heartbeat_payload(buf: Buffer, at: int, length: int) -> int:
    """Which protocol's heartbeat a segment's whole payload is: layout.HEARTBEAT."""
    if buf[at] == WEBSOCKET_PING or buf[at] == WEBSOCKET_PONG:
        return websocket_payload(buf, at, length)
    if length > HEARTBEAT_LONGEST:
        return 0
    for pattern in range(0, len(HEARTBEATS), HEARTBEAT_ROW):
        if HEARTBEATS[pattern + 1] == length:
            same = 0
            while same < length and (
                HEARTBEATS[pattern + 2 + same] < 0 or HEARTBEATS[pattern + 2 + same] == buf[at + same]
            ):
                same += 1
            if same == length:
                return HEARTBEATS[pattern] | 0
    return 0


@kernel
def begin_beats(flows: Ints, x: int, kind: int, time: int) -> None:
    """What may be the first of heartbeats."""
    flows[x + BEAT] = kind << BEAT_KIND | BEAT_WAITS | 1
    flows[x + BEAT_LAST] = time
    flows[x + BEAT_GAPS] = 0


@kernel
def in_rhythm(flows: Ints, x: int, gap: int) -> bool:
    """Whether a gap, in milliseconds, keeps the pace of those between the heartbeats before."""
    shortest, longest = flows[x + BEAT_GAPS] & BEAT_GAP_MASK, flows[x + BEAT_GAPS] >> BEAT_LONGEST
    if longest == 0:
        return True
    return max(longest, gap) - min(shortest, gap) <= min(shortest, gap) // UNEVEN


@kernel
def note_gap(flows: Ints, x: int, gap: int) -> None:
    """Widen the range of gaps between heartbeats by this one, in milliseconds."""
    shortest, longest = flows[x + BEAT_GAPS] & BEAT_GAP_MASK, flows[x + BEAT_GAPS] >> BEAT_LONGEST
    if longest == 0:
        shortest = gap
    flows[x + BEAT_GAPS] = min(shortest, gap) | max(longest, gap) << BEAT_LONGEST


@kernel
def heartbeat(
    packets: Ints, row: int, flows: Ints, f: int, x: int, y: int, endpoint: int, quiet: int, events: Ints, counts: Ints
) -> None:
    """New data of `x`, so long after the last data of either end: it may answer a heartbeat, and may be one."""
    if flows[y + BEAT] & BEAT_WAITS:
        flows[y + BEAT] &= ~BEAT_WAITS
        if (flows[y + BEAT] >> BEATS_ANSWERED) & BEATS_MASK < BEATS_MASK:
            flows[y + BEAT] += 1 << BEATS_ANSWERED
    protocol = packets[row + HEARTBEAT]
    if protocol & HEARTBEATS_UNWELCOME:
        log_event(packets, row, flows, f, endpoint, EVENT_UNWELCOME, events, counts)
    if protocol & HEARTBEAT_REPLY:
        return
    time, beat = packets[row + TIME], flows[x + BEAT]
    sent = (beat >> BEATS_SENT) & BEATS_MASK
    settled = protocol == 0 and (beat >> (BEAT_KIND + BEAT_PROTOCOL) != 0 or sent >= BEATS_IN_RHYTHM)
    kind = protocol << BEAT_PROTOCOL
    if protocol == 0:
        kind = packets[row + LEN] << 8 | packets[row + OCTET] & 0xFF
        if quiet < IDLE_NS or packets[row + LEN] > LONGEST_UNKNOWN:
            if not settled:
                flows[x + BEAT] = 0
            return
    if beat >> BEAT_KIND != kind:
        if not settled:
            begin_beats(flows, x, kind, time)
        return
    gap = max(0, min((time - flows[x + BEAT_LAST]) // MILLI, BEAT_GAP_MASK))
    if protocol == 0 and not in_rhythm(flows, x, gap):
        if not settled:
            begin_beats(flows, x, kind, time)
        return
    if gap * MILLI >= IDLE_NS:  # a connection may begin with several
        note_gap(flows, x, gap)
    flows[x + BEAT_LAST] = time
    if sent < BEATS_MASK:
        flows[x + BEAT] = beat + 1
    flows[x + BEAT] |= BEAT_WAITS
    if (protocol != 0 or sent >= BEATS_IN_RHYTHM - 1) and flows[f + EVENTS_KEPT] < EVENTS_FOR_BEATS:
        log_event(packets, row, flows, f, endpoint, EVENT_BEAT, events, counts)
