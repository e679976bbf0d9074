"""Second copies of a packet: whether the same one was captured a moment ago."""

from __future__ import annotations

from analyzer.kernels.arithmetic import MASK_32, MASK_63, MULTIPLIER, mix
from analyzer.kernels.engine.prefetch import prefetch
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.keys import hash_key, source_is_low
from analyzer.kernels.track.probes import probe_seq
from analyzer.tables.fields import (
    ACKNO,
    ANSWER,
    ANSWER_ACK,
    ANSWER_TIME,
    COPIES,
    COPY_HASH,
    FILE_BITS,
    FINGERPRINT,
    FLAGS,
    FRAME,
    FRAME_BITS,
    HELD_BACK,
    ID_LAST,
    IP_ID,
    KEY_HASH,
    KIND,
    LAST_PROBE,
    LAST_TIME,
    LAST_WINDOW,
    LEN,
    MARK_BITS,
    MIN_RTT,
    NXT,
    ONE_OCTET,
    OPTIONS,
    PACKET_SIZE,
    PROBE_MARKS,
    PROBE_SIZE,
    PROBE_TIME,
    RECENT_SET,
    SACK_LEFT,
    SACK_RIGHT,
    SEQ,
    STREAM,
    TIME,
    TSECR,
    TSVAL,
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
# Five odd multipliers.
POWERS = tuple(MULTIPLIER**power & MASK_63 for power in range(1, 6))
# The set where a packet would be found is asked for so many packets before its turn.
AHEAD = 16


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
    numbers = (packets[row + SEQ] << 31) ^ packets[row + ACKNO]
    stamps = (packets[row + TSVAL] << 31) ^ packets[row + TSECR]
    blocks = (packets[row + SACK_LEFT] << 31) ^ packets[row + SACK_RIGHT]
    shape = packets[row + LEN] << 34 ^ packets[row + OPTIONS] << 26 ^ packets[row + FLAGS] << 18 ^ packets[row + IP_ID]
    sender = packets[row + KEY_HASH] ^ packets[row + WINDOW] << 1 ^ source_is_low(packets, row)
    # A sum of products, none of which waits for another.
    h = numbers * POWERS[0] + stamps * POWERS[1] + blocks * POWERS[2] + shape * POWERS[3] + sender * POWERS[4]
    h = mix(h & MASK_63, h >> 32 & MASK_32)
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
    slot += 2 * int(recent[slot + 1] > recent[slot + 3])  # the older of the two; a branch would be a toss of a coin
    recent[slot] = h
    recent[slot + 1] = time
    return False


@kernel
def sift(packets: Ints, start: int, stop: int, recent: Ints, copies: Ints, across: int, seed: int) -> int:
    """Note the hash of each packet's key, and sort out second copies: STREAM is -1 there. Return how many they are.

    `across` is how long ago the same packet may have been captured in another file, in ns.
    """
    found = 0
    for index in range(start - AHEAD, stop):
        if index + AHEAD < stop:
            hash_key(packets, (index + AHEAD) * PACKET_SIZE, seed)
            hash_copy(packets, (index + AHEAD) * PACKET_SIZE, recent)
        if index < start:
            continue
        row = index * PACKET_SIZE
        if packets[row + KIND] == 0 and is_copy(packets, row, recent, copies, across):
            packets[row + STREAM] = -1
            found += 1
    return found


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
