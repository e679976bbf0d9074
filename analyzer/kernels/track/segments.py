"""The tracker's loop: one segment after another changes the two endpoints of its connection and adds to the logs.

A segment is judged by what its connection's row holds so far, changes it, and is forgotten. `track` leaves out second
copies (copies.py) and finds the connection (flows.py). `on_segment` then asks: is it of the connection before this one;
does it show whether its sender heard what passed (hearing.py); what does an RST answer (resets.py), what an ACK
acknowledge (states.py), a probe among it (answers.py); is it a probe itself, one below NXT with nothing outstanding
(RFC 9293 3.8.4; probes.py), or something new or sent again (history.py), which its receiver accepts (hearing.py), a
heartbeat (heartbeats.py), a request or a reply (requests.py); what does it make of its sender's state (states.py)?

What kernels mean by short names; columns and their bits are told in tables/fields.py:

row        where the packet's row begins in `packets`, to which a column is added: packets[row + SEQ]
stream, f  the connection's number, and where its row begins in `flows`
x, y       where one endpoint's part of that row begins, and where its peer's does: x has sent the segment, or is the
           one that the docstring is about
side       of x, where it is the sender: 0 for the client, 1 for the server
endpoint   stream * 2 + side: how the logs name an endpoint; as `prober` the one that sent a probe
p, e       where a row begins in `probes`, and in `events`
index      of a probe: 1 + its number in `probes`, as LAST_PROBE, HELD and PROBE_BEFORE have it; 0 is none
low        whether the sender is the numerically lower of the two addresses and ports, which the key has first
NXT, UNA   one past the highest number that x sent, probes excluded, and the highest that y acknowledged: SND.NXT and
           SND.UNA of RFC 9293 3.3.1, as far as captured. HAS_NXT, HAS_UNA: known at all; NXT_IS_GUESS: not for sure
LAST_RX    when the TCP of x last accepted a segment: its idle clock runs from there
RUN        how many probes x has sent since then
HELD       its last probe that was held back (HELD_BACK): `settle_held` says what it was, once NXT is known for sure
AHEAD      how many packets before its turn what a packet needs of the tables is asked for
"""

from __future__ import annotations

from analyzer.kernels.arithmetic import MASK_32, seq_diff
from analyzer.kernels.engine.prefetch import prefetch
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.copies import is_late_copy
from analyzer.kernels.track.flows import (
    FAR,
    challenge,
    find_stream,
    is_of_older_life,
    prefetch_flow,
)
from analyzer.kernels.track.hearing import hear, heard_unseen, note_echo, received
from analyzer.kernels.track.heartbeats import heartbeat
from analyzer.kernels.track.history import advance, fingerprint, idle_gap, window_of
from analyzer.kernels.track.keys import source_is_low
from analyzer.kernels.track.probes import (
    NOT_A_PROBE,
    log_probe,
    probe_flags,
    probe_seq,
    settle_held,
)
from analyzer.kernels.track.requests import request_reply
from analyzer.kernels.track.resets import on_reset
from analyzer.kernels.track.states import log_event, move, on_ack, on_fin, on_syn
from analyzer.kernels.track.usual import prefetch_seldom, take_usual
from analyzer.tables.fields import (
    ADVANCE_TIME,
    AFTER_FIN,
    BEAT,
    BYTES,
    CLIENT_IS_LOW,
    COPIES,
    ENDPOINT_SIZE,
    EVENT_COUNT,
    EVENT_COUNT_,
    EVENT_ICMP,
    EVENT_SINCE,
    EVENT_SIZE,
    EVENT_TUNNEL,
    EVENT_WHY,
    EVENTS_PER_SEGMENT,
    FIN_ACKED,
    FLAGS,
    FLOW_COUNT,
    FLOW_SIZE,
    FRAME,
    FRAME_BITS,
    HANDSHAKE,
    HAS_NXT,
    HAS_UNA,
    HEAD_SIZE,
    HEARING_OPEN,
    HEARTBEAT,
    HELD_BACK,
    ISN,
    KEY_HASH,
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
    PROBE_COUNT,
    PROBE_FRAME,
    PROBE_MARKS,
    PROBE_SIZE,
    QUOTED,
    ROLES,
    SAW_PURE_ACK,
    SENT_RST,
    SENT_SYN,
    SEQ,
    STREAM,
    TIME,
    TSECR,
    TSVAL,
    TUNNEL,
    TUNNEL_ID,
)
from analyzer.tables.heartbeats import WEBSOCKET_LONGEST
from analyzer.tcp import ACK, FIN, RST, SHORTEST_TIMER_NS, SYN, Event

SENDS_SEGMENT = int(Event.SENT_SEGMENT)
# What a packet needs of the tables is seldom in the processor's cache when its turn comes. Its slots are asked for so
# many packets before, then the row that its slot names, then the rest of that row, where it will be needed; meanwhile
# others have their turn.
AHEAD = 32
HALF_WAY = AHEAD // 2
NEAR = AHEAD // 4


@kernel
def renumber(packets: Ints, row: int, flows: Ints, x: int) -> None:
    """A second SYN-ACK with another number: it counts if the first has not been acknowledged."""
    if flows[x + KNOWN] & HAS_UNA == 0:
        flows[x + ISN] = packets[row + SEQ]
        flows[x + NXT] = (packets[row + SEQ] + 1) & MASK_32


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
def transferred(
    packets: Ints, row: int, flows: Ints, f: int, x: int, y: int, side: int, probes: Ints, events: Ints, counts: Ints
) -> None:
    """A segment of `x` that is no probe: data, or an acknowledgement."""
    length = packets[row + LEN]
    flows[x + KNOWN] &= ~SENT_RST  # that RST was not its own, or nobody heard it
    if length == 0 and packets[row + FLAGS] == ACK:
        flows[f + HANDSHAKE] |= SAW_PURE_ACK
    flows[x + BYTES] += length
    expected = flows[x + NXT] if flows[x + KNOWN] & HAS_NXT else packets[row + SEQ]
    quiet = packets[row + TIME] - max(flows[x + ADVANCE_TIME], flows[y + ADVANCE_TIME])
    is_new = advance(packets, row, flows, x, probes)
    received(packets, row, flows, x, y, is_new, expected, probes)
    if is_new and length > 0:
        if length <= WEBSOCKET_LONGEST or flows[x + BEAT] | flows[y + BEAT] | packets[row + HEARTBEAT] != 0:
            endpoint = f // FLOW_SIZE * 2 + side
            heartbeat(packets, row, flows, f, x, y, endpoint, quiet, events, counts)
        request_reply(packets, row, flows, f, x, side, probes)
        flows[x + LAST_DATA] = packets[row + TIME]
        if flows[y + KNOWN] & FIN_ACKED:
            flows[x + KNOWN] |= AFTER_FIN


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
    if is_of_older_life(packets, row, flows, f, x, y):
        flows[f + HANDSHAKE] |= challenge(packets, row, flows, y)
        flows[x + PACKETS] += 1
        flows[x + LAST_TIME] = packets[row + TIME]
        return
    if flows[x + KNOWN] & HEARING_OPEN:
        hear(packets, row, flows, x, y, probes)
    if flags & RST == 0:  # an RST may be another's, in its name
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
            heard_unseen(packets, row, flows, x, probes)
            note_echo(packets, row, flows, x)
            log_probe(packets, row, flows, x, endpoint, bits, probes, counts)
            if bits & HELD_BACK:
                flows[x + NXT] = packets[row + SEQ]
                flows[x + KNOWN] |= HAS_NXT | NXT_IS_GUESS
            elif bits & HELD_BACK == 0 and flows[x + KNOWN] & NXT_IS_GUESS:
                settle_held(
                    flows, x, flows[x + NXT], packets[row + TIME], packets[row + TIME] - SHORTEST_TIMER_NS, probes
                )
                flows[x + KNOWN] &= ~NXT_IS_GUESS
        else:
            transferred(packets, row, flows, f, x, y, side, probes, events, counts)
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
        events[e + EVENT_SINCE] = packets[row + TSVAL]
        events[e + EVENT_COUNT] = packets[row + TSECR]


@kernel
def track(
    packets: Ints,
    start: int,
    stop: int,
    flows: Ints,
    slots: Ints,
    copies: Ints,
    probes: Ints,
    events: Ints,
    counts: Ints,
) -> int:
    """Track the packets from row `start` to before `stop`, which `sift` has seen.

    Returns the first not taken, for want of room in a table.
    """
    flow_room = len(flows) // FLOW_SIZE
    probe_room = len(probes) // PROBE_SIZE
    event_room = len(events) // EVENT_SIZE - EVENTS_PER_SEGMENT
    for index in range(start - AHEAD, stop):
        if index + AHEAD < stop:
            prefetch(slots, packets[(index + AHEAD) * PACKET_SIZE + KEY_HASH] & (len(slots) - 1))
        if start <= index + HALF_WAY < stop:
            prefetch_flow(packets, (index + HALF_WAY) * PACKET_SIZE, flows, slots)
        if start <= index + NEAR < stop:
            prefetch_seldom(packets, (index + NEAR) * PACKET_SIZE, flows, slots, probes)
        if index < start:
            continue
        if counts[FLOW_COUNT] >= flow_room or counts[PROBE_COUNT] >= probe_room or counts[EVENT_COUNT_] >= event_room:
            return index
        row = index * PACKET_SIZE
        if packets[row + KEY_HASH] < 0:  # a second copy
            continue
        stream = find_stream(packets, row, flows, slots, counts)
        packets[row + STREAM] = stream
        if stream < 0:
            continue
        f = stream * FLOW_SIZE
        side = flows[f + ROLES] & CLIENT_IS_LOW ^ source_is_low(packets, row)
        x = f + HEAD_SIZE + side * ENDPOINT_SIZE
        y = f + HEAD_SIZE + (1 - side) * ENDPOINT_SIZE
        if packets[row + KIND] != 0:
            on_icmp(packets, row, flows, stream, x, side, probes, events, counts)
        elif is_late_copy(packets, row, flows, x, y, probes):
            copies[(packets[row + FRAME] >> FRAME_BITS) * COPIES] += 1
            packets[row + STREAM] = -1
        elif not take_usual(packets, row, flows, f, x, y, side, probes, events, counts):
            on_segment(packets, row, flows, stream, x, y, probes, events, counts)
    return stop
