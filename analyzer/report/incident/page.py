"""What an incident report says, as plain data: words and numbers, nothing of how they are written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from analyzer.model.captures import CaptureFacts
from analyzer.model.durations import duration
from analyzer.model.findings import URGENT, Finding
from analyzer.model.flows import SETTINGS, Estimate, Flow, HostSettings, Keepalive
from analyzer.report.connections import ending_text, probes_text, profile_names
from analyzer.report.incident.moments import Moment, together
from analyzer.report.phrases import setting_values, settings_text
from analyzer.report.text import of_one_cause
from analyzer.report.times import clock, zone
from analyzer.tcp import SECOND

MOST_MOMENTS = 200


class Picture(NamedTuple):
    """A chart: what it is called, what it shows in words, and it itself as SVG."""

    title: str
    says: str
    svg: str


class About(NamedTuple):
    """What an analysis is asked for that its columns do not say; `meanings` are those of verdicts."""

    severities: Mapping[str, str]
    meanings: Mapping[str, str]
    counts: Mapping[str, int]
    frame_text: Callable[[int], str]
    command: str
    version: str


class When(NamedTuple):
    """A time of day in both zones, and what orders it."""

    utc: str
    local: str


class Row(NamedTuple):
    """One connection of the table."""

    stream: int
    client: str
    server: str
    verdict: str
    start: int  # milliseconds since 1970, which scripts reckon in
    lasted_s: float
    packets: int
    octets: int
    probes: str
    ending: str
    details: Sequence[tuple[str, str]]


class Group(NamedTuple):
    """Findings of one cause: the first of them, and the connections of all."""

    finding: Finding
    streams: Sequence[int]
    frames: str


class Happening(NamedTuple):
    """A line of what happened when, to one connection, or to several of one service within a second."""

    when: When
    streams: Sequence[int]
    ends: str
    text: str
    frame: str
    urgent: bool


class Detail(NamedTuple):
    """A connection that has a part of its own."""

    row: Row
    severity: str
    meaning: str
    findings: Sequence[Finding]
    pictures: Sequence[Picture]


class Page(NamedTuple):
    """All of it."""

    about: About
    title: str
    span: str
    zone: str
    summary: Sequence[tuple[str, str]]  # severity, sentence
    captures: Sequence[Sequence[tuple[str, str]]]
    happenings: Sequence[Happening]
    left_out: int  # of those
    groups: Sequence[Group]
    hosts: Sequence[tuple[str, str, str, str]]
    pictures: Sequence[Picture]
    rows: Iterable[Row]
    details: Sequence[Detail]


def compose(
    about: About,
    captures: Sequence[CaptureFacts],
    flows: Iterable[Flow],
    worst: Sequence[Flow],
    troubled: Iterable[Flow],
    findings: Sequence[Finding],
    hosts: Iterable[HostSettings],
    pictures: Sequence[Picture],
    pictures_of: Mapping[int, Sequence[Picture]],
) -> Page:
    """Put it together; `flows` are those of the table, `worst` those with a part of their own.

    `troubled` are those whose decisive moments are told.
    """
    first = min((one.first_time for one in captures if one.first_time is not None), default=0)
    last = max((one.last_time for one in captures if one.last_time is not None), default=0)
    groups = [_group(found, about) for found in of_one_cause(findings)]
    happenings = [_happening(some, about) for some in together(troubled)]
    return Page(
        about=about,
        title=", ".join(one.path for one in captures[:3]) + (f" and {len(captures) - 3} more" if captures[3:] else ""),
        span=f"{_when(first).utc} UTC, {duration(last - first)}" if last else "no packets",
        zone=zone(first, utc=False) if last else "",
        summary=list(_summary(about, groups)),
        captures=[list(_capture(one)) for one in captures],
        happenings=happenings[:MOST_MOMENTS],
        left_out=max(len(happenings) - MOST_MOMENTS, 0),
        groups=groups,
        hosts=[_host(host) for host in hosts],
        pictures=pictures,
        rows=(row_of(flow) for flow in flows),
        details=[_detail(flow, about, findings, pictures_of.get(flow.stream, ())) for flow in worst],
    )


def row_of(flow: Flow) -> Row:
    """A connection's line of the table, and what more is known of it."""
    return Row(
        stream=flow.stream,
        client=str(flow.client),
        server=str(flow.server),
        verdict=flow.verdict,
        start=flow.start // 1_000_000,
        lasted_s=round((flow.end - flow.start) / SECOND, 3),
        packets=sum(flow.packets),
        octets=sum(flow.bytes),
        probes=probes_text(flow),
        ending=ending_text(flow),
        details=list(_details(flow)),
    )


def _summary(about: About, groups: Sequence[Group]) -> Iterable[tuple[str, str]]:
    total = sum(about.counts.values())
    if not total:
        yield "info", "There is no TCP connection in what was read."
        return
    for word, count in about.counts.items():
        if count and about.severities[word] in URGENT:
            yield about.severities[word], f"{_of(count, total)}: {word} - {about.meanings[word]}."
    well = sum(count for word, count in about.counts.items() if about.severities[word] not in URGENT)
    if well:
        words = ", ".join(
            f"{count} {word}" for word, count in about.counts.items() if count and about.severities[word] not in URGENT
        )
        yield "info", f"{_of(well, total)}: in no trouble that the capture shows ({words})."
    for group in groups:
        if group.finding.severity in URGENT:
            yield group.finding.severity, group.finding.summary + "."


def _of(count: int, total: int) -> str:
    return "The one connection" if total == 1 else f"{count} of {total} connections"


def _group(found: Sequence[Finding], about: About) -> Group:
    first = found[0]
    streams = [one.stream for one in found if one.stream is not None] or list(first.streams)
    return Group(first, streams, ", ".join(map(about.frame_text, first.evidence.frames)))


def _details(flow: Flow) -> Iterable[tuple[str, str]]:
    yield (
        "handshake",
        flow.handshake.name.lower().replace("_", " ")
        + (f", {duration(flow.handshake_rtt)} round trip" if flow.handshake_rtt is not None else ""),
    )
    yield "states", f"client {flow.state[0].name.replace('_', '-')}, server {flow.state[1].name.replace('_', '-')}"
    yield "sent", f"client {flow.bytes[0]} octets, server {flow.bytes[1]} octets"
    for entry in flow.keepalive:
        yield f"keepalive of the {entry.sender}", _keepalive(entry)
    for beats in flow.heartbeats:
        yield (
            f"heartbeats of the {beats.sender}",
            f"{beats.protocol}, every {beats.period_s:.4g} s; {beats.sent} sent, {beats.answered} answered",
        )
    if flow.tunnel:
        yield "tunnel", flow.tunnel


def _keepalive(entry: Keepalive) -> str:
    probes = "probe" if entry.probes == 1 else "probes"
    reset = f", {entry.reset} with RST" if entry.reset else ""
    counts = f"{entry.probes} {probes}, {entry.answered} answered{reset}, {entry.unanswered} not"
    settings = "; ".join(f"{name} {_estimate(getattr(entry, name))}" for name in SETTINGS)
    known = f"; as {profile_names(entry.profiles)}" if entry.profiles else ""
    return f"{counts}; {settings}{known} ({entry.confidence})"


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not shown"
    value = "unknown" if estimate.value is None else f"{estimate.value:g}"
    low = "" if estimate.low is None else f"{estimate.low:g}"
    high = "" if estimate.high is None else f"{estimate.high:g}"
    return f"{value} [{low}..{high}]"


def _capture(facts: CaptureFacts) -> Iterable[tuple[str, str]]:
    yield "file", facts.path
    yield "format", ", ".join([facts.format or "not read", *facts.link_types])
    yield "packets", f"{facts.packets}, of which {facts.tcp_packets} TCP"
    if facts.first_time is not None and facts.last_time is not None:
        yield "from", f"{_when(facts.first_time).utc} UTC"
        yield "to", f"{_when(facts.last_time).utc} UTC ({duration(facts.last_time - facts.first_time)})"
    for reason, count in facts.skipped.items():
        yield "skipped", f"{count}: {reason.replace('_', ' ')}"
    if facts.duplicates:
        yield "captured twice", f"{facts.duplicates} packets, each counted once"
    for step in facts.clock_steps:
        yield "clock", f"goes back by {-step.step / SECOND:.6f} s at frame {step.frame}"
    for problem in facts.problems:
        yield "damage", f"at byte {problem.offset}: {problem.reason}"


def _host(host: HostSettings) -> tuple[str, str, str, str]:
    where = f"{'to' if host.sender == 'client' else 'at'} port {host.port}"
    return (
        host.address,
        where,
        settings_text(setting_values(host)),
        f"{len(host.streams)} connections" + (f", as {profile_names(host.profiles)}" if host.profiles else ""),
    )


def _when(time: int) -> When:
    utc, local = (
        clock(time, zone, "%Y-%m-%d %H:%M:%S") + f".{time % SECOND // 1_000_000:03}" for zone in (True, False)
    )
    return When(utc, local.removeprefix(utc[:11]))  # the date again only where it is another


def _happening(some: Sequence[Moment], about: About) -> Happening:
    first = some[0]
    flow, frame = first.flow, first.frame
    ends = f"{flow.client} > {flow.server}" if len(some) == 1 else f"{len(some)} connections to {flow.server}"
    return Happening(
        when=_when(first.time),
        streams=[one.flow.stream for one in some],
        ends=ends,
        text=first.text,
        frame="" if frame is None else about.frame_text(frame),
        urgent=first.urgent,
    )


def _detail(flow: Flow, about: About, findings: Sequence[Finding], pictures: Sequence[Picture]) -> Detail:
    own = [one for one in findings if one.stream == flow.stream or flow.stream in one.streams]
    return Detail(row_of(flow), about.severities[flow.verdict], about.meanings[flow.verdict], own, pictures)
