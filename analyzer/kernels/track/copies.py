"""Second copies of a packet: whether the same one was captured a moment ago."""

from __future__ import annotations

from analyzer.kernels.arithmetic import mix
from analyzer.kernels.engine.prefetch import prefetch
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.probes import probe_seq
from analyzer.tables.fields import (
    ACKNO,
    ANSWER,
    ANSWER_ACK,
    ANSWER_TIME,
    COPIES,
    COPY_HASH,
    DPORT,
    DST_HI,
    DST_LO,
    FILE_BITS,
    FINGERPRINT,
    FLAGS,
    FRAME,
    FRAME_BITS,
    HELD_BACK,
    ID_LAST,
    IP_ID,
    LAST_PROBE,
    LAST_TIME,
    LAST_WINDOW,
    LEN,
    MARK_BITS,
    MIN_RTT,
    NXT,
    ONE_OCTET,
    OPTIONS,
    PROBE_MARKS,
    PROBE_SIZE,
    PROBE_TIME,
    RECENT_SET,
    SACK_LEFT,
    SACK_RIGHT,
    SEQ,
    SPORT,
    SRC_HI,
    SRC_LO,
    TIME,
    TSECR,
    TSVAL,
    TUNNEL,
    TUNNEL_SPLIT,
    UNA,
    WINDOW,
    WINDOW_MASK,
)
from analyzer.tcp import ACK, SHORTEST_TIMER_NS

# Two copies of one packet lie this close (`-i any`, SPAN ports, a router's two sides); no sender repeats itself so
# soon: TCP's retransmission timers start at 200 ms in practice (Linux TCP_RTO_MIN) and keepalive at 1 s.
COPY_WITHIN_NS = 5_000_000
# A network that doubles packets may deliver the second one later, up to a round trip. No timer of TCP is so short, but
# data is sent again sooner (TLP after two round trips, RFC 8985 7.2; fast retransmit, RFC 5681 3.2), and equal ACKs
# tell of loss: only what an IP ID numbers (RFC 6864 4.1) and keepalive probes with their answers are told from those.
LATE_COPY_NS = 150_000_000


@kernel
def copy_slot(h: int, recent: Ints) -> int:
    """Where the set of this hash begins."""
    return ((h >> 20) & (len(recent) // RECENT_SET - 1)) * RECENT_SET


@kernel
def hash_copy(packets: Ints, row: int, recent: Ints) -> None:
    """Note in a packet's row a hash of what two copies of it share, and have its set of `recent` brought near.

    The hop limit may differ (a router's two sides), and so may everything below IP. In IPv6 there is no IP ID: there
    the timestamps and SACK blocks must tell two packets apart.
    """
    h = mix(0, packets[row + SRC_LO] ^ (packets[row + SRC_HI] << 1))  # not both at once: mix() begins with an XOR
    h = mix(h, packets[row + DST_LO] ^ (packets[row + DST_HI] << 1))
    h = mix(h, (packets[row + SEQ] << 31) ^ packets[row + ACKNO])
    h = mix(h, (packets[row + TSVAL] << 31) ^ packets[row + TSECR])
    h = mix(h, (packets[row + SACK_LEFT] << 31) ^ packets[row + SACK_RIGHT])
    h = mix(h, (packets[row + SPORT] << 32) | (packets[row + DPORT] << 16) | packets[row + WINDOW])
    h = mix(
        h,
        (packets[row + LEN] << 34) ^ (packets[row + FLAGS] << 18) ^ packets[row + IP_ID] ^ packets[row + OPTIONS] << 26,
    )
    if packets[row + TUNNEL] > TUNNEL_SPLIT:
        h = mix(h, packets[row + TUNNEL])
    file = packets[row + FRAME] >> FRAME_BITS
    packets[row + COPY_HASH] = h >> FILE_BITS << FILE_BITS | file & ((1 << FILE_BITS) - 1)
    prefetch(recent, copy_slot(h, recent))


@kernel
def is_copy(packets: Ints, row: int, recent: Ints, copies: Ints, across: int) -> bool:
    """Whether the same packet was captured a moment ago, in another file `across` ns ago; remember this one if not."""
    h = packets[row + COPY_HASH]
    time = packets[row + TIME]
    slot = copy_slot(h, recent)
    for way in range(slot, slot + RECENT_SET, 2):
        if (recent[way] ^ h) >> FILE_BITS == 0:
            elsewhere = int(recent[way] != h)
            within = LATE_COPY_NS if packets[row + IP_ID] > 0 else COPY_WITHIN_NS
            if abs(time - recent[way + 1]) <= (max(across, within) if elsewhere else within):
                copies[(packets[row + FRAME] >> FRAME_BITS) * COPIES + elsewhere] += 1
                return True
    if recent[slot + 1] > recent[slot + 3]:
        slot += 2
    recent[slot] = h
    recent[slot + 1] = time
    return False


@kernel
def is_late_copy(packets: Ints, row: int, flows: Ints, x: int, y: int, probes: Ints) -> bool:
    """Whether this segment of `x` is its last one again, which was a probe or answered one, too soon for any timer."""
    # What most packets fail comes first, and what the nearest words of a row tell: this is asked of every packet.
    if packets[row + LEN] > 1 or packets[row + FLAGS] != ACK:
        return False
    if flows[x + LAST_PROBE] == 0 and flows[y + LAST_PROBE] == 0:
        return False
    since = packets[row + TIME] - flows[x + LAST_TIME]
    if since < 0 or since > min(max(LATE_COPY_NS, flows[x + MIN_RTT], flows[y + MIN_RTT]), SHORTEST_TIMER_NS):
        return False
    if since > LATE_COPY_NS and flows[y + LAST_WINDOW] & WINDOW_MASK == 0:
        return False  # the timer that asks for a window may be shorter than a round trip
    if packets[row + WINDOW] != flows[x + LAST_WINDOW] & WINDOW_MASK:
        return False
    if packets[row + IP_ID] > 0 and packets[row + IP_ID] != (flows[x + FINGERPRINT] >> ID_LAST) & 0xFFFF:
        return False
    if flows[x + LAST_PROBE] > 0:
        p = (flows[x + LAST_PROBE] - 1) * PROBE_SIZE
        marks = probes[p + PROBE_MARKS]
        if probes[p + PROBE_TIME] == flows[x + LAST_TIME] and probe_seq(probes, p) == packets[row + SEQ]:
            # Of what may be no probe, an ACK that tells of loss follows what it acknowledges.
            unproven = marks & HELD_BACK != 0 and flows[y + LAST_TIME] > probes[p + PROBE_TIME]
            same = packets[row + LEN] == int(marks & ONE_OCTET != 0)
            return same and marks >> MARK_BITS == packets[row + ACKNO] and not unproven
    if flows[y + LAST_PROBE] > 0 and packets[row + LEN] == 0:
        p = (flows[y + LAST_PROBE] - 1) * PROBE_SIZE
        if probes[p + ANSWER_TIME] != flows[x + LAST_TIME] or probes[p + PROBE_MARKS] & ANSWER != ANSWER_ACK:
            return False
        # Nothing came since that could have drawn another one.
        alone = probes[p + PROBE_TIME] == flows[y + LAST_TIME]
        return alone and packets[row + ACKNO] == flows[y + UNA] and packets[row + SEQ] == flows[x + NXT]
    return False
