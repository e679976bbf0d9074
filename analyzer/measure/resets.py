"""Whose RST it was: the endpoint's own, or one that a device on the path made in its name."""

from __future__ import annotations

import numpy as np

from analyzer.model.columns import Tracks, ending_resets
from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import (
    CLIENT_IS_LOW,
    ENDPOINT_SIZE,
    EVENT_TTL,
    FINGERPRINT,
    HEAD_SIZE,
    HIGH_HI,
    HIGH_LO,
    LOW_HI,
    LOW_LO,
    RESET_REFUSED,
    RESET_WHY,
    ROLES,
    TTL_HIGH,
    TTL_LOW,
)

# What hosts begin with (Linux, BSD and macOS 64, Windows 128, Solaris and routers 255): the next of these above a TTL
# that was seen is the one that the packet had when it was made.
FIRST_TTLS = np.array([32, 64, 128, 255])
# Packets of one host take paths that differ by a router now and then: that proves nothing.
JITTER_HOPS = 1


def made_on_the_path(tracks: Tracks) -> Mask:
    """Flows whose RST came over more than one hop fewer or more than any other packet of its sender: (flows,).

    Or over none at all, where its sender's packets have passed some.
    """
    flows = tracks.flows
    forged = np.zeros(len(flows), bool)
    stream, side, resets = ending_resets(tracks)
    chosen = flows[stream, RESET_WHY] != RESET_REFUSED
    stream, side, hops = stream[chosen], side[chosen], _hops(resets[chosen, EVENT_TTL])
    seen = flows[stream, HEAD_SIZE + side * ENDPOINT_SIZE + FINGERPRINT]
    fewest, most = _hops_range(seen)
    for place in np.flatnonzero((seen != 0) & ((hops < fewest) | (hops > most))).tolist():
        least, longest = _hops_of_host(flows, int(stream[place]), int(side[place]))
        strays = max(least - int(hops[place]), int(hops[place]) - longest)
        forged[stream[place]] = strays > JITTER_HOPS or (strays > 0 and hops[place] == 0)
    return forged


def _hops_range(fingerprint: Column) -> tuple[Column, Column]:
    """The fewest and the most routers that a sender's packets have passed."""
    lowest, highest = fingerprint >> TTL_LOW & 0xFF, fingerprint >> TTL_HIGH & 0xFF
    return np.minimum(_hops(highest), _hops(lowest)), np.maximum(_hops(lowest), _hops(highest))


def _hops_of_host(flows: Column, stream: int, side: int) -> tuple[int, int]:
    """The same for all packets of one connection's endpoint's host."""
    low = (flows[stream, ROLES] & CLIENT_IS_LOW != 0) == (side == 0)
    address = flows[stream, [LOW_HI, LOW_LO] if low else [HIGH_HI, HIGH_LO]]
    fewest, most = 255, 0
    for is_low, fields in ((True, [LOW_HI, LOW_LO]), (False, [HIGH_HI, HIGH_LO])):
        mine = np.flatnonzero((flows[:, fields] == address).all(axis=1))
        at = np.where((flows[mine, ROLES] & CLIENT_IS_LOW != 0) == is_low, 0, ENDPOINT_SIZE)
        seen = flows[mine, HEAD_SIZE + at + FINGERPRINT]
        if (seen := seen[seen != 0]).size:
            low_hops, high_hops = _hops_range(seen)
            fewest, most = min(fewest, int(low_hops.min())), max(most, int(high_hops.max()))
    return fewest, most


def _hops(ttl: Column) -> Column:
    """How many routers a packet has passed, by its TTL or hop limit."""
    return FIRST_TTLS[np.searchsorted(FIRST_TTLS, ttl)] - ttl
