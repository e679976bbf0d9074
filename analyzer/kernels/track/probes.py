"""Keepalive and window probes: which segments only ask whether the peer is there.

A probe repeats the last sequence number that the peer has acknowledged: SEQ = SND.UNA - 1 with no data, or with one
byte that the peer already has (RFC 9293 3.8.4, RFC 1122 4.2.3.6; Linux tcp_xmit_probe_skb). Everything here is
anchored to what the peer acknowledged, not to what was seen sent: the capture may have missed segments.
"""

from __future__ import annotations

from analyzer.kernels.arithmetic import MASK_32, seq_diff
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.tables.fields import (
    ACKNO,
    ADVANCE_LEN,
    ADVANCE_TIME,
    EARLY,
    FIN_END,
    FINGERPRINT,
    FLAGS,
    FRAME,
    HAS_NXT,
    HAS_UNA,
    HELD,
    HELD_BACK,
    HOLDS_BACK,
    KNOWN,
    LAST_PROBE,
    LAST_RX,
    LAST_TIME,
    LAST_WINDOW,
    LEN,
    MARK_BITS,
    MIN_RTT,
    NEVER,
    NEW_OCTET,
    NXT,
    NXT_IS_GUESS,
    OCTET,
    ONE_OCTET,
    ONE_SIDED,
    OPTIONS,
    OPTIONS_SEEN,
    PACKETS,
    PEER_WINDOW_ZERO,
    PROBE_BEFORE,
    PROBE_COUNT,
    PROBE_FRAME,
    PROBE_MARKS,
    PROBE_SINCE,
    PROBE_SIZE,
    PROBE_TIME,
    PROBE_WHO,
    PROBER_SHIFT,
    REJECTED,
    RUN,
    SENT_FIN,
    SEQ,
    TIME,
    UNA,
    WINDOW_MASK,
    WITHOUT_TIMESTAMPS,
)
from analyzer.tcp import HAS_TIMESTAMPS, PSH, SHORTEST_TIMER_NS

NOT_A_PROBE = -1
# A number this far ahead of everything seen is of another connection, not of segments that were missed.
IMPLAUSIBLE = 1 << 30


@kernel
def outstanding(flows: Ints, x: int) -> bool:
    """Whether bytes were seen that the peer was not seen to acknowledge."""
    return flows[x + KNOWN] & HAS_NXT != 0 and seq_diff(flows[x + NXT], flows[x + UNA]) > 0


@kernel
def may_be_reordered(packets: Ints, row: int, flows: Ints, x: int) -> bool:
    """Whether this could be an older pure ACK, sent just before the single byte (or FIN) at the same number."""
    if flows[x + LAST_WINDOW] >> ADVANCE_LEN != 1 or seq_diff(flows[x + NXT], packets[row + SEQ]) != 1:
        return False
    return packets[row + TIME] - flows[x + ADVANCE_TIME] < SHORTEST_TIMER_NS


@kernel
def since_rx(packets: Ints, row: int, flows: Ints, x: int) -> int:
    """How long before this segment the TCP of `x` last accepted one; very long when none was seen."""
    return packets[row + TIME] - flows[x + LAST_RX]


@kernel
def behind_hole(packets: Ints, row: int, flows: Ints, x: int, y: int) -> bool:
    """Whether this comes after a silence, and what `x` sent before it was not captured: its number lies ahead of all.

    Not where it may answer: a probe of `y`, or what `y` sent just before.
    """
    quiet = packets[row + TIME] - max(flows[x + LAST_TIME], flows[y + LAST_TIME]) >= SHORTEST_TIMER_NS
    ahead = seq_diff(packets[row + SEQ], flows[x + NXT])
    return flows[x + KNOWN] & HAS_NXT != 0 and 0 < ahead < IMPLAUSIBLE and quiet and flows[y + RUN] == 0


@kernel
def zero_length_probe(packets: Ints, row: int, flows: Ints, x: int, y: int) -> int:
    """PROBE_MARKS bits of a zero-length segment that is, or may be, a probe; NOT_A_PROBE otherwise."""
    seq, known = packets[row + SEQ], flows[x + KNOWN]
    quiet = packets[row + TIME] - flows[x + LAST_TIME] >= SHORTEST_TIMER_NS
    if may_be_reordered(packets, row, flows, x):
        return NOT_A_PROBE
    if behind_hole(packets, row, flows, x, y):
        return HELD_BACK | ONE_SIDED
    # A probe carries RCV.NXT: an acknowledgement below one that was sent before makes it an old segment.
    if flows[y + KNOWN] & HAS_UNA and seq_diff(packets[row + ACKNO], flows[y + UNA]) < 0:
        return NOT_A_PROBE
    if known & HAS_UNA and not outstanding(flows, x):
        if (
            known & SENT_FIN
            and seq_diff(seq, flows[x + FIN_END]) == -1
            and since_rx(packets, row, flows, x) < SHORTEST_TIMER_NS
        ):
            return NOT_A_PROBE
        return 0 if seq_diff(seq, flows[x + UNA]) == -1 else NOT_A_PROBE
    if known & HAS_NXT and quiet and seq_diff(seq, flows[x + NXT]) == -1:
        # Nothing else lies below NXT after a silence: the acknowledgement of NXT was not captured. But for the number
        # of a FIN, which a pure ACK sent before it has too.
        if known & SENT_FIN and seq_diff(seq, flows[x + FIN_END]) == -1:
            return NOT_A_PROBE
        return ONE_SIDED
    if known & HAS_NXT and known & NXT_IS_GUESS == 0:
        return NOT_A_PROBE
    if known & HAS_NXT == 0 or (seq == flows[x + NXT] and quiet):
        return HELD_BACK | ONE_SIDED
    return NOT_A_PROBE


@kernel
def one_octet_probe(packets: Ints, row: int, flows: Ints, x: int, y: int) -> int:
    """As `zero_length_probe`, for a segment with one byte."""
    seq = packets[row + SEQ]
    known = flows[x + KNOWN]
    since_octet = packets[row + TIME] - flows[x + ADVANCE_TIME]
    # Data is pushed and seldom a lone zero, a garbage byte mostly is.
    is_garbage = packets[row + FLAGS] & PSH == 0 and packets[row + OCTET] <= 0
    if is_garbage and behind_hole(packets, row, flows, x, y):
        return ONE_OCTET | HELD_BACK | ONE_SIDED
    if known & HAS_UNA:
        if flows[y + PACKETS] > 0 and flows[y + LAST_WINDOW] & WINDOW_MASK == 0 and seq == flows[x + UNA]:
            return ONE_OCTET | NEW_OCTET
        if seq_diff(seq, flows[x + UNA]) != -1 or outstanding(flows, x):
            return NOT_A_PROBE
        if since_octet > max(SHORTEST_TIMER_NS, 4 * flows[x + MIN_RTT]):
            return ONE_OCTET
        return NOT_A_PROBE
    if known & HAS_NXT and known & NXT_IS_GUESS == 0:
        # Resending the last byte alone of a longer segment is no retransmission that any TCP makes.
        longer = flows[x + LAST_WINDOW] >> ADVANCE_LEN > 1
        if seq_diff(seq, flows[x + NXT]) == -1 and longer and since_octet >= SHORTEST_TIMER_NS:
            return ONE_OCTET | ONE_SIDED
        return NOT_A_PROBE
    # The first that is seen of this endpoint.
    if is_garbage and (known & HAS_NXT == 0 or seq == flows[x + NXT]):
        return ONE_OCTET | HELD_BACK | ONE_SIDED
    return NOT_A_PROBE


@kernel
def probe_flags(packets: Ints, row: int, flows: Ints, x: int, y: int) -> int:
    """What kind of probe this plain ACK segment of zero or one byte is: PROBE_MARKS bits, or NOT_A_PROBE."""
    if packets[row + LEN] == 0:
        bits = zero_length_probe(packets, row, flows, x, y)
    else:
        bits = one_octet_probe(packets, row, flows, x, y)
    if bits == NOT_A_PROBE:
        return NOT_A_PROBE
    if flows[y + PACKETS] > 0 and flows[y + LAST_WINDOW] & WINDOW_MASK == 0:
        bits |= PEER_WINDOW_ZERO
    if since_rx(packets, row, flows, x) < SHORTEST_TIMER_NS:
        bits |= EARLY
    if (flows[x + FINGERPRINT] >> OPTIONS_SEEN) & HAS_TIMESTAMPS and packets[row + OPTIONS] & HAS_TIMESTAMPS == 0:
        bits |= WITHOUT_TIMESTAMPS
    return bits


@kernel
def log_probe(packets: Ints, row: int, flows: Ints, x: int, prober: int, bits: int, probes: Ints, counts: Ints) -> None:
    """Append a probe to the log; its caller has seen to it that there is room."""
    if bits & HELD_BACK and flows[x + KNOWN] & HAS_NXT and seq_diff(packets[row + SEQ], flows[x + NXT]) > 0:
        flows[x + LAST_RX] = NEVER  # what it sent was not captured, nor what it heard after that
    index = counts[PROBE_COUNT] + 1
    counts[PROBE_COUNT] = index
    p = (index - 1) * PROBE_SIZE
    probes[p + PROBE_FRAME] = packets[row + FRAME]
    probes[p + PROBE_TIME] = packets[row + TIME]
    probes[p + PROBE_WHO] = prober << PROBER_SHIFT | packets[row + SEQ]
    probes[p + PROBE_MARKS] = packets[row + ACKNO] << MARK_BITS | bits
    probes[p + PROBE_SINCE] = flows[x + LAST_RX]
    probes[p + PROBE_BEFORE] = flows[x + LAST_PROBE]
    flows[x + LAST_PROBE] = index
    flows[x + RUN] += 1
    if bits & HELD_BACK:
        flows[x + HELD] = index
        flows[x + KNOWN] |= HOLDS_BACK


@kernel
def probe_seq(probes: Ints, p: int) -> int:
    """The sequence number of the probe at `p` of the log."""
    return probes[p + PROBE_WHO] & MASK_32


@kernel
def settle_held(flows: Ints, x: int, nxt: int, now: int, latest: int, probes: Ints) -> None:
    """Now that the sender's next sequence number is known: were the segments held back probes, or plain ACKs?

    The peer's acknowledgement proves it: then `latest` is `now`. Where only the sender's own next segment told, those
    sent after `latest` are none: a single byte may have been missed between a plain ACK and that segment, unless a
    silence lies between.
    """
    clears = HELD_BACK | ONE_SIDED if latest == now else HELD_BACK
    index = flows[x + HELD]
    flows[x + HELD] = 0
    flows[x + KNOWN] &= ~HOLDS_BACK
    while index > 0:
        p = (index - 1) * PROBE_SIZE
        if probes[p + PROBE_MARKS] & HELD_BACK == 0:
            break
        if seq_diff(nxt, probe_seq(probes, p)) == 1 and probes[p + PROBE_TIME] <= latest:
            probes[p + PROBE_MARKS] &= ~clears
        else:
            probes[p + PROBE_MARKS] |= REJECTED
            flows[x + LAST_PROBE] = probes[p + PROBE_BEFORE]
            flows[x + RUN] = 0
        index = probes[p + PROBE_BEFORE]
