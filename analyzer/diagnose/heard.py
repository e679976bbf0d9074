"""Whether a peer that did not answer was heard all the same, on the same connection."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Episode, Flow, Keepalive, Probe
from analyzer.tables.fields import LAST_TIME


class Heard(NamedTuple):
    """When a peer was heard after a probe that it did not answer: before that was given up, and after."""

    meanwhile: bool
    later: bool


def unanswered_at_the_end(episode: Episode) -> list[Probe]:
    """The last probes of an idle gap, after the last that was answered."""
    answered = [number for number, probe in enumerate(episode.probes) if probe.answer_frame is not None]
    return list(episode.probes[answered[-1] + 1 if answered else 0 :])


def answered_in_vain(entry: Keepalive, *, gave_up: bool) -> list[Probe]:
    """The probes of the last idle gap that were answered, and after which the prober asked on, or gave up.

    It did not hear these answers: they were lost behind the point of capture.
    """
    probes = entry.episodes[-1].probes
    return [probe for probe in (probes if gave_up else probes[:-1]) if probe.answer_frame is not None]


def heard_of_peer(facts: Facts, flow: Flow, entry: Keepalive) -> Heard:
    """What the peer of this prober sent since the first of its last unanswered probes."""
    probes = unanswered_at_the_end(entry.episodes[-1]) or entry.episodes[-1].probes[-1:]
    since = probes[0].time
    peer = 1 - SIDES.index(entry.sender)
    last = facts.tracks.endpoint(LAST_TIME, flow.stream, peer)
    ended = flow.ending.time if flow.ending.by == entry.sender else None
    if ended is None:
        return Heard(meanwhile=last > since, later=False)
    return Heard(meanwhile=since < last <= ended or _probed(flow, SIDES[peer], since, ended), later=last > ended)


def _probed(flow: Flow, sender: str, since: int, until: int) -> bool:
    """Whether this side probed between two moments."""
    for entry in flow.keepalive:
        for place in range(len(entry.episodes) - 1, -1, -1) if entry.sender == sender else ():
            episode = entry.episodes[place]
            if any(since < probe.time < until for probe in episode.probes):
                return True
            if episode.probes[-1].time < since:
                break
    return False
