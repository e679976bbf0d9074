"""The decisive moments of a connection, in words: when it was last well, when it was not, when that was noticed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from analyzer.model.flows import SIDES, Episode, Flow, Keepalive
from analyzer.model.words import Handshake, How, Outcome
from analyzer.report.phrases import REASONS
from analyzer.tcp import SECOND


class Moment(NamedTuple):
    """What happened, in nanoseconds, in which frame; `urgent` where it is what went wrong."""

    time: int
    flow: Flow
    text: str
    frame: int | None = None
    urgent: bool = False


ENDS = {
    Outcome.RECOVERED: "heard again",
    Outcome.RESET: "answered with RST",
    Outcome.CLOSED: "closed, the probes unanswered",
    Outcome.OPEN: "still unanswered at the end of the capture",
}


def together(flows: Iterable[Flow]) -> list[list[Moment]]:
    """The moments of all of these, in order of time; what befell several of one service within a second as one."""
    groups: dict[tuple[object, ...], list[list[Moment]]] = {}
    for moment in sorted((moment for flow in flows for moment in moments_of(flow)), key=lambda one: one.time):
        alike = groups.setdefault((moment.text, moment.flow.server), [])
        if alike and moment.time - alike[-1][0].time < SECOND:
            alike[-1].append(moment)
        else:
            alike.append([moment])
    return sorted((some for alike in groups.values() for some in alike), key=lambda some: some[0].time)


def moments_of(flow: Flow) -> Iterator[Moment]:
    """All of them, not in order of time."""
    began = "opened" if flow.handshake in (Handshake.COMPLETE, Handshake.SIMULTANEOUS) else "first seen"
    if flow.handshake in (Handshake.NO_ANSWER, Handshake.REFUSED):
        began = "first SYN"
    yield Moment(flow.start, flow, began)
    for entry in flow.keepalive:
        if entry.episodes.steady() is None:
            for episode in entry.episodes:
                yield from _trouble(flow, entry, episode)
    ending = flow.ending
    if ending.time is None:
        return
    who = f" by the {ending.by}" if ending.by else ""
    if ending.how is How.RST:
        yield Moment(ending.time, flow, f"reset{who}{REASONS[ending.why].clause}", ending.frame, urgent=True)
    elif ending.how is How.FIN:
        yield Moment(ending.time, flow, "closed by both ends")
    elif ending.how in (How.TIMEOUT, How.REFUSED):
        text = "refused" if ending.how is How.REFUSED else f"given up{who}: what it sent was never acknowledged"
        yield Moment(ending.time, flow, text, ending.frame, urgent=True)


def _trouble(flow: Flow, entry: Keepalive, episode: Episode) -> Iterator[Moment]:
    """An idle gap whose probes were not answered: its beginning, the first such probe, its end."""
    unanswered = [probe for probe in episode.probes if probe.answer_frame is None]
    if episode.outcome is Outcome.ANSWERED or not unanswered:
        return
    peer = SIDES[1 - SIDES.index(entry.sender)]
    first = unanswered[0]
    yield Moment(episode.start, flow, f"the {peer} last heard by the {entry.sender}")
    yield Moment(first.time, flow, f"first probe of the {entry.sender} without an answer", first.frame, urgent=True)
    if episode.outcome is Outcome.TIMED_OUT:  # the RST that shows it is told as the connection's ending
        return
    probes = f"{len(unanswered)} probe{'s' * (len(unanswered) > 1)} of the {entry.sender}"
    yield Moment(
        episode.end, flow, f"{probes}: {ENDS[episode.outcome]}", urgent=episode.outcome is not Outcome.RECOVERED
    )
