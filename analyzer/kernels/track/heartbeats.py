"""Heartbeats of applications: payload that a protocol sends for no other reason, and small data at an even pace."""

from __future__ import annotations

from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.states import log_event
from analyzer.tables.fields import (
    BEAT,
    BEAT_GAP_MASK,
    BEAT_GAPS,
    BEAT_KIND,
    BEAT_LAST,
    BEAT_LENGTH,
    BEAT_LONGEST,
    BEAT_PROTOCOL,
    BEAT_REPLY,
    BEAT_WAITS,
    BEATS_ANSWERED,
    BEATS_IN_RHYTHM,
    BEATS_MASK,
    BEATS_ODD,
    BEATS_ODD_MASK,
    BEATS_SENT,
    BEATS_UNEVEN,
    CLIENT_ASKED,
    EVENT_BEAT,
    EVENT_COUNT,
    EVENT_SAID,
    EVENT_SINCE,
    EVENT_SINCE_PEER,
    EVENT_WHY,
    EVENTS_KEPT,
    HEARTBEAT,
    LAST_DATA,
    LEN,
    ROLES,
    TIME,
)
from analyzer.tables.heartbeats import (
    HEARTBEAT_ALONE,
    HEARTBEAT_KIND,
    HEARTBEAT_PROTOCOL,
    HEARTBEAT_REPLY,
    KIND_MASK,
    KIND_TLS,
    NO_HEARTBEAT,
    SAYS,
    SAYS_MASK,
    SAYS_VALUE,
    TLS_LONGEST_PING,
)
from analyzer.tcp import SHORTEST_TIMER_NS

MILLI = 1_000_000
# Heartbeats of an unknown protocol are small, TLS and all; those of a kind are as long as BEAT_LENGTH can say.
LONGEST_UNKNOWN = 128
LONGEST_KIND = 255
# What they draw brings no news: it is no longer than they are, but for a mask of four bytes that a WebSocket's client
# adds, or a status, as in MySQL's OK.
NEWS = 8
# Of a connection's events most are left for what ended it.
EVENTS_FOR_BEATS = 6
# Jitter on purpose is a tenth of the period or so, to both sides: no gap is longer than the shortest by three eighths.
MOST_UNEVEN = 3
# A gap of more periods than this tells nothing of the pace: every time lies near some multiple of the period.
MOST_MISSING = 3
# Heartbeats of the other end come at any time; what follows this one's within an eighth of a gap is a reply.
REPLY_WITHIN = 8


@kernel
def beats_sent(beat: int) -> int:
    """How many heartbeats an endpoint's BEAT counts."""
    return (beat >> BEATS_SENT) & BEATS_MASK


@kernel
def begin_beats(flows: Ints, x: int, protocol: int, length: int, time: int, odd: int) -> None:
    """What may be the first of heartbeats."""
    flows[x + BEAT] = protocol << BEAT_PROTOCOL | length << BEAT_LENGTH | BEAT_WAITS | 1
    flows[x + BEAT_LAST] = time
    flows[x + BEAT_GAPS] = odd << BEATS_ODD


@kernel
def shortest_gap(flows: Ints, x: int) -> int:
    """The shortest time between heartbeats so far, in milliseconds."""
    return flows[x + BEAT_GAPS] & BEAT_GAP_MASK


@kernel
def longest_gap(flows: Ints, x: int) -> int:
    """The longest time between heartbeats that none was missing in, in milliseconds."""
    return (flows[x + BEAT_GAPS] >> BEAT_LONGEST) & BEAT_GAP_MASK


@kernel
def odd_beats(flows: Ints, x: int) -> int:
    """How often something else came at the time of a heartbeat, or for a reply."""
    return (flows[x + BEAT_GAPS] >> BEATS_ODD) & BEATS_ODD_MASK


@kernel
def in_rhythm(flows: Ints, x: int, gap: int) -> bool:
    """Whether a gap, in milliseconds, keeps the pace of those between the heartbeats before."""
    shortest, longest = shortest_gap(flows, x), longest_gap(flows, x)
    if longest == 0:
        return True
    return (max(longest, gap) - min(shortest, gap)) * BEATS_UNEVEN <= min(shortest, gap) * MOST_UNEVEN


@kernel
def is_settled(flows: Ints, x: int) -> bool:
    """Whether so many keep so even a pace that no chance explains it, or their protocol is known."""
    beat = flows[x + BEAT]
    if beat >> BEAT_PROTOCOL != 0:
        return True
    shortest = max(1, shortest_gap(flows, x))
    uneven = ((longest_gap(flows, x) - shortest) * BEATS_UNEVEN - 1) // shortest
    if (beat >> BEAT_REPLY) & 0xFF != 0:  # each drew the same reply
        uneven = (uneven + 1) // 2
    return beats_sent(beat) >= BEATS_IN_RHYTHM + max(0, uneven)


@kernel
def note_gap(flows: Ints, x: int, gap: int) -> None:
    """Widen the range of gaps between heartbeats by this one, in milliseconds."""
    shortest, longest = shortest_gap(flows, x), longest_gap(flows, x)
    if longest == 0:
        shortest = gap
    odd = flows[x + BEAT_GAPS] >> BEATS_ODD << BEATS_ODD
    flows[x + BEAT_GAPS] = odd | min(shortest, gap) | max(longest, gap) << BEAT_LONGEST


@kernel
def note_odd(flows: Ints, x: int) -> None:
    """Something else once more: often enough, and they were requests, or no rhythm."""
    if odd_beats(flows, x) < BEATS_ODD_MASK:
        flows[x + BEAT_GAPS] += 1 << BEATS_ODD


@kernel
def count_beat(packets: Ints, row: int, flows: Ints, f: int, x: int, endpoint: int, events: Ints, counts: Ints) -> None:
    """One heartbeat more."""
    flows[x + BEAT_LAST] = packets[row + TIME]
    if beats_sent(flows[x + BEAT]) < BEATS_MASK:
        flows[x + BEAT] += 1 << BEATS_SENT
    if packets[row + HEARTBEAT] & HEARTBEAT_ALONE == 0:
        flows[x + BEAT] |= BEAT_WAITS
    if is_settled(flows, x) and flows[f + EVENTS_KEPT] < EVENTS_FOR_BEATS:
        e = log_event(packets, row, flows, f, endpoint, EVENT_BEAT, events, counts)
        if e >= 0:
            events[e + EVENT_COUNT] = beats_sent(flows[x + BEAT])


@kernel
def answered_beat(packets: Ints, row: int, flows: Ints, y: int, quiet: int) -> None:
    """New data for `y`: the reply to its heartbeat; where only a rhythm tells, every reply has one length."""
    beat = flows[y + BEAT]
    rhythm = beat >> BEAT_PROTOCOL == 0
    if beat & BEAT_WAITS == 0:
        if rhythm and not is_settled(flows, y):
            flows[y + BEAT] = 0  # more than one reply
        return
    length = packets[row + LEN]
    sent, reply = (beat >> BEAT_LENGTH) & 0xFF, (beat >> BEAT_REPLY) & 0xFF
    flows[y + BEAT] &= ~BEAT_WAITS
    if (beat >> BEATS_ANSWERED) & BEATS_MASK < BEATS_MASK:
        flows[y + BEAT] += 1 << BEATS_ANSWERED
    if not rhythm:
        return
    if length > sent + NEWS or (reply != 0 and reply != length):
        if not is_settled(flows, y):
            flows[y + BEAT] = 0
        elif quiet < SHORTEST_TIMER_NS:  # later it may be of its own accord
            note_odd(flows, y)
    elif reply == 0:
        flows[y + BEAT] |= length << BEAT_REPLY


@kernel
def may_begin(flows: Ints, f: int, x: int, y: int, quiet: int, kind: int, length: int) -> bool:
    """Whether data of `x` may be the first of heartbeats: a server's reply is none, however long the request waited.

    But where the client's own heartbeats expect no reply, the server's come between them. And a record of TLS may be
    too short for a reply: whoever asks and waits speaks HTTP, mostly.
    """
    if x < y or flows[f + ROLES] & CLIENT_ASKED == 0 or (kind == KIND_TLS and length <= TLS_LONGEST_PING):
        return True
    return beats_sent(flows[y + BEAT]) > 1 and quiet // MILLI > shortest_gap(flows, y) // REPLY_WITHIN


@kernel
def periods(flows: Ints, x: int, gap: int) -> int:
    """How many periods a gap is, rounded."""
    middle = max(1, (shortest_gap(flows, x) + longest_gap(flows, x)) // 2)
    return (gap + middle // 2) // middle


@kernel
def keeps_pace(flows: Ints, x: int, gap: int, quiet: int, settled: bool) -> bool:
    """Whether data comes in time for a heartbeat, where one or more before it are missing or other data put it off."""
    if not settled:
        return beats_sent(flows[x + BEAT]) > 2 and in_rhythm(flows, x, gap // 2)
    if in_rhythm(flows, x, quiet // MILLI):  # many timers start anew with other data
        return True
    return in_rhythm(flows, x, gap // max(1, min(periods(flows, x, gap), MOST_MISSING)))


@kernel
def has_length(beat: int, length: int) -> bool:
    """Whether data is as long as these heartbeats or, where each draws the same reply, nearly so: a number in it."""
    apart = abs(length - ((beat >> BEAT_LENGTH) & 0xFF))
    return apart == 0 or (apart <= NEWS and (beat >> BEAT_REPLY) & 0xFF != 0)


@kernel
def broken(flows: Ints, x: int, beat: int, same: bool) -> int:
    """What is odd about a rhythm that begins where another, this BEAT, breaks off by its length or its pace."""
    odd = odd_beats(flows, x) if beat != 0 else 0
    if odd > 0 or beats_sent(beat) > (2 if same else 1):
        odd = min(odd + 1, BEATS_ODD_MASK)
    return odd


@kernel
def is_too_long(length: int, kind: int) -> bool:
    """Whether data is longer than a heartbeat of this kind, 0 being none."""
    return length > (LONGEST_UNKNOWN if kind == 0 or kind == KIND_TLS else LONGEST_KIND)


@kernel
def rhythm_beat(
    packets: Ints, row: int, flows: Ints, f: int, x: int, y: int, endpoint: int, quiet: int, events: Ints, counts: Ints
) -> None:
    """New data of `x` whose bytes say nothing: of one length, at one pace, with silence between, it is a heartbeat."""
    time, length, beat = packets[row + TIME], packets[row + LEN], flows[x + BEAT]
    first = flows[x + LAST_DATA] == 0 and flows[y + LAST_DATA] == 0
    kind = packets[row + HEARTBEAT] >> HEARTBEAT_KIND & KIND_MASK
    if is_too_long(length, kind) or (quiet < SHORTEST_TIMER_NS and not first):
        if beat != 0 and not is_settled(flows, x):
            flows[x + BEAT] = 0
        return
    if beat >> BEAT_PROTOCOL != 0:
        return
    settled = is_settled(flows, x)
    gap = max(0, min((time - flows[x + BEAT_LAST]) // MILLI, BEAT_GAP_MASK))
    on_time, same = in_rhythm(flows, x, gap), has_length(beat, length)
    if same and (on_time or keeps_pace(flows, x, gap, quiet, settled)):
        if on_time:
            note_gap(flows, x, gap)
        if flows[x + BEAT_GAPS] >> BEAT_KIND != kind:  # bytes that are not the same each time say nothing
            flows[x + BEAT_GAPS] &= (1 << BEAT_KIND) - 1
        count_beat(packets, row, flows, f, x, endpoint, events, counts)
    elif settled:
        if same != on_time and periods(flows, x, gap) <= MOST_MISSING:
            note_odd(flows, x)
        if gap >= shortest_gap(flows, x):
            flows[x + BEAT_LAST] = time
    else:
        flows[x + BEAT] = 0
        if may_begin(flows, f, x, y, quiet, kind, length):
            begin_beats(flows, x, 0, length, time, broken(flows, x, beat, same) | kind << (BEAT_KIND - BEATS_ODD))


@kernel
def heartbeat(
    packets: Ints, row: int, flows: Ints, f: int, x: int, y: int, endpoint: int, quiet: int, events: Ints, counts: Ints
) -> None:
    """New data of `x`, so long after the last data of either end: it may answer a heartbeat, and may be one."""
    if flows[y + BEAT] != 0:
        answered_beat(packets, row, flows, y, quiet)
    payload = packets[row + HEARTBEAT]
    if payload >> SAYS & SAYS_MASK:
        e = log_event(packets, row, flows, f, endpoint, EVENT_SAID, events, counts)
        if e >= 0:
            events[e + EVENT_WHY] = payload >> SAYS & SAYS_MASK
            events[e + EVENT_COUNT] = payload >> SAYS_VALUE
            events[e + EVENT_SINCE] = flows[x + LAST_DATA]
            events[e + EVENT_SINCE_PEER] = flows[y + LAST_DATA]
    if payload & HEARTBEAT_REPLY:
        return
    if payload & NO_HEARTBEAT:
        if not is_settled(flows, x):
            flows[x + BEAT] = 0
        return
    protocol = payload & HEARTBEAT_PROTOCOL
    if protocol == 0:
        rhythm_beat(packets, row, flows, f, x, y, endpoint, quiet, events, counts)
        return
    time = packets[row + TIME]
    if flows[x + BEAT] >> BEAT_PROTOCOL != protocol:
        begin_beats(flows, x, protocol, 0, time, 0)
        if payload & HEARTBEAT_ALONE:
            flows[x + BEAT] &= ~BEAT_WAITS
        return
    gap = max(0, min((time - flows[x + BEAT_LAST]) // MILLI, BEAT_GAP_MASK))
    if gap * MILLI >= SHORTEST_TIMER_NS:  # a connection may begin with several
        note_gap(flows, x, gap)
    count_beat(packets, row, flows, f, x, endpoint, events, counts)
