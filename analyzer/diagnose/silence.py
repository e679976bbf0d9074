"""What other connections of the same two hosts show about a silence, and the idle gaps that connections survived."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from analyzer.diagnose.groups import path_keys
from analyzer.model.columns import Facts
from analyzer.model.words import How, ProbeKind
from analyzer.tables.arrays import Column, Mask, are_among, distinct, in_order
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

# Two probes without an answer, or two retransmissions: fewer are an ordinary loss.
UNHEARD = 2
# So many connections are looked at one by one; of more, those tell of all.
MOST_ASKED = 256
# A run of retransmissions is logged from its first; what it repeats was sent so long before, or less.
EARLY_NS = 3_000_000_000


class Silence:
    """What all connections show of their silences, each column found when it is asked for first."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    @cached_property
    def last_gap(self) -> Column:
        """The idle gap that only one end has spoken after, in nanoseconds; 0 where both have: (flows,)."""
        flows = self._facts.tracks.flows
        return np.asarray(np.where(flows[:, ROLES] & GAP_IS_OPEN != 0, flows[:, OPEN_GAP], 0))

    @cached_property
    def unheard(self) -> Mask:
        """Endpoints that asked or sent again and again, and heard nothing: (flows, 2)."""
        return np.asarray((self._facts.trailing >= UNHEARD) | (self._facts.tracks.endpoints(RESENT) >= UNHEARD))

    @cached_property
    def _paths(self) -> tuple[Column, Column, Column]:
        """The number of each connection's path; all connections by path, each path's in order; where each's begin."""
        keys = path_keys(self._facts, np.arange(len(self._facts)))
        order = np.argsort(keys, kind="stable")
        begins = np.ones(len(keys), bool)
        begins[1:] = np.diff(keys[order]) != 0
        numbers = np.empty(len(keys), np.int64)
        numbers[order] = np.cumsum(begins) - 1
        return numbers, order, np.append(np.flatnonzero(begins), len(keys))

    def on_path_of(self, stream: int) -> Column:
        """All connections between the hosts of this one, itself included, in order."""
        numbers, order, first = self._paths
        return order[first[numbers[stream]] : first[numbers[stream] + 1]]

    def on_paths_of(self, streams: Column) -> Column:
        """All connections between the hosts of these, in order."""
        numbers = self._paths[0]
        is_asked = np.zeros(len(numbers), bool)  # no more paths than connections
        is_asked[numbers[streams]] = True
        return np.flatnonzero(is_asked[numbers])

    @cached_property
    def alive_elsewhere(self) -> Mask:
        """Connections with an endpoint that hears nothing, whose peer was heard meanwhile on another one: (flows,).

        Between the same two hosts, that is: on one that was open already and still knew of it, or on one that it
        accepted. Of a peer that spoke after it was given up nobody knows when it was last heard before: none is heard
        meanwhile.
        """
        facts = self._facts
        alive = np.zeros(len(facts), bool)
        if not self.unheard.any():
            return alive
        spoke_later = (facts.ended > 0)[:, None] & (self._last[:, ::-1] > facts.ended[:, None])
        asking = self.unheard & ~spoke_later
        for side in range(2):
            candidates = np.flatnonzero(asking[:, side])
            alive[candidates] |= self._overlapped(candidates, side)
        return alive

    def heard_while_dead(self, streams: Column) -> Mask:
        """Which of these unheard connections were dead while their path carried another, both ways: (streams,).

        Between the first thing sent in vain and the last, the other must have been heard: no gap, nor a run of probes
        or of retransmissions, may span all that time (an outage).
        """
        facts, flows = self._facts, self._facts.tracks.flows
        made = self._accepted & (facts.tracks.endpoints(PACKETS) > 1).all(axis=1)
        sides = np.where(self.unheard[streams, 0], 0, 1)
        resent = _resent_until(facts)
        asleep = _probing_gaps(facts, self._last[streams, sides] - flows[streams, OPEN_GAP_END])
        found = np.zeros(len(streams), bool)
        for place, (stream, side) in enumerate(zip(streams[:MOST_ASKED].tolist(), sides.tolist(), strict=False)):
            dead, given_up = int(flows[stream, OPEN_GAP_END]), int(self._last[stream, side])
            others = self.on_path_of(stream)
            others = others[made[others] & (others != stream)]
            if not len(others):
                continue
            others = others[(flows[others, FIRST_TIME] < given_up) & (self._two_way_until[others, side] > dead)]
            others = others[~_asleep(flows, asleep, others, side, dead, given_up)]
            found[place] = any(_not_resending(resent, other, dead, given_up) for other in others.tolist())
        found[MOST_ASKED:] = bool(found[:MOST_ASKED].any())
        return found

    @cached_property
    def _last(self) -> Column:
        """When each endpoint was last seen: (flows, 2)."""
        return self._facts.tracks.endpoints(LAST_TIME)

    @cached_property
    def _accepted(self) -> Mask:
        """Connections that somebody took: (flows,)."""
        return np.asarray(~are_among(self._facts.how, (How.REFUSED, How.NO_ANSWER)), bool)

    @cached_property
    def _two_way_until(self) -> Column:
        """Until when segments passed both ways, by endpoint that heard them: (flows, 2), `side` for what it heard.

        Of a connection that asks in vain, what its peer still sends shows that the peer is alive, not that it hears.
        """
        heard = self._last[:, ::-1]
        accepted = np.maximum(self._facts.tracks.endpoints(LAST_RX), 0)
        passed = np.minimum(heard, accepted.min(axis=1)[:, None])
        in_vain = np.asarray(self.unheard.any(axis=1), bool)
        return np.asarray(np.where(in_vain[:, None], passed, heard))

    def _overlapped(self, candidates: Column, side: int) -> Mask:
        """Of the candidates, whose endpoint `side` is unheard: those with one beside that was heard meanwhile."""
        facts, flows, paths = self._facts, self._facts.tracks.flows, self._paths[0][candidates]
        silent_since = np.maximum(self._last[:, 1 - side], flows[:, OPEN_GAP_END] * (self.last_gap > 0))
        made = self._accepted & (facts.tracks.endpoints(PACKETS)[:, 1 - side] > 1)
        # A peer that asks in its turn is alive, and knows its connections, whether or not it hears.
        until = np.maximum(self._two_way_until[:, side], facts.last_probe[:, 1 - side])
        found = np.zeros(len(candidates), bool)
        for path in distinct(paths).tolist():
            mine = np.flatnonzero(paths == path)
            others = self.on_path_of(int(candidates[mine[0]]))
            others = others[made[others]]
            if not len(others):
                continue
            # By beginning: of those that began in time, the one whose peer was heard last decides.
            others = others[np.argsort(flows[others, FIRST_TIME], kind="stable")]
            heard = np.maximum.accumulate(until[others])
            chosen = candidates[mine]
            began = np.searchsorted(flows[others, FIRST_TIME], self._last[chosen, side], side="right")
            found[mine] = (began > 0) & (heard[np.maximum(began, 1) - 1] > silent_since[chosen])
        if found.any():
            self._doubt(candidates, made, side, silent_since, until, found)
        return found

    def _doubt(
        self, candidates: Column, made: Mask, side: int, silent_since: Column, until: Column, found: Mask
    ) -> None:
        """Of those found, leave out whose peer was heard only when it had been given up, and may be another by then.

        It is the same if it still knows a connection that was made before.
        """
        facts, flows, last = self._facts, self._facts.tracks.flows, self._last[:, side]
        asked = candidates[found]
        asleep = _probing_gaps(facts, last[asked] - silent_since[asked])
        forgot = (facts.how == How.RST) & (facts.by == 2 - side)
        for place in np.flatnonzero(found)[:MOST_ASKED].tolist():
            stream = int(candidates[place])
            dead, given_up = int(silent_since[stream]), int(last[stream])
            others = self.on_path_of(stream)
            others = others[made[others] & (flows[others, FIRST_TIME] <= given_up) & (until[others] > dead)]
            alive = (until[others] <= given_up) | ~_asleep(flows, asleep, others, side, dead, given_up)
            alive |= (flows[others, FIRST_TIME] <= dead) & ~forgot[others]
            found[place] = alive.any()


class _ProbingGaps(NamedTuple):
    """Idle gaps in which an endpoint (stream * 2 + side) probed: when it last heard its peer, and when again."""

    endpoint: Column
    since: Column
    until: Column


def _probing_gaps(facts: Facts, windows: Column) -> _ProbingGaps:
    """Those that may span one of these windows."""
    log = facts.tracks.probes
    is_keepalive = facts.probe_kind == ProbeKind.KEEPALIVE
    since, ended = log[:, PROBE_SINCE], log[:, ANSWER_TIME]
    lasted = np.where(ended > 0, ended, facts.end) - since >= windows.min(initial=facts.end)
    # Only the last probe of a gap tells when it ended: all probes of whoever may have had one that was long enough.
    prober = facts.prober
    may_be = np.zeros(2 * len(facts), bool)
    may_be[prober[is_keepalive & lasted]] = True
    rows = np.flatnonzero(is_keepalive & may_be[prober])
    rows = rows[in_order(prober[rows])]
    endpoint, since = prober[rows], since[rows]
    last = np.ones(len(rows), bool)
    last[:-1] = (np.diff(endpoint) != 0) | (np.diff(since) != 0)
    last &= lasted[rows]
    ended = ended[rows[last]]
    return _ProbingGaps(endpoint[last].astype(np.int64), since[last], np.where(ended > 0, ended, facts.end))


def _asleep(flows: Column, gaps: _ProbingGaps, streams: Column, side: int, since: int, until: int) -> Mask:
    """Which of these connections were not heard at `side` in all that time, although they were before and after."""
    asleep = np.zeros(len(streams), bool)
    for gap, end in ((LONGEST_GAP, LONGEST_GAP_END), (OPEN_GAP, OPEN_GAP_END)):
        asleep |= (flows[streams, end] >= until) & (flows[streams, end] - flows[streams, gap] <= since)
    quiet = gaps.endpoint[(gaps.since <= since) & (gaps.until >= until)]
    return np.asarray(asleep | are_among(2 * streams + side, quiet))


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
