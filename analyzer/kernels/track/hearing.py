"""What passed the point of capture, and what its receiver heard: they differ where packets are lost between the two.

A receiver shows what it has heard by what it acknowledges, and by the timestamp that it echoes (RFC 7323 4.3: the
TSval of the last segment in sequence). So an answer is believed when it passes, and taken back when its receiver,
later, still echoes what came before it. The other way round, a moved echo proves an answer that was not captured.
"""

from __future__ import annotations

from analyzer.kernels.arithmetic import MASK_32, SEQ_HALF, seq_diff
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.answers import accepted, answer_probe
from analyzer.tables.fields import (
    ACKNO,
    ANSWER,
    ANSWER_ACK,
    ANSWER_FRAME,
    ANSWER_IMPLICIT,
    ANSWER_NONE,
    ANSWER_TIME,
    ECHOES_ACKS,
    FLAGS,
    GAP_ANSWERED,
    GAP_DATA,
    GAP_END,
    GAP_PEER_FIN,
    HAS_UNA,
    HEARD_RX,
    HEARING_OPEN,
    KNOWN,
    LAST_PROBE,
    LAST_RX,
    LAST_TIME,
    LEN,
    MIN_RTT,
    NEVER,
    NXT,
    OPTIONS,
    PACKETS,
    PEER_WINDOW_ZERO,
    PROBE_BEFORE,
    PROBE_MARKS,
    PROBE_SINCE,
    PROBE_SIZE,
    PROBE_TIME,
    RUN,
    SENT_RST,
    SEQ,
    STAMP,
    STAMPS,
    TIME,
    TSECR,
    TSVAL,
    UNA,
    WINDOW,
)
from analyzer.tcp import ACK, FIN, HAS_TIMESTAMPS, LATE_PART, SHORTEST_TIMER_NS, SYN

# No run of probes is longer (Linux MAX_TCP_KEEPCNT).
LONGEST_RUN = 127


@kernel
def note_unheard(packets: Ints, row: int, flows: Ints, x: int) -> None:
    """This segment is taken for accepted by the TCP of `x`, which has been silent: it has yet to show that it was.

    Without timestamps only data can show it.
    """
    known = flows[x + KNOWN]
    if packets[row + OPTIONS] & HAS_TIMESTAMPS == 0 and packets[row + LEN] == 0:
        return
    silent = flows[x + RUN] > 0 or packets[row + TIME] - flows[x + LAST_TIME] >= SHORTEST_TIMER_NS
    if known & HEARING_OPEN == 0 and silent:
        flows[x + KNOWN] = known | HEARING_OPEN
        flows[x + HEARD_RX] = flows[x + LAST_RX]
        stamps = flows[x + STAMPS] & MASK_32
        flows[x + STAMPS] = (packets[row + TSVAL] - SEQ_HALF) << STAMP | stamps


@kernel
def received(packets: Ints, row: int, flows: Ints, x: int, y: int, is_new: bool, expected: int, probes: Ints) -> None:
    """What a segment of `x` that is no probe means to the TCP of `y`: an answer, and a restart of its idle clock.

    A TCP that has sent RST has no connection any more, and accepts nothing: its run of probes is why it gave up.
    """
    gone = flows[y + KNOWN] & SENT_RST != 0
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
        if not gone:
            note_unheard(packets, row, flows, y)
            accepted(flows, y, GAP_ANSWERED, time, probes)
        return
    if not is_new and seq_diff(packets[row + SEQ] + length, flows[x + UNA]) <= 0:
        return
    if flows[y + RUN] > 0:
        answer_probe(packets, row, flows, y, x, ANSWER_IMPLICIT, probes)
    if not gone:
        note_unheard(packets, row, flows, y)
        accepted(flows, y, GAP_PEER_FIN if flags & FIN else GAP_DATA, time, probes)


@kernel
def run_since(flows: Ints, x: int, since: int, probes: Ints) -> int:
    """How many probes `x` has sent since it last heard something, which was at `since`."""
    count = 0
    index = flows[x + LAST_PROBE]
    while index > 0 and count < LONGEST_RUN:
        p = (index - 1) * PROBE_SIZE
        if probes[p + PROBE_SINCE] != since:
            break
        count += 1
        index = probes[p + PROBE_BEFORE]
    return count


@kernel
def asks_sooner(flows: Ints, x: int, since: int, run: int, now: int, probes: Ints) -> bool:
    """Whether `x` asks again sooner after what passed than it did after what it heard: the pace of an unheard one."""
    if run == 0 or since == NEVER:
        return False
    p = (flows[x + LAST_PROBE] - 1) * PROBE_SIZE
    waited = now - probes[p + PROBE_TIME]
    for _ in range(run - 1):
        p = (probes[p + PROBE_BEFORE] - 1) * PROBE_SIZE
    first = probes[p + PROBE_TIME] - since
    return waited < first - first // LATE_PART


@kernel
def unheard(packets: Ints, row: int, flows: Ints, x: int, y: int, run: int, probes: Ints) -> bool:
    """Whether this segment of `x` shows that it did not hear what passed on its way to it."""
    if packets[row + TIME] - flows[x + LAST_RX] < max(SHORTEST_TIMER_NS, 2 * flows[y + MIN_RTT]):
        return False
    if flows[y + KNOWN] & HAS_UNA and seq_diff(flows[y + NXT], flows[y + UNA]) > 0:
        return True  # data, which it would have acknowledged by now
    if packets[row + OPTIONS] & HAS_TIMESTAMPS == 0:
        return False
    if flows[x + KNOWN] & ECHOES_ACKS:
        return True
    return asks_sooner(flows, x, flows[x + HEARD_RX], run, packets[row + TIME], probes)


@kernel
def hear(packets: Ints, row: int, flows: Ints, x: int, y: int, probes: Ints) -> None:
    """A segment of `x`, of which it is open whether it heard what passed: it shows that it did, or that it did not."""
    if packets[row + FLAGS] & (SYN | ACK) != ACK:
        return
    if flows[y + KNOWN] & HAS_UNA and seq_diff(packets[row + ACKNO], flows[y + UNA]) > 0:
        flows[x + KNOWN] &= ~HEARING_OPEN
        return
    if packets[row + OPTIONS] & HAS_TIMESTAMPS:
        passed = (flows[x + STAMPS] >> STAMP) + SEQ_HALF
        if seq_diff(packets[row + TSECR], passed) >= 0:
            flows[x + KNOWN] = flows[x + KNOWN] & ~HEARING_OPEN | ECHOES_ACKS
            return
    run = run_since(flows, x, flows[x + HEARD_RX], probes)
    if not unheard(packets, row, flows, x, y, run, probes):
        return
    flows[x + KNOWN] &= ~HEARING_OPEN
    flows[x + LAST_RX] = flows[x + HEARD_RX]
    flows[x + RUN] = run
    if run > 0:
        p = (flows[x + LAST_PROBE] - 1) * PROBE_SIZE
        probes[p + PROBE_MARKS] &= ~GAP_END
        if probes[p + PROBE_MARKS] & ANSWER == ANSWER_NONE:
            probes[p + ANSWER_TIME] = 0


@kernel
def heard_unseen(packets: Ints, row: int, flows: Ints, x: int, probes: Ints) -> None:
    """A probe of `x` that echoes a later timestamp than its last: that one was answered, which was not captured.

    Only where nothing was seen of what `x` heard: a capture that has just begun, or a hole.
    """
    if flows[x + RUN] == 0 or flows[x + LAST_RX] != NEVER or packets[row + OPTIONS] & HAS_TIMESTAMPS == 0:
        return
    p = (flows[x + LAST_PROBE] - 1) * PROBE_SIZE
    before = flows[x + STAMPS] & MASK_32
    moved = seq_diff(packets[row + TSECR], before)
    if before == 0 or moved <= 0 or probes[p + PROBE_MARKS] & ANSWER != ANSWER_NONE:
        return
    heard = probes[p + PROBE_TIME] + max(flows[x + MIN_RTT], 0)
    probes[p + PROBE_MARKS] = probes[p + PROBE_MARKS] & ~(ANSWER | GAP_END) | ANSWER_ACK | GAP_ANSWERED
    probes[p + ANSWER_FRAME] = 0
    probes[p + ANSWER_TIME] = heard
    flows[x + RUN] = 0
    flows[x + LAST_RX] = heard


@kernel
def note_echo(packets: Ints, row: int, flows: Ints, x: int) -> None:
    """Note what a probe of `x` echoes."""
    echo = packets[row + TSECR] if packets[row + OPTIONS] & HAS_TIMESTAMPS else 0
    flows[x + STAMPS] = flows[x + STAMPS] >> STAMP << STAMP | echo
