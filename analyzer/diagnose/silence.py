"""What other connections of the same two hosts show about a silence, and the idle gaps that connections survived."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from analyzer.diagnose.groups import path_keys
from analyzer.model.columns import Facts
from analyzer.model.words import How, ProbeKind
from analyzer.tables.arrays import Column, Mask, are_among, distinct
from analyzer.tables.fields import (
    ANSWER_TIME,
    EVENT_ENDPOINT,
    EVENT_KIND,
    EVENT_RESENT,
    EVENT_SINCE,
    EVENT_TIME,
    FIRST_TIME,
    GAP_IS_OPEN,
    LAST_RX,
    LAST_TIME,
    LONGEST_GAP,
    LONGEST_GAP_END,
    OPEN_GAP,
    OPEN_GAP_END,
    PACKETS,
    PROBE_SINCE,
    RESENT,
    ROLES,
)
from analyzer.tables.probe import probers

# Two probes without an answer, or two retransmissions: fewer are an ordinary loss.
UNHEARD = 2
# So many connections are looked at one by one; of more, those tell of all.
MOST_ASKED = 256
# A run of retransmissions is logged from its first; what it repeats was sent so long before, or less.
EARLY_NS = 3_000_000_000


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
    Of a peer that spoke after it was given up nobody knows when it was last heard before: none is heard meanwhile.
    """
    alive = np.zeros(len(facts), bool)
    spoke_later = (facts.ended > 0)[:, None] & (facts.tracks.endpoints(LAST_TIME)[:, ::-1] > facts.ended[:, None])
    asking = unheard(facts) & ~spoke_later
    if not asking.any():
        return alive
    streams = np.arange(len(facts))
    keys = path_keys(facts.tracks.flows, streams)
    for side in range(2):
        candidates = np.flatnonzero(asking[:, side])
        related = np.flatnonzero(are_among(keys, keys[candidates]))
        alive[candidates] |= _overlapped(facts, keys, candidates, related, side)
    return alive


def two_way_until(facts: Facts) -> Column:
    """Until when segments passed both ways, by endpoint that heard them: (flows, 2), column `side` for what it heard.

    Of a connection that asks in vain, what its peer still sends shows that the peer is alive, not that it hears.
    """
    heard = facts.tracks.endpoints(LAST_TIME)[:, ::-1]
    accepted = np.maximum(facts.tracks.endpoints(LAST_RX), 0)
    in_vain = np.asarray(unheard(facts).any(axis=1), bool)
    passed = np.minimum(heard, accepted.min(axis=1)[:, None])
    return np.asarray(np.where(in_vain[:, None], passed, heard))


def heard_while_dead(facts: Facts, streams: Column, keys: Column) -> Mask:
    """Which of these unheard connections were dead while their path carried another, both ways.

    `keys` are those of all paths. Between the first thing sent in vain and the last, the other must have been heard:
    no gap, nor a run of probes or of retransmissions, may span all that time (an outage).
    """
    flows, endpoints = facts.tracks.flows, facts.tracks.endpoints
    asking = unheard(facts)
    until, last = two_way_until(facts), endpoints(LAST_TIME)
    made = ~np.isin(facts.how, (How.REFUSED, How.NO_ANSWER)) & (endpoints(PACKETS) > 1).all(axis=1)
    sides = np.where(asking[streams, 0], 0, 1)
    resent = _resent_until(facts)
    silences = _silences(facts, last[streams, sides] - flows[streams, OPEN_GAP_END])
    found = np.zeros(len(streams), bool)
    for place, (stream, side) in enumerate(zip(streams[:MOST_ASKED].tolist(), sides.tolist(), strict=False)):
        dead, given_up = int(flows[stream, OPEN_GAP_END]), int(last[stream, side])
        others = np.flatnonzero((keys == keys[stream]) & made)
        others = others[others != stream]
        others = others[(flows[others, FIRST_TIME] < given_up) & (until[others, side] > dead)]
        others = others[~_asleep(flows, silences, others, side, dead, given_up)]
        found[place] = any(_not_resending(resent, other, dead, given_up) for other in others.tolist())
    found[MOST_ASKED:] = bool(found[:MOST_ASKED].any())
    return found


class _Silences(NamedTuple):
    """Idle gaps in which an endpoint (stream * 2 + side) probed: when it last heard its peer, and when again."""

    endpoint: Column
    since: Column
    until: Column


def _silences(facts: Facts, windows: Column) -> _Silences:
    """Those that may span one of these windows."""
    log = facts.tracks.probes[facts.probe_kind == ProbeKind.KEEPALIVE]
    endpoint = probers(log)
    order = np.argsort(endpoint, kind="stable")
    endpoint, log = endpoint[order], log[order]
    last = np.ones(len(log), bool)  # of its idle gap
    last[:-1] = (np.diff(endpoint) != 0) | (np.diff(log[:, PROBE_SINCE]) != 0)
    endpoint, since, ended = endpoint[last], log[last, PROBE_SINCE], log[last, ANSWER_TIME]
    until = np.where(ended > 0, ended, facts.end)
    long = until - since >= windows.min(initial=facts.end)
    return _Silences(endpoint[long], since[long], until[long])


def _asleep(flows: Column, silences: _Silences, streams: Column, side: int, since: int, until: int) -> Mask:
    """Which of these connections were not heard at `side` in all that time, although they were before and after."""
    asleep = np.zeros(len(streams), bool)
    for gap, end in ((LONGEST_GAP, LONGEST_GAP_END), (OPEN_GAP, OPEN_GAP_END)):
        asleep |= (flows[streams, end] >= until) & (flows[streams, end] - flows[streams, gap] <= since)
    quiet = silences.endpoint[(silences.since <= since) & (silences.until >= until)]
    return np.asarray(asleep | np.isin(2 * streams + side, quiet))


def _resent_until(facts: Facts) -> dict[int, list[tuple[int, int]]]:
    """Beginnings and ends of each connection's runs of retransmissions that were acknowledged in the end."""
    events = facts.tracks.events
    runs = events[events[:, EVENT_KIND] == EVENT_RESENT][:, [EVENT_ENDPOINT, EVENT_SINCE, EVENT_TIME]].tolist()
    found: dict[int, list[tuple[int, int]]] = {}
    for endpoint, since, time in runs:
        found.setdefault(endpoint >> 1, []).append((since, time))
    return found


def _not_resending(runs: dict[int, list[tuple[int, int]]], stream: int, since: int, until: int) -> bool:
    """Whether no run of retransmissions spans all this time."""
    return not any(begun <= since + EARLY_NS and ended >= until for begun, ended in runs.get(stream, ()))


def _overlapped(facts: Facts, keys: Column, candidates: Column, related: Column, side: int) -> Mask:
    """Of the candidates, whose endpoint `side` is unheard: those with a related connection that was heard meanwhile."""
    flows, last = facts.tracks.flows, facts.tracks.endpoints(LAST_TIME)
    silent_since = np.maximum(last[:, 1 - side], flows[:, OPEN_GAP_END] * (last_gap(facts) > 0))
    made = ~np.isin(facts.how, (How.REFUSED, How.NO_ANSWER)) & (facts.tracks.endpoints(PACKETS)[:, 1 - side] > 1)
    # A peer that asks in its turn is alive, and knows its connections, whether or not it hears.
    until = np.maximum(two_way_until(facts), facts.last_probe[:, ::-1])
    found = np.zeros(len(candidates), bool)
    related = related[made[related]]
    # By path, then by beginning: of those that began in time, the one whose peer was heard last decides.
    related = related[np.lexsort((flows[related, FIRST_TIME], keys[related]))]
    for key in distinct(keys[candidates]).tolist():
        mine = np.flatnonzero(keys[candidates] == key)
        others = related[keys[related] == key]
        if not len(others):
            continue
        heard = np.maximum.accumulate(until[others, side])
        chosen = candidates[mine]
        began = np.searchsorted(flows[others, FIRST_TIME], last[chosen, side], side="right")
        found[mine] = (began > 0) & (heard[np.maximum(began, 1) - 1] > silent_since[chosen])
    if found.any():
        _doubt(facts, keys, candidates, related, side, silent_since, until[:, side], found)
    return found


def _doubt(
    facts: Facts,
    keys: Column,
    candidates: Column,
    related: Column,
    side: int,
    silent_since: Column,
    until: Column,
    found: Mask,
) -> None:
    """Of those found, leave out whose peer was heard only when it had been given up, and may be another by then.

    It is the same if it still knows a connection that was made before.
    """
    flows, last = facts.tracks.flows, facts.tracks.endpoints(LAST_TIME)[:, side]
    asked = candidates[found]
    silences = _silences(facts, last[asked] - silent_since[asked])
    forgot = (facts.how == How.RST) & (facts.by == 2 - side)
    for place in np.flatnonzero(found)[:MOST_ASKED].tolist():
        stream = int(candidates[place])
        dead, given_up = int(silent_since[stream]), int(last[stream])
        others = related[keys[related] == keys[stream]]
        others = others[(flows[others, FIRST_TIME] <= given_up) & (until[others] > dead)]
        alive = (until[others] <= given_up) | ~_asleep(flows, silences, others, side, dead, given_up)
        alive |= (flows[others, FIRST_TIME] <= dead) & ~forgot[others]
        found[place] = alive.any()
