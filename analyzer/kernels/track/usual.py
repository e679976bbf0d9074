"""The short way of a usual segment: the next in sequence of a connection at rest in ESTABLISHED.

Nine in ten segments of most captures are data or an acknowledgement of it, in order, on a connection that nothing
special is known of. `take_usual` does to its connection what `on_segment` would, in the same order, by the same
kernels: each condition rules out some of what `on_segment` asks. The tests read recordings with and without it.
"""

from __future__ import annotations

from analyzer.kernels.arithmetic import MASK_32, seq_diff
from analyzer.kernels.engine.prefetch import prefetch
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.answers import answer_probe, note_rtt
from analyzer.kernels.track.flows import likely_flow
from analyzer.kernels.track.hearing import hear, note_unheard
from analyzer.kernels.track.heartbeats import heartbeat
from analyzer.kernels.track.history import GAP_NS, fingerprint, idle_gap
from analyzer.kernels.track.probes import IMPLAUSIBLE
from analyzer.kernels.track.requests import request_reply
from analyzer.tables.fields import (
    ACKED_UNSEEN,
    ACKNO,
    ADVANCE_LEN,
    ADVANCE_TIME,
    ANSWER_ACK,
    BEAT,
    BYTES,
    ECHOES_ACKS,
    END_TIME,
    ENDPOINT_SIZE,
    FLAGS,
    FLOW_SIZE,
    HANDSHAKE,
    HAS_NXT,
    HAS_UNA,
    HEAD_SIZE,
    HEARING_OPEN,
    HEARTBEAT,
    KNOWN,
    KNOWN_TUNNEL,
    LAST_DATA,
    LAST_PROBE,
    LAST_RX,
    LAST_TIME,
    LAST_WINDOW,
    LEN,
    LINE,
    NXT,
    PACKETS,
    PROBE_SIZE,
    RESENT,
    RUN,
    SAW_PURE_ACK,
    SENT_SYN,
    SEQ,
    STATE,
    TIME,
    TUNNEL,
    TUNNEL_ID,
    UNA,
    WINDOW,
    WINDOW_MASK,
)
from analyzer.tables.heartbeats import WEBSOCKET_LONGEST
from analyzer.tcp import ACK, PSH, SHORTEST_TIMER_NS, State

IN_ESTABLISHED = int(State.ESTABLISHED)
# KNOWN bits that a usual segment may meet; besides these both ends have SETTLED and no other.
INDIFFERENT = SENT_SYN | ECHOES_ACKS | ACKED_UNSEEN | HEARING_OPEN
SETTLED = HAS_NXT | HAS_UNA
ASKED = (1 << KNOWN_TUNNEL) - 1 & ~INDIFFERENT


@kernel
def at_rest(flows: Ints, x: int, y: int) -> bool:
    """Whether both ends are in ESTABLISHED, and nothing is open: no run of probes, no FIN, no RST, nothing resent."""
    return (
        flows[x + KNOWN] & ASKED == SETTLED
        and flows[y + KNOWN] & ASKED == SETTLED
        and flows[x + STATE] == IN_ESTABLISHED
        and flows[y + STATE] == IN_ESTABLISHED
        and flows[y + RESENT] == 0
        # Who never sent a probe has no run of them, which lies in another cache line.
        and (flows[x + LAST_PROBE] | flows[y + LAST_PROBE] == 0 or flows[x + RUN] | flows[y + RUN] == 0)
    )


@kernel
def is_next(packets: Ints, row: int, flows: Ints, x: int, y: int) -> bool:
    """Whether this segment of `x` is the next in sequence, acknowledges what was captured, and leaves windows open."""
    ahead = seq_diff(packets[row + ACKNO], flows[y + UNA])
    return (
        packets[row + FLAGS] & ~PSH == ACK
        and packets[row + SEQ] == flows[x + NXT]
        and packets[row + LEN] != 1  # a window probe, perhaps
        and 0 <= ahead <= IMPLAUSIBLE
        and seq_diff(packets[row + ACKNO], flows[y + NXT]) <= 0
        and packets[row + WINDOW] > 0
        and flows[x + LAST_WINDOW] & WINDOW_MASK > 0
        and packets[row + TUNNEL] & TUNNEL_ID == flows[x + KNOWN] >> KNOWN_TUNNEL
    )


@kernel
def usual_data(
    packets: Ints, row: int, flows: Ints, f: int, x: int, y: int, side: int, probes: Ints, events: Ints, counts: Ints
) -> None:
    """What new data of `x` means beyond its being the next in sequence."""
    time = packets[row + TIME]
    length = packets[row + LEN]
    quiet = time - max(flows[x + ADVANCE_TIME], flows[y + ADVANCE_TIME])
    flows[x + BYTES] += length
    flows[x + NXT] = (packets[row + SEQ] + length) & MASK_32
    flows[x + ADVANCE_TIME] = time
    flows[x + LAST_WINDOW] = flows[x + LAST_WINDOW] & WINDOW_MASK | length << ADVANCE_LEN
    if length <= WEBSOCKET_LONGEST or flows[x + BEAT] | flows[y + BEAT] | packets[row + HEARTBEAT] != 0:
        heartbeat(packets, row, flows, f, x, y, f // FLOW_SIZE * 2 + side, quiet, events, counts)
    request_reply(packets, row, flows, f, x, side, probes)
    flows[x + LAST_DATA] = time


@kernel
def usual_ack(packets: Ints, row: int, flows: Ints, f: int, x: int, y: int, probes: Ints) -> None:
    """What a segment of `x` without data means beyond what it acknowledges."""
    if packets[row + FLAGS] == ACK:
        flows[f + HANDSHAKE] |= SAW_PURE_ACK
    if flows[y + LAST_PROBE] > 0:
        answer_probe(packets, row, flows, y, x, ANSWER_ACK, probes)


@kernel
def take_usual(
    packets: Ints, row: int, flows: Ints, f: int, x: int, y: int, side: int, probes: Ints, events: Ints, counts: Ints
) -> bool:
    """Take a usual segment of `x`; return False, with nothing changed, for any other, which is for `on_segment`."""
    if not at_rest(flows, x, y) or not is_next(packets, row, flows, x, y):
        return False
    time = packets[row + TIME]
    idle_gap(packets, row, flows, f, side)
    if flows[x + KNOWN] & HEARING_OPEN:
        hear(packets, row, flows, x, y, probes)
    fingerprint(packets, row, flows, x)
    if packets[row + ACKNO] != flows[y + UNA]:
        if packets[row + ACKNO] == flows[y + NXT] and flows[y + ADVANCE_TIME] > 0:
            note_rtt(flows, y, time - flows[y + ADVANCE_TIME])
        flows[y + UNA] = packets[row + ACKNO]
    if packets[row + LEN] == 0:
        usual_ack(packets, row, flows, f, x, y, probes)
    if time - flows[y + LAST_TIME] >= SHORTEST_TIMER_NS:
        note_unheard(packets, row, flows, y)
    flows[y + LAST_RX] = max(time, flows[y + LAST_RX])
    if packets[row + LEN] > 0:
        usual_data(packets, row, flows, f, x, y, side, probes, events, counts)
    flows[x + LAST_WINDOW] += packets[row + WINDOW] - (flows[x + LAST_WINDOW] & WINDOW_MASK)
    flows[x + PACKETS] += 1
    flows[x + LAST_TIME] = time
    return True


@kernel
def prefetch_seldom(packets: Ints, row: int, flows: Ints, slots: Ints, probes: Ints) -> None:
    """Where this packet will need more of its connection's row than a usual one does, have the rest brought near.

    What `prefetch_flow` asked for is there by now, and tells. A wrong guess costs time and nothing else.
    """
    f = likely_flow(packets, row, slots)
    if f < 0:
        return
    x = f + HEAD_SIZE
    y = x + ENDPOINT_SIZE
    probed = flows[x + LAST_PROBE] | flows[y + LAST_PROBE]
    heard = (flows[x + KNOWN] | flows[y + KNOWN]) & HEARING_OPEN == 0
    if probed == 0 and heard and packets[row + TIME] - flows[f + END_TIME] < GAP_NS and at_rest(flows, x, y):
        return
    for word in (f + LINE, f + 2 * LINE, x + 2 * LINE, x + 3 * LINE, y + 2 * LINE, y + 3 * LINE):
        prefetch(flows, word)
    if probed != 0:
        prefetch(probes, (flows[x + LAST_PROBE] - 1) * PROBE_SIZE)
        prefetch(probes, (flows[y + LAST_PROBE] - 1) * PROBE_SIZE)
