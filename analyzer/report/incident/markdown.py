"""The incident report as Markdown, for a ticket: the same words without charts, the table cut short."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TextIO

from analyzer.report.connections import lasted_text
from analyzer.report.incident.nouns import Page, Row, Told
from analyzer.report.incident.page import places_line, verdicts_line
from analyzer.report.layout import printable

MOST_ROWS = 100
# What Markdown, and the HTML that it may hold, takes for more than text.
SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$])")


def write_markdown(page: Page, out: TextIO) -> None:
    """Write it."""
    out.writelines(f"{line}\n" for line in _lines(page))


def escaped(text: str) -> str:
    """Text that stays text."""
    return SPECIAL.sub(r"\\\1", printable(text))


def _lines(page: Page) -> Iterator[str]:
    yield f"# {escaped(page.title)}"
    yield ""
    files = f"{escaped(page.files)}: " if page.about.title else ""
    yield f"{files}{escaped(page.span)}. {escaped(verdicts_line(page.about))}."
    yield ""
    yield "## Summary"
    yield ""
    yield escaped(page.impact)
    if page.first:
        yield ""
        yield f"**Do first:** {escaped(page.first)}"
    if page.events:
        yield ""
        yield f"Key events ({', '.join(filter(None, (page.date, page.zone)))}):"
        yield ""
        yield from (f"- {one.when.shown} {escaped(one.ends)}: {escaped(one.text)}" for one in page.events)
    yield from _causes("Causes", page.causes)
    if page.minor:
        yield from _causes("Minor findings", page.minor)
    if page.advice:
        yield ""
        yield "## What other keepalive settings would have done"
        yield ""
        yield from (f"    {printable(line)}".rstrip() for line in page.advice.splitlines())
    yield from _happenings(page)
    yield from _connections(page)
    yield ""
    yield "## Captures"
    for facts in page.captures:
        yield ""
        yield from (f"- {escaped(name)}: {escaped(value)}" for name, value in facts)
    yield ""
    yield f"Made by tcp-keepalive-analyzer {page.about.version}: {_code(page.about.command)}"


def _happenings(page: Page) -> Iterator[str]:
    yield ""
    yield "## What happened when"
    yield ""
    if not page.happenings:
        yield "No connection has a visible problem."
        return
    times = [", ".join(filter(None, (page.date, page.zone))), *(["UTC"] if page.both_zones else [])]
    rows = ((*one.when[: len(times)], one.text, one.ends, _streams(one.streams), one.frame) for one in page.happenings)
    yield from _table((*times, "what", "connection", "#", "frame"), rows)
    if page.left_out:
        yield f"\n... and {page.left_out} more"


def _causes(heading: str, causes: Sequence[Told]) -> Iterator[str]:
    yield ""
    yield f"## {heading}"
    if not causes:
        yield ""
        yield "No finding."
    for one in causes:
        yield ""
        yield f"### {one.severity}: {escaped(one.sentence)}"
        yield ""
        yield f"{escaped(one.rule)}{f' ({escaped(one.aside)})' if one.aside else ''}"
        yield ""
        yield f"- Fix: {escaped(' '.join((one.fix, *one.more)))}"
        if len(one.places) > 1:
            yield f"- Where: {escaped(places_line(one))}"
        if one.streams:
            yield f"- Connections: {_streams(one.streams, 40)}"
        if one.filter:
            first = f" (the first {one.filtered} connections)" if one.filtered < len(one.streams) else ""
            yield f"- Wireshark{first}: {_code(one.filter)}"
        for found, frames in one.findings:
            yield f"- Seen: {escaped(found.evidence.observed)}; expected: {escaped(found.evidence.expected)}"
            yield from (f"- Also: {escaped(note)}" for note in found.notes)
            if frames:
                yield f"- Frames: {_code(found.evidence.display_filter)}"
        yield from (f"- Source: {escaped(found.evidence.source)}" for found, _ in one.findings[:1])


def _connections(page: Page) -> Iterator[str]:
    yield ""
    yield "## Connections"
    yield ""
    headings = ("#", "client", "server", "verdict", "lasted", "packets", "probes", "end")
    yield from _table(headings, map(_cells, islice(page.rows, MOST_ROWS)))
    left = sum(page.about.counts.values()) - MOST_ROWS
    if left > 0:
        yield f"\n... and {left} more"


def _cells(row: Row) -> tuple[str, ...]:
    lasted = lasted_text(row.lasted * 1000, row.open)
    return (str(row.stream), row.client, row.server, row.verdict, lasted, str(row.packets), row.probes, row.ending)


def _table(headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(map(escaped, headings))} |"
    yield "|" + "---|" * len(headings)
    for row in rows:
        yield f"| {' | '.join(map(escaped, row))} |"


def _streams(streams: Sequence[int], most: int = 6) -> str:
    return ", ".join(map(str, streams[:most])) + (" ..." if streams[most:] else "")


def _code(text: str) -> str:
    """Text between as many backticks as none of its own runs has (CommonMark 6.1)."""
    shown = printable(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"
