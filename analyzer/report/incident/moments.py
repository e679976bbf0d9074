"""The key moments of a connection, in words: when it was last well, when it was not, when that was noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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


class Known(NamedTuple):
    """What a Flow does not say: its first frame, and the time and frame of each end's FIN, client first."""

    opened: int | None = None
    fins: tuple[tuple[int, int] | None, tuple[int, int] | None] = (None, None)


ENDS = {
    Outcome.RECOVERED: "got no reply, then the peer replied again",
    Outcome.RESET: "got no reply, then an RST",
    Outcome.CLOSED: "got no reply before the connection closed",
    Outcome.OPEN: "got no reply before the capture ended",
}


def together(flows: Iterable[Flow], known: Callable[[int], Known] = lambda _: Known()) -> list[list[Moment]]:
    """The moments of all of these, in order of time; those that several connections to one server share are one."""
    groups: dict[tuple[object, ...], list[list[Moment]]] = {}
    every = (moment for flow in flows for moment in moments_of(flow, known(flow.stream)))
    for moment in sorted(every, key=lambda one: one.time):
        alike = groups.setdefault((moment.text, moment.flow.server), [])
        if alike and moment.time - alike[-1][0].time < SECOND:
            alike[-1].append(moment)
        else:
            alike.append([moment])
    return sorted((some for alike in groups.values() for some in alike), key=lambda some: some[0].time)


def moments_of(flow: Flow, known: Known) -> Iterator[Moment]:
    """All of them, not in order of time."""
    began = "opened" if flow.handshake in (Handshake.COMPLETE, Handshake.SIMULTANEOUS) else "first packet captured"
    if flow.handshake in (Handshake.NO_ANSWER, Handshake.REFUSED):
        began = "first SYN"
    yield Moment(flow.start, flow, began, known.opened)
    for entry in flow.keepalive:
        if entry.episodes.steady() is None:
            for episode in entry.episodes:
                yield from _trouble(flow, entry, episode)
    yield from _end(flow, known)


def _end(flow: Flow, known: Known) -> Iterator[Moment]:
    ending = flow.ending
    who = f" by the {ending.by}" if ending.by else ""
    if ending.how is How.HALF_CLOSED and ending.by in SIDES:
        closed = known.fins[SIDES.index(ending.by)]
        if closed is not None:
            other = SIDES[1 - SIDES.index(ending.by)]
            text = f"closed{who}; the {other} does not close before the capture ends"
            yield Moment(closed[0], flow, text, closed[1], urgent=True)
    if ending.time is None:
        return
    if ending.how is How.RST:
        yield Moment(ending.time, flow, f"reset{who}{REASONS[ending.why].clause}", ending.frame, urgent=True)
    elif ending.how is How.FIN:
        frames = [frame for time, frame in filter(None, known.fins) if time == ending.time]
        yield Moment(ending.time, flow, "closed by both ends", frames[0] if frames else None)
    elif ending.how in (How.TIMEOUT, How.REFUSED):
        text = "refused" if ending.how is How.REFUSED else f"given up{who}: its data was never acknowledged"
        yield Moment(ending.time, flow, text, ending.frame, urgent=True)


def _trouble(flow: Flow, entry: Keepalive, episode: Episode) -> Iterator[Moment]:
    """An idle period with probes that got no reply: its beginning, the first such probe, its end."""
    unanswered = [probe for probe in episode.probes if probe.answer_frame is None]
    if episode.outcome is Outcome.ANSWERED or not unanswered:
        return
    peer = SIDES[1 - SIDES.index(entry.sender)]
    first = unanswered[0]
    yield Moment(episode.start, flow, f"last packet from the {peer}")
    yield Moment(first.time, flow, f"first keepalive probe of the {entry.sender} without a reply", first.frame, True)
    if episode.outcome is Outcome.TIMED_OUT:  # the RST that shows it is told as the connection's ending
        return
    probes = f"{len(unanswered)} keepalive probe{'s' * (len(unanswered) > 1)} of the {entry.sender}"
    urgent = episode.outcome is not Outcome.RECOVERED
    yield Moment(episode.end, flow, f"{probes} {ENDS[episode.outcome]}", urgent=urgent)
