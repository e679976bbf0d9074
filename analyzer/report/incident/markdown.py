"""The incident report as Markdown, for a ticket: the same words without charts, the table cut short."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TextIO

from analyzer.report.incident.page import Page
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
    yield f"# Incident report: {escaped(page.title)}"
    yield ""
    yield escaped(page.span)
    yield ""
    yield "## Summary"
    yield ""
    yield from (f"- **{severity}**: {escaped(sentence)}" for severity, sentence in page.summary)
    yield from _happenings(page)
    yield from _findings(page)
    yield ""
    yield "## Connections"
    yield ""
    yield from _table(
        ("#", "client", "server", "verdict", "lasted", "packets", "probes", "end"),
        (
            (str(r.stream), r.client, r.server, r.verdict, f"{r.lasted_s} s", str(r.packets), r.probes, r.ending)
            for r in islice(page.rows, MOST_ROWS)
        ),
    )
    left = sum(page.about.counts.values()) - MOST_ROWS
    if left > 0:
        yield f"\n... and {left} more"
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
        yield "No connection is in trouble as far as the capture shows."
        return
    rows = ((h.when.utc, h.when.local, _streams(h.streams), h.ends, h.text, h.frame) for h in page.happenings)
    yield from _table(("UTC", f"local ({page.zone})", "#", "connection", "what", "frame"), rows)
    if page.left_out:
        yield f"\n... and {page.left_out} more"


def _findings(page: Page) -> Iterator[str]:
    yield ""
    yield "## Findings"
    for group in page.groups:
        one = group.finding
        yield ""
        yield f"### {one.severity}: {one.rule} ({one.confidence})"
        yield ""
        yield f"{escaped(one.summary)}."
        yield ""
        yield f"- Seen: {escaped(one.evidence.observed)}"
        yield f"- Expected: {escaped(one.evidence.expected)}"
        yield f"- Mend: {escaped(one.remedy)}"
        yield from (f"- Also: {escaped(note)}" for note in one.notes)
        if group.streams:
            yield f"- Connections: {_streams(group.streams, 40)}"
        yield f"- Wireshark: {_code(one.evidence.display_filter)}"
        yield f"- Source: {escaped(one.evidence.source)}"


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
