"""The tracker's loop: one segment after another changes the two endpoints of its connection and adds to the logs."""

from __future__ import annotations

from analyzer.kernels.arithmetic import seq_diff
from analyzer.kernels.flows import find_stream, is_copy, look_ahead, source_is_low
from analyzer.kernels.probes import NOT_A_PROBE, accepted, answer_probe, end_gap, log_probe, probe_flags, settle_held
from analyzer.kernels.registry import Ints, kernel
from analyzer.kernels.states import log_event, move, on_ack, on_fin, on_reset, on_syn
from analyzer.layout import (
    ADVANCE_LEN,
    ADVANCE_TIME,
    ANSWER_ACK,
    ANSWER_IMPLICIT,
    BYTES,
    CLIENT_ASKED,
    CLIENT_IS_LOW,
    DUPLICATES,
    END_TIME,
    ENDPOINT_SIZE,
    EVENT_COUNT_,
    EVENT_ICMP,
    EVENT_SINCE,
    EVENT_SIZE,
    EVENT_WHY,
    EVENT_ZERO_WINDOW,
    FINGERPRINT,
    FLAGS,
    FLOW_COUNT,
    FLOW_SIZE,
    FRAME,
    GAP_ANSWERED,
    GAP_DATA,
    GAP_IS_OPEN,
    GAP_OWN_DATA,
    GAP_PEER_FIN,
    HAS_NXT,
    HAS_UNA,
    HEAD_SIZE,
    HELD_BACK,
    HOLDS_BACK,
    ICMP_ERRORS,
    ID_LAST,
    ID_NEXT,
    ID_OTHER,
    ID_ZERO,
    IP_ID,
    ISN,
    KIND,
    KNOWN,
    LAST_PROBE,
    LAST_TIME,
    LAST_WINDOW,
    LEN,
    LONGEST_GAP,
    LONGEST_GAP_END,
    NEVER,
    NXT,
    NXT_IS_GUESS,
    OPEN_GAP,
    OPEN_GAP_END,
    OPTIONS,
    OPTIONS_SEEN,
    PACKET_SIZE,
    PACKETS,
    PEER_WINDOW_ZERO,
    PROBE_COUNT,
    PROBE_FLAGS,
    PROBE_FRAME,
    PROBE_ICMP,
    PROBE_SEQ,
    PROBE_SIZE,
    REQUEST_FRAME,
    REQUEST_TIME,
    RESENT,
    RESENT_FIRST,
    RESENT_GAP,
    RESENT_LAST,
    RESENT_TOTAL,
    ROLES,
    RUN,
    SENT_SYN,
    SEQ,
    SERVER_ASKED,
    SERVER_ENDED_GAP,
    TIME,
    TOUCHED,
    TTL,
    TTL_HIGH,
    TTL_LOW,
    UNA,
    WINDOW,
    ZERO_SINCE,
    ZERO_TOTAL,
)
from analyzer.tcp import ACK, FIN, RST, SYN, Event

SENDS_SEGMENT = int(Event.SENT_SEGMENT)
# An idle gap shorter than this tells nothing about a middlebox.
GAP_NS = 1_000_000_000
LOOK_AHEAD = 32
# A segment below NXT this soon after NXT moved was overtaken on its way, not sent again (Wireshark's limit too).
REORDERED_NS = 3_000_000


@kernel
def fingerprint(packets: Ints, row: int, flows: Ints, x: int) -> None:
    """What tells this sender's packets from those that a middlebox would make in its name."""
    ttl = packets[row + TTL]
    ip_id = packets[row + IP_ID]
    seen = flows[x + FINGERPRINT]
    if flows[x + PACKETS] == 0:
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
    """The time since the connection's last packet: survived once both ends have spoken after it."""
    time = packets[row + TIME]
    gap = time - flows[f + END_TIME]
    roles = flows[f + ROLES]
    if roles & GAP_IS_OPEN:
        if (roles & SERVER_ENDED_GAP != 0) != (side == 1):
            if flows[f + OPEN_GAP] > flows[f + LONGEST_GAP]:
                flows[f + LONGEST_GAP] = flows[f + OPEN_GAP]
                flows[f + LONGEST_GAP_END] = flows[f + OPEN_GAP_END]
            flows[f + ROLES] = roles & ~(GAP_IS_OPEN | SERVER_ENDED_GAP)
    elif gap >= GAP_NS:
        flows[f + OPEN_GAP] = gap
        flows[f + OPEN_GAP_END] = time
        flows[f + ROLES] = roles | GAP_IS_OPEN | (SERVER_ENDED_GAP if side else 0)
    flows[f + END_TIME] = max(time, flows[f + END_TIME])


@kernel
def advance(packets: Ints, row: int, flows: Ints, x: int, probes: Ints) -> bool:
    """Move NXT by this segment, or count it as sent again; return whether it carries something new."""
    flags = packets[row + FLAGS]
    length = packets[row + LEN] + (flags & 1) + ((flags & SYN) >> 1)
    seq = packets[row + SEQ]
    end = (seq + length) & 0xFFFFFFFF
    known = flows[x + KNOWN]
    time = packets[row + TIME]
    ahead = 1
    if known & HAS_NXT:
        ahead = seq_diff(end, flows[x + NXT])
    if known & HOLDS_BACK and (length > 0 or ahead != 0):
        settle_held(flows, x, seq, time, probes)
    if known & HAS_NXT == 0 or ahead > 0:
        flows[x + NXT] = end
        if length > 0:
            flows[x + ADVANCE_TIME] = time
            flows[x + ADVANCE_LEN] = length
            flows[x + KNOWN] = flows[x + KNOWN] & ~NXT_IS_GUESS | HAS_NXT
        elif known & HAS_NXT == 0:
            flows[x + KNOWN] |= HAS_NXT | NXT_IS_GUESS
        return length > 0
    if length > 0:
        resent(flows, x, end, time)
    return False


@kernel
def resent(flows: Ints, x: int, end: int, time: int) -> None:
    """A segment of `x` that was sent before: part of a run unless it was only overtaken, or acknowledged already."""
    if time - flows[x + ADVANCE_TIME] < REORDERED_NS and flows[x + RESENT] == 0:
        return
    flows[x + RESENT_TOTAL] += 1
    if flows[x + KNOWN] & HAS_UNA and seq_diff(end, flows[x + UNA]) <= 0:
        return
    if flows[x + RESENT] == 0:
        flows[x + RESENT_FIRST] = time
        flows[x + RESENT_GAP] = time - flows[x + ADVANCE_TIME]
    else:
        flows[x + RESENT_GAP] = time - flows[x + RESENT_LAST]
    flows[x + RESENT] += 1
    flows[x + RESENT_LAST] = time


@kernel
def window_of(packets: Ints, row: int, flows: Ints, f: int, x: int, endpoint: int, events: Ints, counts: Ints) -> None:
    """The window that `x` advertises: closed since when, and for how long before."""
    window = packets[row + WINDOW]
    time = packets[row + TIME]
    before = flows[x + LAST_WINDOW]
    flows[x + LAST_WINDOW] = window
    if window == 0:
        if before != 0 or flows[x + ZERO_SINCE] == 0:
            flows[x + ZERO_SINCE] = time
    elif before == 0 and flows[x + ZERO_SINCE] > 0:
        # Bounded, for a clock that jumps about may close the window at 1970 and open it today, again and again.
        flows[x + ZERO_TOTAL] = min(flows[x + ZERO_TOTAL] + max(0, time - flows[x + ZERO_SINCE]), -NEVER)
        e = log_event(packets, row, flows, f, endpoint, EVENT_ZERO_WINDOW, events, counts)
        if e >= 0:
            events[e + EVENT_SINCE] = flows[x + ZERO_SINCE]
        flows[x + ZERO_SINCE] = 0


@kernel
def received(packets: Ints, row: int, flows: Ints, x: int, y: int, is_new: bool, expected: int, probes: Ints) -> None:
    """What a segment of `x` that is no probe means to the TCP of `y`: an answer, and a restart of its idle clock."""
    time = packets[row + TIME]
    length = packets[row + LEN]
    flags = packets[row + FLAGS]
    if length == 0 and flags & (SYN | FIN) == 0:
        # A pure ACK is accepted when it is in sequence; an old one is not.
        if seq_diff(packets[row + SEQ], expected) < 0:
            return
        if flows[y + LAST_PROBE] > 0:
            answer_probe(packets, row, flows, y, ANSWER_ACK, probes)
            if flows[x + PACKETS] == 0 and packets[row + WINDOW] == 0:
                # The first that is seen of the peer: its window was closed when it was probed.
                probes[(flows[y + LAST_PROBE] - 1) * PROBE_SIZE + PROBE_FLAGS] |= PEER_WINDOW_ZERO
        accepted(flows, y, GAP_ANSWERED, time, probes)
        return
    if not is_new and seq_diff(packets[row + SEQ] + length, flows[x + UNA]) <= 0:
        return
    if flows[y + RUN] > 0:
        answer_probe(packets, row, flows, y, ANSWER_IMPLICIT, probes)
    accepted(flows, y, GAP_PEER_FIN if flags & FIN else GAP_DATA, time, probes)


@kernel
def request_reply(packets: Ints, row: int, flows: Ints, f: int, x: int, side: int, probes: Ints) -> None:
    """New data of `x`: a reply to what its peer asked, and perhaps a request of its own."""
    time = packets[row + TIME]
    asks = SERVER_ASKED if side else CLIENT_ASKED
    if flows[f + ROLES] & asks == 0:
        flows[f + ROLES] = flows[f + ROLES] & ~(CLIENT_ASKED | SERVER_ASKED) | asks
        flows[f + REQUEST_TIME] = time
        flows[f + REQUEST_FRAME] = packets[row + FRAME]
    if flows[x + RUN] > 0:
        end_gap(flows, x, GAP_OWN_DATA, time, probes)


@kernel
def renumber(packets: Ints, row: int, flows: Ints, x: int) -> None:
    """A second SYN-ACK with another number: it counts if the first has not been acknowledged."""
    if flows[x + KNOWN] & HAS_UNA == 0:
        flows[x + ISN] = packets[row + SEQ]
        flows[x + NXT] = (packets[row + SEQ] + 1) & 0xFFFFFFFF


@kernel
def on_segment(
    packets: Ints, row: int, flows: Ints, stream: int, x: int, y: int, probes: Ints, events: Ints, counts: Ints
) -> None:
    """One TCP segment from endpoint `x` to endpoint `y`."""
    flags = packets[row + FLAGS]
    f = stream * FLOW_SIZE
    side = 0 if x < y else 1
    endpoint = stream * 2 + side
    idle_gap(packets, row, flows, f, side)
    fingerprint(packets, row, flows, x)
    if flags & (SYN | ACK) == SYN | ACK and flows[x + KNOWN] & SENT_SYN and flows[x + ISN] != packets[row + SEQ]:
        renumber(packets, row, flows, x)
    elif flags & RST:
        on_reset(packets, row, flows, f, x, y, probes, events, counts, endpoint)
    else:
        if flags & ACK:
            on_ack(packets, row, flows, f, x, y, probes, events, counts, endpoint)
        bits = NOT_A_PROBE
        if flags & (SYN | FIN | ACK) == ACK and packets[row + LEN] <= 1:
            bits = probe_flags(packets, row, flows, x, y)
        if bits != NOT_A_PROBE:
            log_probe(packets, row, flows, x, endpoint, bits, probes, counts)
            if bits & HELD_BACK and flows[x + KNOWN] & HAS_NXT == 0:
                flows[x + NXT] = packets[row + SEQ]
                flows[x + KNOWN] |= HAS_NXT | NXT_IS_GUESS
            elif bits & HELD_BACK == 0 and flows[x + KNOWN] & NXT_IS_GUESS:
                settle_held(flows, x, flows[x + NXT], packets[row + TIME], probes)
                flows[x + KNOWN] &= ~NXT_IS_GUESS
        else:
            flows[x + BYTES] += packets[row + LEN]
            expected = flows[x + NXT] if flows[x + KNOWN] & HAS_NXT else packets[row + SEQ]
            is_new = advance(packets, row, flows, x, probes)
            received(packets, row, flows, x, y, is_new, expected, probes)
            if is_new and packets[row + LEN] > 0:
                request_reply(packets, row, flows, f, x, side, probes)
        if flags & SYN:
            on_syn(packets, row, flows, f, x, y, side == 0)
        elif flags & FIN:
            on_fin(packets, row, flows, x, probes)
        elif flags & ACK:
            move(flows, x, SENDS_SEGMENT)
        window_of(packets, row, flows, f, x, endpoint, events, counts)
    flows[x + PACKETS] += 1
    flows[x + LAST_TIME] = packets[row + TIME]


@kernel
def on_icmp(
    packets: Ints, row: int, flows: Ints, stream: int, x: int, side: int, probes: Ints, events: Ints, counts: Ints
) -> None:
    """An ICMP error that quotes a segment of `x`: on a probe it stays with the probe."""
    flows[x + ICMP_ERRORS] += 1
    index = flows[x + LAST_PROBE]
    if index > 0 and probes[(index - 1) * PROBE_SIZE + PROBE_SEQ] == packets[row + SEQ]:
        p = (index - 1) * PROBE_SIZE
        if probes[p + PROBE_ICMP] == 0 and probes[p + PROBE_FRAME] < packets[row + FRAME]:
            probes[p + PROBE_ICMP] = packets[row + FRAME]
        return
    e = log_event(packets, row, flows, stream * FLOW_SIZE, stream * 2 + side, EVENT_ICMP, events, counts)
    if e >= 0:
        events[e + EVENT_WHY] = packets[row + KIND]


@kernel
def track(
    packets: Ints,
    start: int,
    stop: int,
    flows: Ints,
    slots: Ints,
    recent: Ints,
    probes: Ints,
    events: Ints,
    counts: Ints,
    seed: int,
) -> int:
    """Track the packets from row `start` to before `stop`; return the first not taken, for want of room in a table."""
    flow_room = len(flows) // FLOW_SIZE
    probe_room = len(probes) // PROBE_SIZE
    event_room = len(events) // EVENT_SIZE - 2  # one segment logs at most two events
    ahead = start
    for index in range(start, stop):
        if index == ahead:
            ahead = min(index + LOOK_AHEAD, stop)
            counts[TOUCHED] = look_ahead(packets, index, ahead, flows, slots, seed)
        if counts[FLOW_COUNT] >= flow_room or counts[PROBE_COUNT] >= probe_room or counts[EVENT_COUNT_] >= event_room:
            return index
        row = index * PACKET_SIZE
        if packets[row + KIND] == 0 and is_copy(packets, row, recent):
            counts[DUPLICATES] += 1
            continue
        stream = find_stream(packets, row, flows, slots, counts)
        if stream < 0:
            continue
        f = stream * FLOW_SIZE
        x = f + HEAD_SIZE
        y = x + ENDPOINT_SIZE
        side = 0
        low = source_is_low(packets, row)
        if (flows[f + ROLES] & CLIENT_IS_LOW == 1) != low:
            x, y = y, x
            side = 1
        if packets[row + KIND] != 0:
            on_icmp(packets, row, flows, stream, x, side, probes, events, counts)
        else:
            on_segment(packets, row, flows, stream, x, y, probes, events, counts)
    return stop
