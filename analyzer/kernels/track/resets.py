"""RST: what it answered, and what becomes of both endpoints."""

from __future__ import annotations

from analyzer.kernels.arithmetic import seq_diff
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.answers import answer_probe, end_gap
from analyzer.kernels.track.probes import settle_held
from analyzer.kernels.track.states import log_event, move
from analyzer.tables.fields import (
    ANSWER_RST,
    BYTES,
    EVENT_RST,
    EVENT_WHY,
    FIN_TIME,
    FLAGS,
    FRAME,
    GAP_OWN_RST,
    GAP_PEER_RST,
    HANDSHAKE,
    HELD,
    KNOWN,
    LAST_PROBE,
    LAST_TIME,
    MARK_BITS,
    MIN_RTT,
    NXT,
    PROBE_MARKS,
    PROBE_SIZE,
    RESENT,
    RESET_ABORT,
    RESET_FRAME,
    RESET_GIVEN_UP,
    RESET_REFUSED,
    RESET_REPLY_TO_ACK,
    RESET_REPLY_TO_DATA,
    RESET_REPLY_TO_PROBE,
    RESET_SIDE,
    RESET_TIME,
    RESET_WHY,
    RUN,
    SAW_REFUSAL,
    SENT_FIN,
    SENT_RST,
    SEQ,
    STATE,
    TIME,
    UNA,
)
from analyzer.tcp import ACK, SHORTEST_TIMER_NS, Event, State

RCVD_RST = int(Event.RCVD_RST)
RESET_IN_DOUBT = int(Event.RESET_IN_DOUBT)
SENDS_RST = int(Event.SENT_RST)
IN_SYN_SENT = int(State.SYN_SENT)
IN_SYN_RECEIVED = int(State.SYN_RECEIVED)
# An RST is made at once; where no round trip was measured, one this late answers nothing.
PROMPT_NS = 200_000_000


@kernel
def reset_reason(packets: Ints, row: int, flows: Ints, x: int, y: int, probes: Ints) -> int:
    """What the RST of `x` answered: RESET_*.

    An RST made for a segment that no connection takes has the number that this segment acknowledged and no ACK flag
    (RFC 9293 3.10.7.1); one that a TCP sends of its own accord has SND.NXT and ACK.
    """
    if flows[y + STATE] == IN_SYN_SENT:
        return RESET_REFUSED
    bare = packets[row + FLAGS] & ACK == 0
    if flows[y + RUN] > 0:
        p = (flows[y + LAST_PROBE] - 1) * PROBE_SIZE
        if bare and packets[row + SEQ] == probes[p + PROBE_MARKS] >> MARK_BITS:
            return RESET_REPLY_TO_PROBE
    if flows[x + RUN] > 0:
        return RESET_GIVEN_UP
    answers = bare and packets[row + SEQ] == flows[x + UNA]
    if answers and flows[y + BYTES] > 0 and seq_diff(flows[y + NXT], flows[y + UNA]) > 0:
        return RESET_REPLY_TO_DATA
    prompt = packets[row + TIME] - flows[y + LAST_TIME] <= max(PROMPT_NS, 2 * flows[y + MIN_RTT])
    # An RST to a SYN-ACK forgot nothing: there was no connection yet (a scan, a connect that was given up). Nor does
    # one to a FIN: whoever closes holds no connection on.
    closing = flows[y + KNOWN] & SENT_FIN != 0 and flows[y + FIN_TIME] == flows[y + LAST_TIME]
    pending = flows[y + STATE] == IN_SYN_RECEIVED or closing
    if answers and prompt and flows[y + LAST_TIME] >= flows[x + LAST_TIME] and not pending:
        return RESET_REPLY_TO_ACK
    return RESET_ABORT


@kernel
def on_reset(
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
    """An RST of `x`."""
    why = reset_reason(packets, row, flows, x, y, probes)
    time = packets[row + TIME]
    if flows[x + HELD] > 0:
        settle_held(flows, x, packets[row + SEQ], time, time - SHORTEST_TIMER_NS, probes)
        why = RESET_GIVEN_UP if flows[x + RUN] > 0 and why == RESET_ABORT else why
    e = log_event(packets, row, flows, f, endpoint, EVENT_RST, events, counts)
    if e >= 0:
        events[e + EVENT_WHY] = why
    # A probe after the other end's RST shows that it was not heard: then the one that answers the probe ends it.
    unheard = flows[f + RESET_WHY] == RESET_ABORT and flows[f + RESET_SIDE] == 1 + (endpoint & 1)
    if flows[f + RESET_SIDE] == 0 or (unheard and why == RESET_REPLY_TO_PROBE):
        flows[f + RESET_SIDE] = 1 + (endpoint & 1)
        flows[f + RESET_WHY] = why
        flows[f + RESET_TIME] = time
        flows[f + RESET_FRAME] = packets[row + FRAME]
    if why == RESET_REFUSED:
        flows[f + HANDSHAKE] |= SAW_REFUSAL
    if why == RESET_REPLY_TO_PROBE:
        answer_probe(packets, row, flows, y, x, ANSWER_RST, probes)
    end_gap(flows, x, GAP_OWN_RST, time, probes)
    end_gap(flows, y, GAP_PEER_RST, time, probes)
    # One more, bare, answers what its peer has sent since: the path is there again.
    answers = flows[x + KNOWN] & SENT_RST != 0 and packets[row + FLAGS] & ACK == 0
    flows[x + KNOWN] |= SENT_RST
    move(flows, x, SENDS_RST)
    if not answers and (flows[x + RUN] > 0 or flows[x + RESENT] > 0):
        move(flows, y, RESET_IN_DOUBT)
    else:
        move(flows, y, RCVD_RST)
    if flows[y + KNOWN] & SENT_RST == 0:  # else its run is why it has given up, and stays so
        flows[y + RUN] = 0
