"""What other connections of the same two hosts show about a silence, and the idle gaps that connections survived."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from analyzer.diagnose.groups import are_among, distinct, path_keys
from analyzer.kinds import How
from analyzer.layout import (
    FIRST_TIME,
    GAP_IS_OPEN,
    LAST_TIME,
    OPEN_GAP,
    OPEN_GAP_END,
    PACKETS,
    RESENT,
    ROLES,
)
from analyzer.model import Column, Facts, Mask

# Two probes without an answer, or two retransmissions: fewer are an ordinary loss.
UNHEARD = 2


def last_gap(facts: Facts) -> Column:
    """The idle gap that only one end has spoken after, in nanoseconds; 0 where both have: (flows,)."""
    flows = facts.tracks.flows
    return np.asarray(np.where(flows[:, ROLES] & GAP_IS_OPEN != 0, flows[:, OPEN_GAP], 0))


def unheard(facts: Facts) -> Mask:
    """Endpoints that asked or sent again and again, and heard nothing: (flows, 2)."""
    return np.asarray((facts.trailing >= UNHEARD) | (facts.tracks.endpoints(RESENT) >= UNHEARD))


class Silence:
    """The same for all connections, found when it is asked for."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    @cached_property
    def last_gap(self) -> Column:
        """See `last_gap`."""
        return last_gap(self._facts)

    @cached_property
    def alive_elsewhere(self) -> Mask:
        """See `alive_elsewhere`."""
        return alive_elsewhere(self._facts)


def alive_elsewhere(facts: Facts) -> Mask:
    """Connections with an endpoint that hears nothing, whose peer was heard meanwhile on another connection: (flows,).

    Between the same two hosts, that is: on one that was open already and still knew of it, or on one that it accepted.
    """
    alive = np.zeros(len(facts), bool)
    asking = unheard(facts)
    if not asking.any():
        return alive
    streams = np.arange(len(facts))
    keys = path_keys(facts.tracks.flows, streams)
    for side in range(2):
        candidates = np.flatnonzero(asking[:, side])
        related = np.flatnonzero(are_among(keys, keys[candidates]))
        alive[candidates] |= _overlapped(facts, keys, candidates, related, side)
    return alive


def _overlapped(facts: Facts, keys: Column, candidates: Column, related: Column, side: int) -> Mask:
    """Of the candidates, whose endpoint `side` is unheard: those with a related connection that was heard meanwhile."""
    flows, last = facts.tracks.flows, facts.tracks.endpoints(LAST_TIME)
    silent_since = np.maximum(last[:, 1 - side], flows[:, OPEN_GAP_END] * (last_gap(facts) > 0))
    made = ~np.isin(facts.how, (How.REFUSED, How.NO_ANSWER)) & (facts.tracks.endpoints(PACKETS)[:, 1 - side] > 1)
    found = np.zeros(len(candidates), bool)
    related = related[made[related]]
    # By path, then by beginning: of those that began in time, the one whose peer was heard last decides.
    related = related[np.lexsort((flows[related, FIRST_TIME], keys[related]))]
    for key in distinct(keys[candidates]).tolist():
        mine = np.flatnonzero(keys[candidates] == key)
        others = related[keys[related] == key]
        if not len(others):
            continue
        heard = np.maximum.accumulate(last[others, 1 - side])
        chosen = candidates[mine]
        began = np.searchsorted(flows[others, FIRST_TIME], last[chosen, side], side="right")
        found[mine] = (began > 0) & (heard[np.maximum(began, 1) - 1] > silent_since[chosen])
    return found
