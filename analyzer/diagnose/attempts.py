"""Connections that were never made: whose they were, and whether a service or a scan was the reason."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.diagnose.groups import by_service
from analyzer.model.columns import Facts
from analyzer.model.words import Handshake
from analyzer.tables.arrays import Column, Mask, are_among, distinct
from analyzer.tables.fields import FIRST_TIME, PREVIOUS

# Who asks for so many ports or hosts, and is let in to few of them, looks for what there is.
MANY_DOORS = 15
LET_IN = 0.2
# A SYN this late in a capture may still be answered (RFC 6298 2.1: the first timeout is 1 s, the second 2 s).
STILL_WAITING_NS = 3_000_000_000
FIRST_TIMEOUT_NS = 1_000_000_000
# A service is out of order where so many were turned away and so large a share of all, or several and all of them.
SEVERAL, MANY = 3, 5
MOST = 0.5
SOME = 0.1
# So many services of which that is hardly worth telling are told one by one.
SLIGHT_ALONE = 3


class Attempts(NamedTuple):
    """Connections to one service that failed in one way, of so many made or not."""

    streams: Column
    of: int

    @property
    def share(self) -> float:
        """Of all to that service."""
        return len(self.streams) / max(self.of, 1)

    @property
    def severity(self) -> str:
        """By number and share."""
        if (len(self.streams) >= MANY and self.share >= MOST) or (len(self.streams) >= SEVERAL and self.share == 1):
            return "high"
        if len(self.streams) >= SEVERAL and self.share >= SOME:
            return "medium"
        return "low" if len(self.streams) >= SEVERAL else "info"


def failed(facts: Facts, how: Handshake, scans: list[Column]) -> list[Attempts]:
    """The services with connections that failed so, but for those that a scan asked for.

    `scans` is what `find_scans` gives; who is still waiting at the end of the capture has not failed.
    """
    chosen, counted = facts.handshake == how, np.ones(len(facts), bool)
    if how == Handshake.NO_ANSWER:
        counted = facts.end - facts.tracks.flows[:, FIRST_TIME] > STILL_WAITING_NS
        chosen &= counted
    if not chosen.any():
        return []
    for scan in scans:
        chosen[scan] = False
    counted = counted & ~_superseded(facts)
    everything = by_service(facts, np.flatnonzero(counted))
    found = [(service[chosen[service]], service) for service in everything]
    return [Attempts(streams, len(service)) for streams, service in found if len(streams)]


def _superseded(facts: Facts) -> Mask:
    """Attempts that were followed by another from the same port sooner than a TCP asks again: parts of one attempt."""
    flows = facts.tracks.flows
    later = np.flatnonzero(flows[:, PREVIOUS])
    before = flows[later, PREVIOUS] - 1
    mask = np.zeros(len(facts), bool)
    mask[before[flows[later, FIRST_TIME] - flows[before, FIRST_TIME] < FIRST_TIMEOUT_NS]] = True
    return np.asarray(mask & (facts.handshake == Handshake.NO_ANSWER))


def find_scans(facts: Facts) -> list[Column]:
    """Of each host that asked for many ports of a host, or one port of many hosts, mostly in vain: those not made.

    An array of streams, in order, per host.
    """
    unmade = are_among(facts.handshake, (int(Handshake.REFUSED), int(Handshake.NO_ANSWER)))
    if unmade.sum() < MANY_DOORS:
        return []
    suspects, counts = _counted(facts.client[unmade])
    found = []
    for client in suspects[counts >= MANY_DOORS].tolist():
        own = np.flatnonzero(facts.client == client)
        turned_away = own[unmade[own]]
        doors = len(distinct(facts.service[turned_away]))
        if doors >= MANY_DOORS and len(turned_away) >= (1 - LET_IN) * len(own):
            found.append(turned_away)
    return found


def _counted(values: Column) -> tuple[Column, Column]:
    """Each value once, and how often it was there."""
    ordered = np.sort(values)
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return ordered[first], np.diff(np.append(first, len(ordered)))


def told_apart(found: list[Attempts]) -> tuple[list[Attempts], Attempts | None]:
    """Those to tell one by one, and, where there are many that are hardly worth it, these together."""
    slight = [attempts for attempts in found if attempts.severity == "info"]
    if len(slight) <= SLIGHT_ALONE:
        return found, None
    streams = np.sort(np.concatenate([attempts.streams for attempts in slight]))
    others = [attempts for attempts in found if attempts.severity != "info"]
    return others, Attempts(streams, sum(attempts.of for attempts in slight))


def clients_of(facts: Facts, streams: Column) -> int:
    """How many hosts these connections come from."""
    return len(distinct(facts.client[streams]))
