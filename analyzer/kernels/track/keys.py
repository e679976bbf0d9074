"""The key of a packet's connection: both addresses and ports, the numerically lower endpoint first, and its hash."""

from __future__ import annotations

from analyzer.kernels.arithmetic import MASK_63, mix
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
def endpoint_hash(seed: int, hi: int, lo: int, port: int) -> int:
    """A hash of one endpoint."""
    h = mix(mix(seed, lo), port)
    return mix(h, hi) if hi != 0 else h


@kernel
def key_ports(packets: Ints, row: int, low: bool) -> int:
    """Both ports of the key, the lower endpoint's first."""
    return packets[row + SPORT] << 16 * low | packets[row + DPORT] << 16 * (1 - low)


@kernel
def hash_key(packets: Ints, row: int, seed: int) -> None:
    """Note the hash of a packet's key in its row; the seed differs per run, so that no capture can be made to collide.

    It is the same for both directions, as a sum of the endpoints' hashes is.
    """
    source = endpoint_hash(seed, packets[row + SRC_HI], packets[row + SRC_LO], packets[row + SPORT])
    target = endpoint_hash(seed, packets[row + DST_HI], packets[row + DST_LO], packets[row + DPORT])
    h = source + target & MASK_63
    if packets[row + TUNNEL] > TUNNEL_SPLIT:
        h = mix(h, packets[row + TUNNEL])
    packets[row + KEY_HASH] = h ^ (h >> 32)
