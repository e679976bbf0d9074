"""The result of an analysis, in the form that was asked for."""

from __future__ import annotations

import os
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, TextIO

import typer

if TYPE_CHECKING:
    from analyzer.pipeline import Analysis
    from analyzer.select import Selection

LIMIT = 40
HOSTS_LISTED = 10


class Format(StrEnum):
    """How the result is written."""

    text = "text"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"


def write_result(
    analysis: Analysis, selection: Selection, form: Format, limit: int, utc: bool, color: bool, out: TextIO
) -> None:
    """Write what was asked for of an analysis, in the form that was asked for."""
    streams = selection.streams_of(analysis)
    chosen = set(streams)
    findings = [f for f in analysis.findings if f.stream is None or f.stream in chosen]
    flows = analysis.flows_of(streams)
    most = HOSTS_LISTED if form is Format.text and len(streams) == len(analysis) else None
    hosts = (host for host in analysis.hosts(most) if not chosen.isdisjoint(host.streams))
    if form is Format.json:
        from analyzer.report.json import write_json

        write_json(analysis, flows, findings, hosts, out)
    elif form is Format.ndjson:
        from analyzer.report.json import write_ndjson

        write_ndjson(analysis, flows, findings, hosts, out)
    elif form is Format.csv:
        from analyzer.report.table import write_csv

        write_csv(analysis, flows, out)
    else:
        from analyzer.report.text import Layout, write_text

        terminal = out.isatty()
        coloured = terminal and color and "NO_COLOR" not in os.environ
        listed = analysis.worst_first(streams)[: limit or None]
        write_text(
            analysis.captures,
            analysis.flows_of(listed),
            analysis.severities,
            analysis.verdict_counts(streams),
            findings,
            islice(hosts, HOSTS_LISTED),
            Layout(terminal, utc, (lambda text, colour: typer.style(text, fg=colour)) if coloured else _unstyled),
            out,
        )


def _unstyled(text: str, colour: str) -> str:
    return text
