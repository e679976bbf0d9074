"""Handshake, acknowledgement and teardown: what moves the two endpoints of a connection between states."""

from __future__ import annotations

from analyzer.kernels.arithmetic import MASK_32, seq_diff
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.answers import end_gap, note_rtt
from analyzer.kernels.track.probes import IMPLAUSIBLE, settle_held
from analyzer.tables.fields import (
    ACKED_UNSEEN,
    ACKNO,
    ADVANCE_TIME,
    BYTES,
    EVENT_ACK,
    EVENT_COUNT,
    EVENT_COUNT_,
    EVENT_ENDPOINT,
    EVENT_FLAGS,
    EVENT_FRAME,
    EVENT_IP_ID,
    EVENT_KIND,
    EVENT_OPTIONS,
    EVENT_RESENT,
    EVENT_SEQ,
    EVENT_SINCE,
    EVENT_SIZE,
    EVENT_TIME,
    EVENT_TTL,
    EVENT_WINDOW,
    EVENTS_KEPT,
    EVENTS_PER_FLOW,
    FIN_ACKED,
    FIN_END,
    FIN_FRAME,
    FIN_TIME,
    FLAGS,
    FRAME,
    GAP_OWN_FIN,
    HANDSHAKE,
    HANDSHAKE_RTT,
    HAS_NXT,
    HAS_UNA,
    HOLDS_BACK,
    IP_ID,
    ISN,
    KNOWN,
    LAST_PROBE,
    LEN,
    NEW_OCTET,
    NXT,
    NXT_IS_GUESS,
    OPTIONS,
    PROBE_MARKS,
    PROBE_SIZE,
    RESENT,
    RESENT_FIRST,
    SAW_ACK,
    SAW_SERVER_SYN,
    SAW_SYN,
    SAW_SYN_ACK,
    SENT_FIN,
    SENT_SYN,
    SEQ,
    STAMP,
    STATE,
    SYN_RETRANSMITTED,
    SYN_TIME,
    SYN_TSVAL,
    TIME,
    TSECR,
    TSVAL,
    TTL,
    UNA,
    WINDOW,
)
from analyzer.tcp import ACK, EVENTS, NEXT_STATE, Event, State

RCVD_ACK_OF_SYN = int(Event.RCVD_ACK_OF_SYN)
RCVD_FIN = int(Event.RCVD_FIN)
RCVD_ACK_OF_FIN = int(Event.RCVD_ACK_OF_FIN)
SENDS_FIN = int(Event.SENT_FIN)
SENDS_SYN = int(Event.SENT_SYN)
SENDS_SYN_ACK = int(Event.SENT_SYN_ACK)
IN_SYN_RECEIVED = int(State.SYN_RECEIVED)
# What answers at once answers so soon: few paths are longer, and no SYN is sent again sooner (RFC 6298 2.1).
PROMPT_NS = 200_000_000


@kernel
def move(flows: Ints, x: int, event: int) -> None:
    """Move an endpoint by an event, as tcp.TRANSITIONS says."""
    flows[x + STATE] = NEXT_STATE[flows[x + STATE] * EVENTS + event]


@kernel
def log_event(
    packets: Ints, row: int, flows: Ints, f: int, endpoint: int, kind: int, events: Ints, counts: Ints
) -> int:
    """Append an event to the log; return its row, or -1 when this connection has had its share."""
    if flows[f + EVENTS_KEPT] >= EVENTS_PER_FLOW:
        return -1
    flows[f + EVENTS_KEPT] += 1
    e = counts[EVENT_COUNT_] * EVENT_SIZE
    counts[EVENT_COUNT_] += 1
    events[e + EVENT_KIND] = kind
    events[e + EVENT_FRAME] = packets[row + FRAME]
    events[e + EVENT_TIME] = packets[row + TIME]
    events[e + EVENT_ENDPOINT] = endpoint
    events[e + EVENT_SEQ] = packets[row + SEQ]
    events[e + EVENT_ACK] = packets[row + ACKNO]
    events[e + EVENT_FLAGS] = packets[row + FLAGS]
    events[e + EVENT_TTL] = packets[row + TTL]
    events[e + EVENT_IP_ID] = packets[row + IP_ID]
    events[e + EVENT_WINDOW] = packets[row + WINDOW]
    events[e + EVENT_OPTIONS] = packets[row + OPTIONS]
    return e


@kernel
def on_syn(packets: Ints, row: int, flows: Ints, f: int, x: int, y: int, by_client: bool) -> None:
    """A SYN or SYN-ACK of `x`."""
    time = packets[row + TIME]
    with_ack = packets[row + FLAGS] & ACK != 0
    if flows[x + KNOWN] & SENT_SYN:
        flows[f + HANDSHAKE] |= SYN_RETRANSMITTED
        flows[x + ADVANCE_TIME] = time
    else:
        flows[x + ISN] = packets[row + SEQ]
        flows[x + SYN_TIME] = time
        flows[x + SYN_TSVAL] = flows[x + SYN_TSVAL] >> STAMP << STAMP | packets[row + TSVAL]
        flows[x + KNOWN] |= SENT_SYN
    if with_ack:
        if flows[f + HANDSHAKE] & SAW_SYN_ACK == 0 and flows[y + KNOWN] & SENT_SYN:
            again = max(flows[y + SYN_TIME], flows[y + ADVANCE_TIME])
            # Of two SYNs the one whose timestamp is echoed was answered (RFC 7323 4). But Linux echoes the first's for
            # as long as it holds the request: an answer at the heels of the second is an answer to that.
            asked = flows[y + SYN_TSVAL] & MASK_32
            if asked == 0 or packets[row + TSECR] != asked or time - again < PROMPT_NS:
                flows[y + SYN_TIME] = again
            note_rtt(flows, y, time - flows[y + SYN_TIME])
        flows[f + HANDSHAKE] |= SAW_SYN_ACK
        move(flows, x, SENDS_SYN_ACK)
    else:
        flows[f + HANDSHAKE] |= SAW_SYN if by_client else SAW_SERVER_SYN
        move(flows, x, SENDS_SYN)


@kernel
def on_handshake_ack(packets: Ints, row: int, flows: Ints, f: int, x: int, y: int, by_client: bool) -> None:
    """The ACK of a SYN-ACK."""
    move(flows, y, RCVD_ACK_OF_SYN)
    if flows[f + HANDSHAKE] & SAW_ACK:
        return
    flows[f + HANDSHAKE] |= SAW_ACK
    if flows[f + HANDSHAKE] & SAW_SYN:
        client = x if by_client else y
        flows[f + HANDSHAKE_RTT] = packets[row + TIME] - flows[client + SYN_TIME]
    if flows[y + ADVANCE_TIME] <= flows[y + SYN_TIME]:
        note_rtt(flows, y, packets[row + TIME] - flows[y + SYN_TIME])


@kernel
def end_resending(
    packets: Ints, row: int, flows: Ints, f: int, y: int, endpoint: int, events: Ints, counts: Ints
) -> None:
    """An acknowledgement ended a run of retransmissions of `y`; runs of three and more are kept as events."""
    run = flows[y + RESENT]
    flows[y + RESENT] = 0
    if run >= 3:
        e = log_event(packets, row, flows, f, endpoint, EVENT_RESENT, events, counts)
        if e >= 0:
            events[e + EVENT_SINCE] = flows[y + RESENT_FIRST]
            events[e + EVENT_COUNT] = run


@kernel
def on_ack(
    packets: Ints,
    row: int,
    flows: Ints,
    f: int,
    x: int,
    y: int,
    probes: Ints,
    events: Ints,
    counts: Ints,
    endpoint: int,
) -> None:
    """The acknowledgement that a segment of `x` carries for what `y` sent."""
    ackno = packets[row + ACKNO]
    known = flows[y + KNOWN]
    if known & HAS_UNA:
        ahead = seq_diff(ackno, flows[y + UNA])
        if ahead <= 0 or ahead > IMPLAUSIBLE:
            return
    if known & (HAS_NXT | NXT_IS_GUESS) == HAS_NXT and ackno == flows[y + NXT] and flows[y + RESENT] == 0:
        # Of what was sent once: no shorter than the round trip, and longer by a delayed acknowledgement at most.
        if flows[y + ADVANCE_TIME] > 0:
            note_rtt(flows, y, packets[row + TIME] - flows[y + ADVANCE_TIME])
    flows[y + UNA] = ackno
    if known & HOLDS_BACK:
        settle_held(flows, y, ackno, packets[row + TIME], packets[row + TIME], probes)
        known = flows[y + KNOWN]
    if known & HAS_NXT and seq_diff(ackno, flows[y + NXT]) == 1 and flows[y + LAST_PROBE] > 0:
        # A window probe's byte was taken after all.
        if probes[(flows[y + LAST_PROBE] - 1) * PROBE_SIZE + PROBE_MARKS] & NEW_OCTET:
            flows[y + BYTES] += 1
    if known & HAS_NXT == 0 or known & NXT_IS_GUESS or seq_diff(ackno, flows[y + NXT]) > 0:
        if known & (HAS_NXT | NXT_IS_GUESS) == HAS_NXT and seq_diff(ackno, flows[y + NXT]) > 1:
            known |= ACKED_UNSEEN
        flows[y + NXT] = ackno
        known = known & ~NXT_IS_GUESS | HAS_NXT
    flows[y + KNOWN] = known | HAS_UNA
    if flows[y + RESENT] > 0:
        end_resending(packets, row, flows, f, y, endpoint ^ 1, events, counts)
    # Nothing follows a FIN: an acknowledgement beyond it is of something else.
    if known & SENT_FIN and known & FIN_ACKED == 0 and ackno == flows[y + FIN_END]:
        flows[y + KNOWN] |= FIN_ACKED
        move(flows, x, RCVD_FIN)
        move(flows, y, RCVD_ACK_OF_FIN)
    if flows[y + STATE] == IN_SYN_RECEIVED:
        on_handshake_ack(packets, row, flows, f, x, y, endpoint & 1 == 0)


@kernel
def on_fin(packets: Ints, row: int, flows: Ints, x: int, probes: Ints) -> None:
    """A FIN of `x`."""
    move(flows, x, SENDS_FIN)
    if flows[x + KNOWN] & SENT_FIN == 0:
        flows[x + KNOWN] |= SENT_FIN
        flows[x + FIN_END] = (packets[row + SEQ] + packets[row + LEN] + 1) & MASK_32
        flows[x + FIN_TIME] = packets[row + TIME]
        flows[x + FIN_FRAME] = packets[row + FRAME]
        end_gap(flows, x, GAP_OWN_FIN, packets[row + TIME], probes)
