"""Whether an RST came as far as its sender's other packets: by its TTL, or hop limit."""

from __future__ import annotations

import numpy as np

from analyzer.model.columns import Facts, ending_resets
from analyzer.tables.arrays import Narrow
from analyzer.tables.fields import (
    ENDPOINT_SIZE,
    EVENT_TTL,
    FINGERPRINT,
    HEAD_SIZE,
    TTL_HIGH,
    TTL_LOW,
)

UNKNOWN, SAME, OTHER = range(3)


def reset_hops(facts: Facts) -> Narrow:
    """For the first RST of each connection: its TTL is one of its sender's, another, or there is no telling.

    (flows,) of SAME, OTHER and UNKNOWN. FINGERPRINT holds the TTLs that were seen.
    """
    flows = facts.tracks.flows
    found = np.full(len(facts), UNKNOWN, np.int8)
    stream, side, resets = ending_resets(facts.tracks)
    ttl = resets[:, EVENT_TTL]
    seen = flows[stream, HEAD_SIZE + side * ENDPOINT_SIZE + FINGERPRINT]
    alike = (ttl >= seen >> TTL_LOW & 0xFF) & (ttl <= seen >> TTL_HIGH & 0xFF)
    found[stream] = np.where(seen == 0, UNKNOWN, np.where(alike, SAME, OTHER))
    return found
