"""The key of a packet's connection: both addresses and ports, the numerically lower endpoint first, and its hash."""

from __future__ import annotations

from analyzer.kernels.arithmetic import mix
from analyzer.kernels.engine.prefetch import prefetch
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.tables.fields import (
    DPORT,
    DST_HI,
    DST_LO,
    KEY_HASH,
    SPORT,
    SRC_HI,
    SRC_LO,
    TUNNEL,
    TUNNEL_SPLIT,
)

LO = SRC_LO - SRC_HI  # the lower half of an address follows the upper: DST_LO and those of flows, too


@kernel
def source_is_low(packets: Ints, row: int) -> bool:
    """Whether the sender is the numerically lower endpoint of its connection.

    Every other packet comes from the other end, which no processor can foresee: hence no branches.
    """
    hi, other_hi = packets[row + SRC_HI], packets[row + DST_HI]
    lo, other_lo = packets[row + SRC_LO], packets[row + DST_LO]
    by_port = packets[row + SPORT] <= packets[row + DPORT]
    return (hi < other_hi) | (hi == other_hi) & ((lo < other_lo) | (lo == other_lo) & by_port)


@kernel
def key_hash(seed: int, low_hi: int, low_lo: int, high_hi: int, high_lo: int, ports: int, tunnel: int) -> int:
    """A hash of the key; the seed differs per run, so that no capture can be made to collide."""
    h = mix(mix(seed, low_lo), high_lo)
    if tunnel > TUNNEL_SPLIT:
        h = mix(h, tunnel)
    if low_hi != 0 or high_hi != 0:
        h = mix(mix(h, low_hi), high_hi)
    h = mix(h, ports)
    return h ^ (h >> 17)


@kernel
def key_ports(packets: Ints, row: int, low: bool) -> int:
    """Both ports of the key, the lower endpoint's first."""
    if low:
        return (packets[row + SPORT] << 16) | packets[row + DPORT]
    return (packets[row + DPORT] << 16) | packets[row + SPORT]


@kernel
def hash_key(packets: Ints, row: int, slots: Ints, seed: int) -> None:
    """Note the hash of a packet's key in its row, and have the slot where its connection is found brought near."""
    low = source_is_low(packets, row)
    src, dst = (SRC_HI, DST_HI) if low else (DST_HI, SRC_HI)
    h = key_hash(
        seed,
        packets[row + src],
        packets[row + src + LO],
        packets[row + dst],
        packets[row + dst + LO],
        key_ports(packets, row, low),
        packets[row + TUNNEL],
    )
    packets[row + KEY_HASH] = h
    prefetch(slots, h & (len(slots) - 1))
