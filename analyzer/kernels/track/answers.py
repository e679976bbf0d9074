"""What answers a probe, and what ends the idle gap that it was sent in."""

from __future__ import annotations

from analyzer.kernels.arithmetic import seq_diff
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.probes import probe_seq
from analyzer.tables.fields import (
    ACKNO,
    ANSWER,
    ANSWER_ACK,
    ANSWER_FRAME,
    ANSWER_IMPLICIT,
    ANSWER_NONE,
    ANSWER_RST,
    ANSWER_TIME,
    FRAME,
    GAP_END,
    GAP_OPEN,
    LAST_PROBE,
    LAST_RX,
    LAST_WINDOW,
    MIN_RTT,
    PROBE_BEFORE,
    PROBE_MARKS,
    PROBE_SIZE,
    PROBE_TIME,
    RUN,
    TIME,
    WINDOW,
    WINDOW_MASK,
)

# How long an answer may take where the round trip is not known, or is short, and later probes were sent meanwhile.
PATIENCE_NS = 3_000_000_000
# Data that crosses a probe stands for its answer if it comes about when the answer would.
CROSSING_NS = 1_000_000_000
MAX_OUTSTANDING = 64
LONGEST_RTT_NS = 3_600_000_000_000


@kernel
def answered_probe(flows: Ints, x: int, time: int, ackno: int, says_nothing_else: bool, probes: Ints) -> int:
    """1 + the row of the probe that a segment acknowledging `ackno` answers; 0 for none.

    The youngest that is old enough for a round trip: where the round trip exceeds the interval several are on their
    way at once, and where probes were lost the answer belongs to the last. That one waits for as long as it takes,
    where the segment says nothing else (a window that it changes would be a reason of its own).
    """
    oldest = 0
    index = flows[x + LAST_PROBE]
    enough = flows[x + MIN_RTT] - flows[x + MIN_RTT] // 4
    for _ in range(MAX_OUTSTANDING):
        if index == 0:
            break
        p = (index - 1) * PROBE_SIZE
        age = time - probes[p + PROBE_TIME]
        if probes[p + PROBE_MARKS] & ANSWER >= ANSWER_ACK:
            break
        waits = (
            says_nothing_else and index == flows[x + LAST_PROBE] and probes[p + PROBE_MARKS] & (ANSWER | GAP_END) == 0
        )
        if age > max(PATIENCE_NS, 4 * flows[x + MIN_RTT]) and not waits:
            break
        if seq_diff(ackno, probe_seq(probes, p)) == 1:
            oldest = index
            if age >= enough:
                break
        index = probes[p + PROBE_BEFORE]
    return oldest


@kernel
def sole_outstanding(index: int, flows: Ints, x: int, probes: Ints) -> bool:
    """Whether this probe is the last one sent and the one before it has been answered."""
    before = probes[(index - 1) * PROBE_SIZE + PROBE_BEFORE]
    answered = before == 0 or probes[(before - 1) * PROBE_SIZE + PROBE_MARKS] & ANSWER != ANSWER_NONE
    return index == flows[x + LAST_PROBE] and answered


@kernel
def note_rtt(flows: Ints, x: int, took: int) -> None:
    """Take a round trip of `x` into account, unless the clock stepped meanwhile."""
    if 0 <= took < LONGEST_RTT_NS and (flows[x + MIN_RTT] < 0 or took < flows[x + MIN_RTT]):
        flows[x + MIN_RTT] = took


@kernel
def answer_probe(packets: Ints, row: int, flows: Ints, x: int, y: int, answer: int, probes: Ints) -> None:
    """Pair this segment of `y` with the probe of `x` that it answers, if there is one."""
    time = packets[row + TIME]
    index = flows[x + LAST_PROBE]
    if answer != ANSWER_RST:
        same_window = packets[row + WINDOW] == flows[y + LAST_WINDOW] & WINDOW_MASK
        index = answered_probe(flows, x, time, packets[row + ACKNO], answer == ANSWER_ACK and same_window, probes)
    if index == 0:
        return
    p = (index - 1) * PROBE_SIZE
    age = time - probes[p + PROBE_TIME]
    if answer == ANSWER_IMPLICIT and age > max(CROSSING_NS, 2 * flows[x + MIN_RTT]):
        return
    if (
        answer == ANSWER_ACK
        and age <= max(PATIENCE_NS, 4 * flows[x + MIN_RTT])
        and sole_outstanding(index, flows, x, probes)
    ):
        # Probes are answered at once (they are out of window), so this is a round trip and not a delayed ACK.
        note_rtt(flows, x, age)
    probes[p + PROBE_MARKS] = probes[p + PROBE_MARKS] & ~ANSWER | answer
    probes[p + ANSWER_FRAME] = packets[row + FRAME]
    probes[p + ANSWER_TIME] = time


@kernel
def end_gap(flows: Ints, x: int, how: int, time: int, probes: Ints) -> None:
    """The idle gap in which `x` probed last is over; the first reason stands."""
    index = flows[x + LAST_PROBE]
    if index > 0:
        p = (index - 1) * PROBE_SIZE
        if probes[p + PROBE_MARKS] & GAP_END == GAP_OPEN:
            probes[p + PROBE_MARKS] |= how
            if probes[p + PROBE_MARKS] & ANSWER == ANSWER_NONE:
                probes[p + ANSWER_TIME] = time


@kernel
def accepted(flows: Ints, x: int, how: int, time: int, probes: Ints) -> None:
    """The TCP of `x` accepted a segment: its idle clock starts again (Linux keepalive_time_elapsed)."""
    if flows[x + RUN] > 0:
        end_gap(flows, x, how, time, probes)
        flows[x + RUN] = 0
    flows[x + LAST_RX] = max(time, flows[x + LAST_RX])
