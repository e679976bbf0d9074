"""Whose RST it was: the endpoint's own, or one that a device on the path made in its name."""

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
    PACKETS,
    RESET_FRAME,
    RESET_REPLY_TO_ACK,
    RESET_REPLY_TO_DATA,
    RESET_REPLY_TO_PROBE,
    RESET_SIDE,
    RESET_WHY,
    TTL_HIGH,
)
from analyzer.model import Column, Mask, Tracks

# What hosts begin with (Linux, BSD and macOS 64, Windows 128, Solaris and routers 255): the next of these above a TTL
# that was seen is the one that the packet had when it was made.
FIRST_TTLS = np.array([32, 64, 128, 255])
ANSWERS = (RESET_REPLY_TO_PROBE, RESET_REPLY_TO_DATA, RESET_REPLY_TO_ACK)


def made_on_the_path(tracks: Tracks) -> Mask:
    """Flows whose first RST answered something, and came over fewer hops than any packet of its sender: (flows,)."""
    flows, events = tracks.flows, tracks.events
    forged = np.zeros(len(flows), bool)
    resets = events[events[:, EVENT_KIND] == EVENT_RST]
    stream, side = resets[:, EVENT_ENDPOINT] >> 1, resets[:, EVENT_ENDPOINT] & 1
    first = (flows[stream, RESET_FRAME] == resets[:, EVENT_FRAME]) & (flows[stream, RESET_SIDE] == side + 1)
    chosen = first & np.isin(flows[stream, RESET_WHY], ANSWERS)
    stream, side, ttl = stream[chosen], side[chosen], resets[chosen, EVENT_TTL]
    at = HEAD_SIZE + side * ENDPOINT_SIZE
    nearest = flows[stream, at + FINGERPRINT] >> TTL_HIGH & 0xFF
    others = flows[stream, at + PACKETS] > 1  # besides the RST itself
    forged[stream[others & (_hops(ttl) < _hops(nearest))]] = True
    return forged


def _hops(ttl: Column) -> Column:
    """How many routers a packet has passed, by its TTL or hop limit."""
    return FIRST_TTLS[np.searchsorted(FIRST_TTLS, ttl)] - ttl
