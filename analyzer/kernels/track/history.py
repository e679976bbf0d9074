"""What is kept of a connection besides its states: numbers sent, gaps, windows, the sender's fingerprint."""

from __future__ import annotations

from analyzer.kernels.arithmetic import MASK_32, SEQ_HALF, seq_diff
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.probes import settle_held
from analyzer.kernels.track.states import log_event
from analyzer.tables.fields import (
    ADVANCE_LEN,
    ADVANCE_TIME,
    END_TIME,
    EVENT_SINCE,
    EVENT_ZERO_WINDOW,
    FINGERPRINT,
    FLAGS,
    GAP_IS_OPEN,
    HAS_NXT,
    HAS_UNA,
    HOLDS_BACK,
    ID_LAST,
    ID_NEXT,
    ID_OTHER,
    ID_ZERO,
    IP_ID,
    KNOWN,
    LAST_WINDOW,
    LEN,
    LONGEST_GAP,
    LONGEST_GAP_END,
    NXT,
    NXT_IS_GUESS,
    OPEN_GAP,
    OPEN_GAP_END,
    OPTIONS,
    OPTIONS_SEEN,
    RESENT,
    RESENT_FIRST,
    RESENT_GAP,
    RESENT_LAST,
    ROLES,
    SEQ,
    SERVER_ENDED_GAP,
    SKIPPED,
    STAMP,
    SYN_TSVAL,
    TIME,
    TTL,
    TTL_HIGH,
    TTL_LOW,
    UNA,
    WINDOW,
    WINDOW_MASK,
    ZERO_SINCE,
)
from analyzer.tcp import FIN, RST, SHORTEST_TIMER_NS, SYN

# An idle gap shorter than this tells nothing about a middlebox.
GAP_NS = 1_000_000_000
# A segment below NXT this soon after NXT moved was overtaken on its way, not sent again (Wireshark's limit too).
REORDERED_NS = 3_000_000


@kernel
def fingerprint(packets: Ints, row: int, flows: Ints, x: int) -> None:
    """What tells this sender's packets from those that a middlebox would make in its name."""
    ttl = packets[row + TTL]
    ip_id = packets[row + IP_ID]
    seen = flows[x + FINGERPRINT]
    if seen == 0:
        seen = (ttl << TTL_LOW) | (ttl << TTL_HIGH)
    elif ip_id == ((seen >> ID_LAST) + 1) & 0xFFFF and ip_id != 0:
        seen |= ID_NEXT
    elif ip_id != 0:
        seen |= ID_OTHER
    if ip_id == 0:
        seen |= ID_ZERO
    if ttl < seen & 0xFF or ttl > (seen >> TTL_HIGH) & 0xFF:
        low, high = min(ttl, seen & 0xFF), max(ttl, (seen >> TTL_HIGH) & 0xFF)
        seen = seen & ~0xFFFF | (low << TTL_LOW) | (high << TTL_HIGH)
    seen = seen & ~(0xFFFF << ID_LAST) | ((ip_id & 0xFFFF) << ID_LAST)
    flows[x + FINGERPRINT] = seen | (packets[row + OPTIONS] << OPTIONS_SEEN)


@kernel
def idle_gap(packets: Ints, row: int, flows: Ints, f: int, side: int) -> None:
    """The time since the connection's last packet: survived once both ends have spoken after it.

    An RST says nothing of that: whoever sent it may have forgotten the connection meanwhile.
    """
    time = packets[row + TIME]
    gap = time - flows[f + END_TIME]
    roles = flows[f + ROLES]
    if roles & GAP_IS_OPEN and packets[row + FLAGS] & RST == 0:
        if (roles & SERVER_ENDED_GAP != 0) != (side == 1):
            if flows[f + OPEN_GAP] > flows[f + LONGEST_GAP]:
                flows[f + LONGEST_GAP] = flows[f + OPEN_GAP]
                flows[f + LONGEST_GAP_END] = flows[f + OPEN_GAP_END]
            flows[f + ROLES] = roles & ~(GAP_IS_OPEN | SERVER_ENDED_GAP)
    elif roles & GAP_IS_OPEN == 0 and gap >= GAP_NS:
        flows[f + OPEN_GAP] = gap
        flows[f + OPEN_GAP_END] = time
        flows[f + ROLES] = roles | GAP_IS_OPEN | (SERVER_ENDED_GAP if side else 0)
    flows[f + END_TIME] = max(time, flows[f + END_TIME])


@kernel
def resent(flows: Ints, x: int, seq: int, end: int, time: int) -> None:
    """A segment of `x` that was sent before: part of a run unless it was only overtaken, or acknowledged already.

    Who is stuck sends the same segment again, the oldest. Others are resent after it, at one time with it (a sender
    that goes back, or fills holes), or because that one was acknowledged, though no acknowledgement was captured: new
    data tells.
    """
    if time - flows[x + ADVANCE_TIME] < REORDERED_NS and flows[x + RESENT] == 0:
        return
    if flows[x + KNOWN] & HAS_UNA and seq_diff(end, flows[x + UNA]) <= 0:
        return
    is_first = flows[x + RESENT] == 0
    if not is_first:
        ahead = seq_diff(seq, (flows[x + SYN_TSVAL] >> STAMP) + SEQ_HALF)
        if ahead > 0 and flows[x + ADVANCE_TIME] <= flows[x + RESENT_LAST]:
            return
        is_first = ahead != 0
    if is_first:
        flows[x + RESENT] = 0
        flows[x + RESENT_FIRST] = time
        flows[x + SYN_TSVAL] = flows[x + SYN_TSVAL] & MASK_32 | (seq - SEQ_HALF) << STAMP
    flows[x + RESENT_GAP] = time - (flows[x + ADVANCE_TIME] if is_first else flows[x + RESENT_LAST])
    flows[x + RESENT] += 1
    flows[x + RESENT_LAST] = time


@kernel
def advance(packets: Ints, row: int, flows: Ints, x: int, probes: Ints) -> bool:
    """Move NXT by this segment, or count it as sent again; return whether it carries something new."""
    flags = packets[row + FLAGS]
    length = packets[row + LEN] + (flags & FIN) + ((flags & SYN) >> 1)
    seq = packets[row + SEQ]
    end = (seq + length) & MASK_32
    known = flows[x + KNOWN]
    time = packets[row + TIME]
    ahead = 1
    if known & HAS_NXT:
        ahead = seq_diff(end, flows[x + NXT])
    if known & HOLDS_BACK and (length > 0 or ahead != 0):
        settle_held(flows, x, seq, time, time - SHORTEST_TIMER_NS, probes)
    if known & HAS_NXT == 0 or ahead > 0:
        flows[x + NXT] = end
        if length > 0:
            flows[x + ADVANCE_TIME] = time
            flows[x + LAST_WINDOW] = flows[x + LAST_WINDOW] & WINDOW_MASK | length << ADVANCE_LEN
            flows[x + KNOWN] = flows[x + KNOWN] & ~(NXT_IS_GUESS | SKIPPED) | HAS_NXT
        elif known & HAS_NXT == 0:
            flows[x + KNOWN] |= HAS_NXT | NXT_IS_GUESS
        elif known & NXT_IS_GUESS == 0:
            flows[x + KNOWN] |= SKIPPED
        return length > 0
    if length > 0 and ahead == 0 and known & SKIPPED:  # it was lost on its way to the capture, and is seen at last
        flows[x + ADVANCE_TIME] = time
        flows[x + LAST_WINDOW] = flows[x + LAST_WINDOW] & WINDOW_MASK | length << ADVANCE_LEN
        flows[x + KNOWN] &= ~SKIPPED
        return True
    if length > 0:
        resent(flows, x, seq, end, time)
    return False


@kernel
def window_of(packets: Ints, row: int, flows: Ints, f: int, x: int, endpoint: int, events: Ints, counts: Ints) -> None:
    """The window that `x` advertises: closed since when, and for how long before."""
    window = packets[row + WINDOW]
    time = packets[row + TIME]
    before = flows[x + LAST_WINDOW] & WINDOW_MASK
    flows[x + LAST_WINDOW] += window - before
    if window == 0:
        if before != 0 or flows[x + ZERO_SINCE] == 0:
            flows[x + ZERO_SINCE] = time
    elif before == 0 and flows[x + ZERO_SINCE] > 0:
        e = log_event(packets, row, flows, f, endpoint, EVENT_ZERO_WINDOW, events, counts)
        if e >= 0:
            events[e + EVENT_SINCE] = flows[x + ZERO_SINCE]
        flows[x + ZERO_SINCE] = 0
