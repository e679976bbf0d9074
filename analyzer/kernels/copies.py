"""Second copies of a packet: whether the same one was captured a moment ago."""

from __future__ import annotations

from analyzer.kernels.arithmetic import mix
from analyzer.kernels.prefetch import prefetch
from analyzer.kernels.registry import Ints, kernel
from analyzer.layout import (
    ACKNO,
    COPIES,
    COPY_HASH,
    DPORT,
    DST_HI,
    DST_LO,
    FILE_BITS,
    FLAGS,
    FRAME,
    FRAME_BITS,
    IP_ID,
    LEN,
    OPTIONS,
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
    WINDOW,
)

# Two copies of one packet lie this close (`-i any`, SPAN ports, a router's two sides); no sender repeats itself so
# soon: TCP's retransmission timers start at 200 ms in practice (Linux TCP_RTO_MIN) and keepalive at 1 s.
COPY_WITHIN_NS = 5_000_000


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
            if abs(time - recent[way + 1]) <= (across if elsewhere else COPY_WITHIN_NS):
                copies[(packets[row + FRAME] >> FRAME_BITS) * COPIES + elsewhere] += 1
                return True
    if recent[slot + 1] > recent[slot + 3]:
        slot += 2
    recent[slot] = h
    recent[slot + 1] = time
    return False
