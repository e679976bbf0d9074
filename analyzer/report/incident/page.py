"""The incident report put together: what each of its parts says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from analyzer.model.captures import CaptureFacts, span_of
from analyzer.model.findings import URGENT, Finding
from analyzer.model.flows import Flow, HostSettings
from analyzer.model.quantities import duration
from analyzer.report.causes import causes
from analyzer.report.connections import profile_names
from analyzer.report.incident.moments import Moment
from analyzer.report.incident.nouns import About, Detail, Happening, Page, Picture, Rung, Told, When
from analyzer.report.incident.rows import row_of
from analyzer.report.incident.story import impact, that_matter, told
from analyzer.report.phrases import setting_values, settings_text
from analyzer.report.times import clock, zone
from analyzer.tcp import SECOND

MOST_MOMENTS = 200
MOST_CAUSES = 6  # in the first part


def compose(
    about: About,
    captures: Sequence[CaptureFacts],
    flows: Iterable[Flow],
    own: Sequence[Flow],
    moments: Sequence[Sequence[Moment]],
    findings: Sequence[Finding],
    hosts: Iterable[HostSettings],
    advice: str,
    story: Picture | None,
    pictures: Sequence[Picture],
    rungs: Mapping[int, Sequence[Rung]],
    pictures_of: Mapping[int, Sequence[Picture]],
) -> Page:
    """Put it together; `flows` are those of the table, `own` those with a part of their own."""
    first, last = span_of(captures)
    total = sum(about.counts.values())
    found = causes(findings)
    every = [
        told(one, total, first, about.utc, about.filters, lambda finding: _frames(about, finding)) for one in found
    ]
    urgent = [one for one in every if one.severity in URGENT]
    date = clock(first, about.utc, "%F") if clock(first, about.utc, "%F") == clock(last, about.utc, "%F") else ""
    files = ", ".join(one.path for one in captures[:3]) + (f" and {len(captures) - 3} more" if captures[3:] else "")
    matter = that_matter(moments, lambda one: about.severities[one.flow.verdict])
    return Page(
        about=about,
        title=about.title or f"Incident report: {files}",
        files=files,
        span=_span(first, last, about.utc) if last else "no packets",
        zone=zone(first, about.utc) if last else "UTC",
        date=date,
        impact=impact(found, total, about.unexplained, first, about.utc),
        first=urgent[0].fix if urgent else "",
        events=[_happening(some, about, date) for some in matter],
        causes=urgent[:MOST_CAUSES],
        minor=[*urgent[MOST_CAUSES:], *(one for one in every if one.severity not in URGENT)],
        advice=advice,
        story=story,
        happenings=[_happening(some, about, date) for some in moments[:MOST_MOMENTS]],
        left_out=max(len(moments) - MOST_MOMENTS, 0),
        pictures=pictures,
        hosts=[_host(host) for host in hosts],
        rows=(row_of(flow, about) for flow in flows),
        details=[_detail(flow, about, findings, rungs, pictures_of) for flow in own],
        captures=[list(_capture(one, about.utc)) for one in captures],
    )


def verdicts_line(about: About) -> str:
    """How many connections have each verdict."""
    total = sum(about.counts.values())
    words = ", ".join(f"{count} {word}" for word, count in about.counts.items() if count)
    return f"{total} connection{'s' * (total != 1)}" + (f": {words}" if words else "")


def places_line(cause: Told, most: int = 20) -> str:
    """Where a cause was found, with how many connections."""
    shown = ", ".join(f"{whom} ({count})" if count else whom for whom, count in cause.places[:most])
    return shown + (f" and {len(cause.places) - most} more" if len(cause.places) > most else "")


def _span(first: int, last: int, utc: bool) -> str:
    return f"{clock(first, utc)} {zone(first, utc)}, {duration(last - first)}"


def _frames(about: About, finding: Finding) -> str:
    return ", ".join(map(about.frame_text, finding.evidence.frames))


def _capture(facts: CaptureFacts, utc: bool) -> Iterable[tuple[str, str]]:
    yield "file", facts.path
    yield "format", ", ".join([facts.format or "not read", *facts.link_types])
    yield "packets", f"{facts.packets}, of which {facts.tcp_packets} TCP"
    if facts.first_time is not None and facts.last_time is not None:
        yield "from", f"{clock(facts.first_time, utc)} {zone(facts.first_time, utc)}"
        until = f"{clock(facts.last_time, utc)} {zone(facts.last_time, utc)}"
        yield "to", f"{until} ({duration(facts.last_time - facts.first_time)})"
    for reason, count in facts.skipped.items():
        yield "skipped", f"{count}: {reason.replace('_', ' ')}"
    if facts.duplicates:
        yield "duplicates", f"{facts.duplicates} packets, each counted once"
    for step in facts.clock_steps:
        yield "clock", f"goes back by {-step.step / SECOND:.6f} s at frame {step.frame}"
    for problem in facts.problems:
        yield "damage", (f"at byte {problem.offset}: " if facts.format else "") + problem.reason


def _host(host: HostSettings) -> tuple[str, str, str, str]:
    where = f"{'to' if host.sender == 'client' else 'at'} port {host.port}"
    return (
        host.address,
        where,
        settings_text(setting_values(host)),
        f"{len(host.streams)} connections" + (f", as {profile_names(host.profiles)}" if host.profiles else ""),
    )


def _when(first: int, last: int, utc: bool, date: str) -> When:
    """The time of day, or from when to when, with the date where `date`, which is said once, is not that of all."""
    form = "%H:%M:%S" if date else "%F %H:%M:%S"
    if last - first >= SECOND:
        shown, other = (f"{clock(first, zone, form)} to {clock(last, zone, form)}" for zone in (utc, True))
    else:
        shown, other = (f"{clock(first, zone, form)}.{first % SECOND // 1_000_000:03}" for zone in (utc, True))
    return When(shown, other)


def _happening(some: Sequence[Moment], about: About, date: str) -> Happening:
    first = some[0]
    flow, frame = first.flow, first.frame
    servers = {one.flow.server for one in some}
    ends = f"{flow.client} > {flow.server}"
    streams = list(dict.fromkeys(one.flow.stream for one in some))
    text = first.text
    if len(streams) > 1:
        ends = f"{len(streams)} connections to {flow.server if len(servers) == 1 else f'{len(servers)} servers'}"
    elif len(some) > 1:
        text += f" ({len(some)} times)"
    return Happening(
        when=_when(first.time, some[-1].time, about.utc, date),
        streams=streams,
        ends=ends,
        text=text,
        frame="" if frame is None else about.frame_text(frame),
        urgent=first.urgent,
    )


def _detail(
    flow: Flow,
    about: About,
    findings: Sequence[Finding],
    rungs: Mapping[int, Sequence[Rung]],
    pictures: Mapping[int, Sequence[Picture]],
) -> Detail:
    own = [one for one in findings if flow.stream in one.concerned]
    stream = flow.stream
    return Detail(
        row_of(flow, about), about.severities[flow.verdict], own, rungs.get(stream, ()), pictures.get(stream, ())
    )
