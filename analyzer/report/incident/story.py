"""What a report says first: the impact, the events that matter, the causes and what to do about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analyzer.model.findings import SEVERITIES, URGENT, Finding
from analyzer.report.causes import Cause, first_sentence
from analyzer.report.incident.moments import Moment
from analyzer.report.incident.nouns import Told

SENTENCES = 2  # causes that the paragraph of impact tells
EVENTS = 5
SERVERS = 2  # more have an event of one kind together
EXAMPLES = 3  # findings of a cause that are told
RANGES = 100  # of stream numbers in a filter


def impact(causes: Sequence[Cause], total: int, unexplained: Sequence[str], day: int, utc: bool) -> str:
    """How many connections were hit, by what, when, how sure, and how many were not."""
    urgent = [cause for cause in causes if cause.severity in URGENT]
    if not total and not urgent:
        return "The capture holds no TCP connection."
    if not urgent:
        return " ".join(unexplained) or f"No problem found in {_connections(total)}."
    told = " ".join([*(cause.told(total, day, utc) for cause in urgent[:SENTENCES]), *unexplained])
    hit = {stream for cause in urgent for stream in cause.streams}
    if total < 2 or not hit:
        return told
    worst = {stream for cause in urgent if cause.severity == URGENT[0] for stream in cause.streams}
    return f"{_hit(len(hit), len(worst), total)} {told}"


def _hit(hit: int, worst: int, total: int) -> str:
    """`30 of 200 connections have a serious problem, 45 a lesser one, 125 none.`"""
    lesser, well = hit - worst, total - hit
    counts = [(worst, "a serious problem"), (lesser, "a lesser or possible problem"), (well, "no visible problem")]
    parts = [(number, what) for number, what in counts if number]
    (number, what), *others = parts
    if not others:
        return f"All {number} connections have {what}."
    verb = "has" if number == 1 else "have"
    return f"{number} of {total} connections {verb} {what}, {', '.join(f'{count} {says}' for count, says in others)}."


def _connections(total: int) -> str:
    return f"{total} connection{'s' * (total != 1)}"


def told(cause: Cause, total: int, day: int, utc: bool, filters: bool, frames: Callable[[Finding], str]) -> Told:
    """A cause as the report has it."""
    different = {(one.service, one.evidence.observed): one for one in reversed(cause.findings)}
    own = [one for one in cause.findings if different[one.service, one.evidence.observed] is one]
    # The remedy that the fix is the first sentence of, then the others.
    remedies = dict.fromkeys(one.remedy for one in cause.findings)
    first, *others = sorted(remedies, key=lambda one: not cause.fix.startswith(first_sentence(one)[:-1]))
    rest = first.removeprefix(first_sentence(first)).strip()
    shown, filtered = stream_filter(cause.streams) if filters else ("", 0)
    return Told(
        severity=cause.severity,
        rule=cause.rule,
        sentence=cause.sentence(total),
        aside=cause.aside(day, utc),
        fix=cause.fix,
        more=[*([rest] if rest else []), *others[: EXAMPLES - 1]],
        places=[(place.whom, place.connections) for place in cause.places],
        findings=[(one, frames(one)) for one in own[:EXAMPLES]],
        left_out=len(cause.findings) - len(own[:EXAMPLES]),
        streams=cause.streams,
        filter=shown,
        filtered=filtered,
    )


def stream_filter(streams: Sequence[int]) -> tuple[str, int]:
    """A display filter for these connections, which are in order: `tcp.stream in {1, 4..6}`; and for how many it is."""
    if len(streams) < 2:
        return (f"tcp.stream == {streams[0]}" if streams else ""), len(streams)
    runs: list[list[int]] = []
    for stream in streams:
        if runs and stream == runs[-1][1] + 1:
            runs[-1][1] = stream
        else:
            runs.append([stream, stream])
    shown = runs[:RANGES]
    parts = (f"{first}..{last}" if first < last else str(first) for first, last in shown)
    return f"tcp.stream in {{{', '.join(parts)}}}", sum(last - first + 1 for first, last in shown)


def that_matter(moments: Sequence[Sequence[Moment]], severity_of: Callable[[Moment], str]) -> list[list[Moment]]:
    """The few that tell what happened: an event of several connections once, from the first of them to the last.

    That of a server or two is told of each, that of many servers once for all.
    """
    kinds: dict[str, dict[object, list[Moment]]] = {}
    for some in moments:
        kinds.setdefault(some[0].text, {}).setdefault(some[0].flow.server, []).extend(some)
    events: list[list[Moment]] = []
    for servers in kinds.values():
        each = list(servers.values())
        events += each if len(each) <= SERVERS else [[one for some in each for one in some]]
    ranked = sorted(events, key=lambda some: _rank(some, severity_of), reverse=True)
    chosen = [sorted(some, key=lambda one: one.time) for some in ranked[:EVENTS]]
    return sorted(chosen, key=lambda some: some[0].time)


def _rank(some: Sequence[Moment], severity_of: Callable[[Moment], str]) -> tuple[bool, bool, int, int]:
    """What went wrong first, and how it began last."""
    worst = max(SEVERITIES.index(severity_of(one)) for one in some)
    return some[0].urgent, some[0].time > some[0].flow.start, worst, len(some)
