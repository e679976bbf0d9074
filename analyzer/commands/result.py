"""The result of an analysis, in the form that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

import click

from analyzer.commands.outputs import STANDARD_OUTPUT, binary_output, check_output, private_folder, width_of
from analyzer.errors import UsageError
from analyzer.report.layout import SCREEN

if TYPE_CHECKING:
    from analyzer.analysis import Analysis

LIMIT = SCREEN
HOSTS_LISTED = 10


class Format(StrEnum):
    """How the result is written."""

    text = "text"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"
    parquet = "parquet"


def check_folder(output: str | None, captures: Sequence[str]) -> None:
    """Raise UsageError where a directory of Parquet files is not named, or would overwrite a capture that is read."""
    from analyzer.report.arrow import TABLES

    if output in (None, STANDARD_OUTPUT):
        raise UsageError(f"--format parquet writes files into a directory: -o DIR, for {', '.join(TABLES)}")
    for name in TABLES:
        check_output(_parquet(output, name), captures)


def write_tables(analysis: Analysis, streams: list[int], folder: str) -> None:
    """Write these connections, and the findings of an analysis, as Parquet files in this directory."""
    from analyzer.report.arrow import TABLES, Tables

    tables = Tables(analysis, streams)
    private_folder(folder)
    for name in TABLES:
        with binary_output(_parquet(folder, name)) as out:
            tables.write(name, out)


def _parquet(folder: str, name: str) -> str:
    return str(Path(folder) / f"{name}.parquet")


class Manner(NamedTuple):
    """How a result is written; all but the form is for text, of which `full` shows all evidence."""

    form: Format
    limit: int
    utc: bool
    color: bool
    full: bool = False


def write_result(analysis: Analysis, streams: list[int], manner: Manner, out: TextIO) -> None:
    """Write these connections, and the findings of an analysis."""
    chosen, form = set(streams), manner.form
    findings = analysis.findings
    flows = analysis.flows_of(streams)
    if form is Format.csv:
        from analyzer.report.csv import write_csv

        write_csv(analysis, flows, out)
        return
    most = HOSTS_LISTED if form is Format.text and len(streams) == len(analysis) else None
    hosts = (host for host in analysis.hosts(most) if not chosen.isdisjoint(host.streams))
    if form is Format.json:
        from analyzer.report.json import write_json

        write_json(analysis, flows, findings, hosts, out)
    elif form is Format.ndjson:
        from analyzer.report.json import write_ndjson

        write_ndjson(analysis, flows, findings, hosts, out)
    else:
        from analyzer.report.layout import Layout
        from analyzer.report.text import write_text

        style = (lambda text, colour: click.style(text, fg=colour)) if manner.color else _unstyled
        layout = Layout(width_of(out), manner.utc, style, lines=manner.limit or None, full=manner.full)
        write_text(analysis, streams, findings, list(islice(hosts, HOSTS_LISTED)), layout, out)


def _unstyled(text: str, colour: str) -> str:
    return text
