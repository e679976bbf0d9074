"""The tracker's loop: one segment after another changes the two endpoints of its connection and adds to the logs."""

from __future__ import annotations

from analyzer.kernels.answers import accepted, answer_probe
from analyzer.kernels.arithmetic import seq_diff
from analyzer.kernels.copies import hash_copy, is_copy, is_late_copy
from analyzer.kernels.flows import find_stream, hash_key, prefetch_flow, source_is_low
from analyzer.kernels.heartbeats import heartbeat
from analyzer.kernels.history import advance, fingerprint, idle_gap, request_reply, window_of
from analyzer.kernels.probes import (
    IDLE_NS,
    NOT_A_PROBE,
    log_probe,
    probe_flags,
    probe_seq,
    settle_held,
)
from analyzer.kernels.registry import Ints, kernel
from analyzer.kernels.resets import on_reset
from analyzer.kernels.states import log_event, move, on_ack, on_fin, on_syn
from analyzer.layout import (
    ACROSS_NS,
    ADVANCE_TIME,
    ANSWER_ACK,
    ANSWER_IMPLICIT,
    BEAT,
    BYTES,
    CLIENT_IS_LOW,
    COPIES,
    ENDPOINT_SIZE,
    EVENT_COUNT_,
    EVENT_ICMP,
    EVENT_SIZE,
    EVENT_TUNNEL,
    EVENT_WHY,
    EVENTS_PER_SEGMENT,
    FLAGS,
    FLOW_COUNT,
    FLOW_SIZE,
    FRAME,
    FRAME_BITS,
    GAP_ANSWERED,
    GAP_DATA,
    GAP_PEER_FIN,
    HANDSHAKE,
    HAS_NXT,
    HAS_UNA,
    HEAD_SIZE,
    HELD_BACK,
    ISN,
    KIND,
    KNOWN,
    KNOWN_TUNNEL,
    LAST_DATA,
    LAST_PROBE,
    LAST_TIME,
    LEN,
    MIXED_TUNNELS,
    NXT,
    NXT_IS_GUESS,
    PACKET_SIZE,
    PACKETS,
    PEER_WINDOW_ZERO,
    PROBE_COUNT,
    PROBE_FRAME,
    PROBE_MARKS,
    PROBE_SIZE,
    QUOTED,
    ROLES,
    RUN,
    SENT_SYN,
    SEQ,
    STREAM,
    TIME,
    TUNNEL,
    TUNNEL_ID,
    UNA,
    WINDOW,
)
from analyzer.tcp import ACK, FIN, RST, SYN, Event
from analyzer.wire import WEBSOCKET_LONGEST

SENDS_SEGMENT = int(Event.SENT_SEGMENT)
# What a packet needs of the tables is seldom in the processor's cache when its turn comes. Its slots are asked for so
# many packets before, then, half as many before, the row that its slot names; meanwhile others have their turn.
AHEAD = 32
HALF_WAY = AHEAD // 2
# Numbers of one connection lie within a window of each other, and few windows are larger than this; those of two
# connections lie further apart 127 times in 128.
FAR = 1 << 24


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
            answer_probe(packets, row, flows, y, x, ANSWER_ACK, probes)
            if flows[x + PACKETS] == 0 and packets[row + WINDOW] == 0:
                # The first that is seen of the peer: its window was closed when it was probed.
                probes[(flows[y + LAST_PROBE] - 1) * PROBE_SIZE + PROBE_MARKS] |= PEER_WINDOW_ZERO
        accepted(flows, y, GAP_ANSWERED, time, probes)
        return
    if not is_new and seq_diff(packets[row + SEQ] + length, flows[x + UNA]) <= 0:
        return
    if flows[y + RUN] > 0:
        answer_probe(packets, row, flows, y, x, ANSWER_IMPLICIT, probes)
    accepted(flows, y, GAP_PEER_FIN if flags & FIN else GAP_DATA, time, probes)


@kernel
def renumber(packets: Ints, row: int, flows: Ints, x: int) -> None:
    """A second SYN-ACK with another number: it counts if the first has not been acknowledged."""
    if flows[x + KNOWN] & HAS_UNA == 0:
        flows[x + ISN] = packets[row + SEQ]
        flows[x + NXT] = (packets[row + SEQ] + 1) & 0xFFFFFFFF


@kernel
def other_tunnel(
    packets: Ints, row: int, flows: Ints, f: int, x: int, endpoint: int, events: Ints, counts: Ints
) -> None:
    """A segment of `x` in another tunnel than its last: two connections with one key, if its numbers do not fit."""
    if flows[x + KNOWN] & HAS_NXT and abs(seq_diff(packets[row + SEQ], flows[x + NXT])) > FAR:
        if flows[f + HANDSHAKE] & MIXED_TUNNELS == 0:
            log_event(packets, row, flows, f, endpoint, EVENT_TUNNEL, events, counts)
        flows[f + HANDSHAKE] |= MIXED_TUNNELS
    tunnel = packets[row + TUNNEL] & TUNNEL_ID
    if tunnel != 0:  # the same packets are often captured outside of the tunnel, too
        flows[x + KNOWN] = flows[x + KNOWN] & ((1 << KNOWN_TUNNEL) - 1) | tunnel << KNOWN_TUNNEL


@kernel
def on_segment(
    packets: Ints, row: int, flows: Ints, stream: int, x: int, y: int, probes: Ints, events: Ints, counts: Ints
) -> None:
    """One TCP segment from endpoint `x` to endpoint `y`."""
    flags = packets[row + FLAGS]
    f = stream * FLOW_SIZE
    side = 0 if x < y else 1
    endpoint = stream * 2 + side
    if packets[row + TUNNEL] & TUNNEL_ID != flows[x + KNOWN] >> KNOWN_TUNNEL:
        other_tunnel(packets, row, flows, f, x, endpoint, events, counts)
    idle_gap(packets, row, flows, f, side)
    if flags & RST == 0:  # a RST may be another's, in its name
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
                settle_held(flows, x, flows[x + NXT], packets[row + TIME], packets[row + TIME] - IDLE_NS, probes)
                flows[x + KNOWN] &= ~NXT_IS_GUESS
        else:
            flows[x + BYTES] += packets[row + LEN]
            expected = flows[x + NXT] if flows[x + KNOWN] & HAS_NXT else packets[row + SEQ]
            quiet = packets[row + TIME] - max(flows[x + ADVANCE_TIME], flows[y + ADVANCE_TIME])
            is_new = advance(packets, row, flows, x, probes)
            received(packets, row, flows, x, y, is_new, expected, probes)
            if is_new and packets[row + LEN] > 0:
                if packets[row + LEN] <= WEBSOCKET_LONGEST or flows[x + BEAT] != 0 or flows[y + BEAT] != 0:
                    heartbeat(packets, row, flows, f, x, y, endpoint, quiet, events, counts)
                request_reply(packets, row, flows, f, x, side, probes)
                flows[x + LAST_DATA] = packets[row + TIME]
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
    """An ICMP error that quotes a segment of `x`: one about its last probe marks that too."""
    index = flows[x + LAST_PROBE]
    if index > 0:
        p = (index - 1) * PROBE_SIZE
        if probe_seq(probes, p) == packets[row + SEQ] and probes[p + PROBE_FRAME] < packets[row + FRAME]:
            probes[p + PROBE_MARKS] |= QUOTED
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
    copies: Ints,
    probes: Ints,
    events: Ints,
    counts: Ints,
    seed: int,
) -> int:
    """Track the packets from row `start` to before `stop`; return the first not taken, for want of room in a table."""
    flow_room = len(flows) // FLOW_SIZE
    probe_room = len(probes) // PROBE_SIZE
    event_room = len(events) // EVENT_SIZE - EVENTS_PER_SEGMENT
    for index in range(start - AHEAD, stop):
        if index + AHEAD < stop:
            row = (index + AHEAD) * PACKET_SIZE
            hash_key(packets, row, slots, seed)
            hash_copy(packets, row, recent)
        if start <= index + HALF_WAY < stop:
            prefetch_flow(packets, (index + HALF_WAY) * PACKET_SIZE, flows, slots)
        if index < start:
            continue
        if counts[FLOW_COUNT] >= flow_room or counts[PROBE_COUNT] >= probe_room or counts[EVENT_COUNT_] >= event_room:
            return index
        row = index * PACKET_SIZE
        if packets[row + KIND] == 0 and is_copy(packets, row, recent, copies, counts[ACROSS_NS]):
            packets[row + STREAM] = -1
            continue
        stream = find_stream(packets, row, flows, slots, counts)
        packets[row + STREAM] = stream
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
        if packets[row + KIND] == 0 and is_late_copy(packets, row, flows, x, y, probes):
            copies[(packets[row + FRAME] >> FRAME_BITS) * COPIES] += 1
            packets[row + STREAM] = -1
        elif packets[row + KIND] != 0:
            on_icmp(packets, row, flows, stream, x, side, probes, events, counts)
        else:
            on_segment(packets, row, flows, stream, x, y, probes, events, counts)
    return stop
