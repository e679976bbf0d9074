"""`keepalive analyze`: captures read, and the verdict of every connection with the findings printed."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from analyzer.commands.console import noter
from analyzer.commands.each import analyses_of, check_each, write_each
from analyzer.commands.exits import (
    EXIT_FINDING,
)
from analyzer.commands.options import (
    Captures,
    End,
    Hosts,
    IdleAfter,
    Join,
    Ports,
    Progress,
    Quiet,
    SameTraffic,
    SplitTunnels,
    Start,
    Streams,
    Utc,
    Verbose,
    Verdicts,
)
from analyzer.commands.outputs import check_output, open_output
from analyzer.commands.reading import read, selected
from analyzer.commands.result import LIMIT, Format, check_folder, write_result, write_tables

if TYPE_CHECKING:
    from analyzer.analysis import Analysis


class Detail(StrEnum):
    """How much text says of a finding."""

    short = "short"
    full = "full"


class Severity(StrEnum):
    """How urgent a finding is."""

    info = "info"
    low = "low"
    medium = "medium"
    high = "high"


def analyze(
    captures: Captures,
    form: Annotated[Format, typer.Option("--format", help="How to write the result")] = Format.text,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="OUT", help="Write to this file; parquet: into this folder")
    ] = None,
    stream: Streams = None,
    host: Hosts = None,
    port: Ports = None,
    verdict: Verdicts = None,
    start: Start = None,
    end: End = None,
    limit: Annotated[int, typer.Option(min=0, help="Connections to list in text; 0 is all")] = LIMIT,
    idle_after: IdleAfter = 10.0,
    split_tunnels: SplitTunnels = False,
    same_traffic: SameTraffic = Join.auto,
    both_ends: Annotated[
        bool, typer.Option("--both-ends", help="Two captures of one path, the client's first: what one end never saw")
    ] = False,
    each: Annotated[bool, typer.Option("--each", help="Every capture by itself, one result after the other")] = False,
    detail: Annotated[
        Detail, typer.Option("--findings", help="Findings in text: a few lines each, or with all evidence (as -v does)")
    ] = Detail.short,
    fail_on: Annotated[Severity | None, typer.Option(help="Exit with 1 on a finding this severe or worse")] = None,
    utc: Utc = False,
    color: Annotated[bool, typer.Option("--color/--no-color", help="Colours on a terminal")] = True,
    progress: Progress = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Read captures; print the verdict of every connection, and the findings.

    A CAPTURE is a file, a folder of them, a quoted pattern, or - for standard input; several are one timeline.
    """
    selection = selected(stream, host, port, verdict, start, end)
    check_output(output, captures)
    if each:
        check_each(form, both_ends)
    if form is Format.parquet:
        check_folder(output, captures)
    analyse = partial(
        read,
        idle_after=idle_after,
        split_tunnels=split_tunnels,
        same_traffic=same_traffic.value,
        both_ends=both_ends,
        progress=progress,
        quiet=quiet,
        verbose=verbose,
    )
    severe, full = False, verbose or detail is Detail.full
    if each:
        with open_output(output) as out:
            analyses = analyses_of(captures, analyse, noter(quiet))
            for one in write_each(analyses, selection, form, limit, utc, color, out, full=full):
                severe |= _is_as_severe(one, fail_on)
    else:
        analysis = analyse(captures)
        if form is Format.parquet and output is not None:
            write_tables(analysis, selection, output)
        else:
            with open_output(output) as out:
                write_result(analysis, selection, form, limit, utc, color, out, full=full)
        severe = _is_as_severe(analysis, fail_on)
    if severe:
        raise typer.Exit(EXIT_FINDING)


def _is_as_severe(analysis: Analysis, severity: Severity | None) -> bool:
    from analyzer.model.findings import SEVERITIES

    if severity is None:
        return False
    limit = SEVERITIES.index(severity.value)
    return any(SEVERITIES.index(finding.severity) >= limit for finding in analysis.findings)
