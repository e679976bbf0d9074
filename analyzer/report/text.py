"""The result for a reader: what happened, the causes with their fixes, the connections; one screen, or all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TextIO

import numpy as np

from analyzer.model.captures import CaptureFacts, span_of
from analyzer.model.findings import URGENT, Finding
from analyzer.model.flows import HostSettings
from analyzer.report.analysed import Analysed
from analyzer.report.causes import Cause, causes, summary, unexplained
from analyzer.report.connections import Rest, Row, folded, host_line, settings_of, table_lines
from analyzer.report.layout import COLOURS, SCREEN, UNBROKEN, Layout, paragraph, printable
from analyzer.report.read_from import capture_lines
from analyzer.tables.arrays import Column
from analyzer.tables.frames import file_of

STREAMS_NAMED = 30  # of a cause that is told in full
HOSTS_LISTED = 10
READ_FROM_LINES = 6  # about the captures, before the rest is left to --limit 0
HEADING, SEEN, FIX = "heading", "seen", "fix"
FINDINGS_LINES = 4  # at the least, whatever the table needs


def write_text(
    analysis: Analysed,
    streams: Sequence[int],
    findings: Sequence[Finding],
    hosts: Sequence[HostSettings],
    layout: Layout,
    out: TextIO,
) -> None:
    """Write what these connections and findings say, in at most `layout.lines` lines."""
    chosen = np.asarray(streams, np.int64)
    counts = analysis.verdict_counts(chosen)
    found = causes(findings)
    lines = list(_head(analysis, found, counts, unexplained(analysis, chosen, findings), layout))
    least = len(counts) + 3  # one row of each verdict
    room = None if layout.lines is None else layout.lines - len(lines) - 1
    if layout.full:
        for cause in found:
            lines += ["", *_in_full(cause, analysis.captures, layout)]
    elif found:
        lines += ["", *_in_short(found, layout, None if room is None else max(room - least, FINDINGS_LINES))]
    if len(chosen):
        room = len(chosen) if layout.lines is None else layout.lines - len(lines) - 2
        rows = _rows(analysis, chosen, layout, room)
        lines += ["", *table_lines(analysis, rows, layout)]
    if layout.full:
        lines += _socket_lines(analysis, chosen, layout)
    known = (host for host in islice(hosts, HOSTS_LISTED) if len(host.streams) > 1 and settings_of(host))
    pooled = [line for host in known for line in paragraph(host_line(host), _wide(layout), "  ", "    ")]
    if pooled and (layout.lines is None or len(lines) + len(pooled) + 2 <= layout.lines):
        lines += ["", "Keepalive settings by host (idle time/interval/count):", *pooled]
    out.writelines(f"{line}\n" for line in lines)


def _socket_lines(analysis: Analysed, streams: Column, layout: Layout) -> Iterator[str]:
    """The sockets of these connections, where hosts were asked."""
    held = analysis.facts.held
    known = [(stream, one) for stream in streams.tolist() for one in held.get(stream, ())]
    if not known:
        return
    from analyzer.report.held import held_words

    yield from ("", "Sockets:")
    for stream, one in known:
        text = f"stream {stream}, {one.side}: {printable(held_words(one))}"
        yield from paragraph(text, _wide(layout), "  ", "    ")


def _rows(analysis: Analysed, streams: Column, layout: Layout, room: int) -> list[Row | Rest]:
    """All of them where they have room, or where so many were asked for; else folded."""
    if layout.lines is None or len(streams) <= (room if layout.lines <= SCREEN else layout.lines):
        return [Row(stream, 0) for stream in analysis.worst_first(streams)]
    return list(folded(analysis, streams, room, layout.lines))


def _head(
    analysis: Analysed, found: Sequence[Cause], counts: dict[str, int], others: Sequence[str], layout: Layout
) -> Iterator[str]:
    """What happened, and of what that is said."""
    day, total = span_of(analysis.captures).first, sum(counts.values())
    sentences = summary(found, total, others, day, utc=layout.utc)
    if not counts and not found and len(analysis):
        sentences = ["No connection is selected."]
    for sentence in sentences:
        yield from paragraph(sentence, layout.prose, "", "  ")
    yield ""
    about = [
        line for one in capture_lines(analysis.captures, layout) for line in paragraph(one, _wide(layout), "", "  ")
    ]
    if layout.lines is not None and len(about) > READ_FROM_LINES:
        left = len(about) - READ_FROM_LINES + 1
        about[READ_FROM_LINES - 1 :] = [f"... and {left} more lines about the captures (--limit 0 shows them)"]
    yield from about
    if total:
        words = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        yield from paragraph(f"{total} connection{'s' * (total != 1)}: {words}", layout.prose, "", "  ")


def _wide(layout: Layout) -> int:
    """Where there is no terminal, a line is not broken."""
    return layout.width or UNBROKEN


def _in_short(found: Sequence[Cause], layout: Layout, room: int | None) -> Iterator[str]:
    """A heading for each cause; the fix, and then what was seen, for as many of the worst as there is room for."""
    if room is not None and len(found) > room:
        left = len(found) - room + 1
        yield from _in_short(found[: room - 1], layout, room - 1)
        yield f"... and {left} more finding{'s' * (left > 1)} (--limit 0 shows them)"
        return
    parts = [_short(cause, layout) for cause in found]
    if len(found) == 1 and found[0].severity in URGENT:
        parts[0][FIX] = []  # the summary has just said it
    shown = [{HEADING} for _ in parts]
    spare = None if room is None else room - sum(len(block[HEADING]) for block in parts)
    for part in (FIX, SEEN):
        for place, block in enumerate(parts):
            if spare is None or len(block[part]) <= spare:
                shown[place].add(part)
                spare = None if spare is None else spare - len(block[part])
    for block, wanted in zip(parts, shown, strict=True):
        for part in (HEADING, SEEN, FIX):
            yield from block[part] if part in wanted else ()


def _short(cause: Cause, layout: Layout) -> dict[str, list[str]]:
    """The parts of a cause in short."""
    one = cause.findings[0]
    seen = f"Seen: {one.evidence.observed}"
    if len(cause.findings) > 1:
        seen = (f"For example stream {one.stream}: " if one.stream is not None else "For example: ") + one.summary
    return {
        HEADING: _heading(cause.severity, f"{cause.rule}: {_about(cause)}, {cause.confidence}", layout),
        SEEN: paragraph(_sentence(seen), layout.prose, "  ", "    "),
        FIX: paragraph(f"Fix: {cause.fix}", layout.prose, "  ", "    "),
    }


def _heading(severity: str, text: str, layout: Layout) -> list[str]:
    """The severity, in its colour, and what it is about."""
    first, *rest = paragraph(f"{severity.upper()} {text}", layout.prose, "", "  ")
    return [layout.style(severity.upper(), COLOURS[severity]) + first.removeprefix(severity.upper()), *rest]


def _about(cause: Cause) -> str:
    """How many connections, or which."""
    count = len(cause.streams)
    if not count:
        return "the capture"
    if count == 1:
        return f"stream {cause.streams[0]}"
    places = {place.whom for place in cause.places}
    kind = "servers" if places == {one.service for one in cause.findings} else "hosts"
    return f"{count} connections" + (f", {len(places)} {kind}" if len(places) > 1 else "")


def _sentence(text: str) -> str:
    return text if text.endswith(".") else text + "."


def _in_full(cause: Cause, captures: Sequence[CaptureFacts], layout: Layout) -> Iterator[str]:
    """Each finding of the cause that says something of its own, with the evidence."""
    for group in _by_server(cause.findings):
        yield from _group_lines(group, captures, layout)


def _by_server(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings of a cause about connections of one server together, in the order of the first of each."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        alone = () if finding.stream is not None and finding.service else (len(groups),)
        key = (finding.confidence, finding.service, *alone)
        group = groups.setdefault(key, [])
        if any(one.stream == finding.stream for one in group):  # another thing about the same connection
            group = groups.setdefault((*key, len(groups)), [])
        group.append(finding)
    return list(groups.values())


def _group_lines(group: Sequence[Finding], captures: Sequence[CaptureFacts], layout: Layout) -> Iterator[str]:
    """A finding, and how many more of its kind there are."""
    finding = group[0]
    where = "the capture"
    if finding.stream is not None:
        where = f"stream {finding.stream}"
    elif finding.streams:
        where = f"{len(finding.streams)} streams"
    yield from _heading(finding.severity, f"{finding.rule} ({where}, {finding.confidence})", layout)
    body = [
        _sentence(finding.summary),
        f"Seen: {finding.evidence.observed}; expected: {finding.evidence.expected}.",
        f"Fix: {finding.remedy}",
        *([f"Process: {printable(finding.process)}"] if finding.process else []),
        *(f"Also: {_sentence(note)}" for note in finding.notes),
        f"Wireshark{_file_of(finding, captures)}: {finding.evidence.display_filter}",
    ]
    if len(group) > 1:
        streams = [str(one.stream) for one in group[1:]]
        named = ", ".join(streams[:STREAMS_NAMED]) + (", ..." if len(streams) > STREAMS_NAMED else "")
        body.append(f"{len(streams)} more like it to {finding.service}: stream{'s' * (len(streams) > 1)} {named}")
    for part in body:
        yield from paragraph(part, layout.prose, "  ", "    ")


def _file_of(finding: Finding, captures: Sequence[CaptureFacts]) -> str:
    """Which file a filter by frame numbers is for, where there are several: ` in client.pcap`."""
    if len(captures) == 1 or not finding.evidence.display_filter.startswith("frame.number"):
        return ""
    return f" in {printable(captures[file_of(finding.evidence.frames[0])].path)}"
