"""Whether a RST came as far as its sender's other packets: by its TTL, or hop limit."""

from __future__ import annotations

import numpy as np

from analyzer.layout import (
    ENDPOINT_SIZE,
    EVENT_ENDPOINT,
    EVENT_FRAME,
    EVENT_KIND,
    EVENT_RST,
    EVENT_TTL,
    FINGERPRINT,
    HEAD_SIZE,
    RESET_FRAME,
    RESET_SIDE,
    TTL_HIGH,
    TTL_LOW,
)
from analyzer.model import Facts, Narrow

UNKNOWN, SAME, OTHER = range(3)


def reset_hops(facts: Facts) -> Narrow:
    """For the first RST of each connection: its TTL is one of its sender's, another, or there is no telling."""
    flows, events = facts.tracks.flows, facts.tracks.events
    found = np.full(len(facts), UNKNOWN, np.int8)
    resets = events[events[:, EVENT_KIND] == EVENT_RST]
    stream, side = resets[:, EVENT_ENDPOINT] >> 1, resets[:, EVENT_ENDPOINT] & 1
    first = (flows[stream, RESET_FRAME] == resets[:, EVENT_FRAME]) & (flows[stream, RESET_SIDE] == side + 1)
    stream, side, ttl = stream[first], side[first], resets[first, EVENT_TTL]
    seen = flows[stream, HEAD_SIZE + side * ENDPOINT_SIZE + FINGERPRINT]
    alike = (ttl >= seen >> TTL_LOW & 0xFF) & (ttl <= seen >> TTL_HIGH & 0xFF)
    found[stream] = np.where(seen == 0, UNKNOWN, np.where(alike, SAME, OTHER))
    return found
