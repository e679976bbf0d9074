"""The command `report`: what a review of an incident needs, in one file."""

from __future__ import annotations

import itertools
import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analyzer.commands.console import noter, progress_bar
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
    Title,
    Utc,
    Verbose,
    Verdicts,
)
from analyzer.commands.outputs import check_output, open_output
from analyzer.commands.reading import read, selected
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer.commands.selection import Selection


PAGE = "incident.html"  # where nobody names a file


class ReportFormat(StrEnum):
    """How a report is written."""

    html = "html"
    markdown = "markdown"


def report(
    captures: Captures,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="Write to this file; - is standard output. Default: incident.html, standard output for Markdown",
        ),
    ] = None,
    form: Annotated[ReportFormat, typer.Option("--format", help="A page with charts, or text for a ticket")] = (
        ReportFormat.html
    ),
    title: Title = None,
    both_ends: Annotated[
        bool,
        typer.Option("--both-ends", help="Two captures of one path, the client's first: what one end never received"),
    ] = False,
    stream: Streams = None,
    host: Hosts = None,
    port: Ports = None,
    verdict: Verdicts = None,
    start: Start = None,
    end: End = None,
    idle_after: IdleAfter = 10.0,
    split_tunnels: SplitTunnels = False,
    same_traffic: SameTraffic = Join.auto,
    utc: Utc = False,
    progress: Progress = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write an incident report: one self-contained HTML file, or Markdown.

    The report begins with a summary: the impact, what to do first, the key events and the causes. Details follow:
    evidence, charts, every connection. The HTML page loads nothing from the network.
    """
    from analyzer.report.incident import write_html, write_markdown
    from analyzer.report.incident.gather import incident_page, steps_of

    selection = selected(stream, host, port, verdict, start, end)
    drawn = form is ReportFormat.html
    named = _output(output, drawn)
    check_output(named, captures)
    analysis = read(
        captures,
        idle_after=idle_after,
        split_tunnels=split_tunnels,
        both_ends=both_ends,
        same_traffic=same_traffic.value,
        spool=drawn,
        progress=progress,
        quiet=quiet,
        verbose=verbose,
    )
    command = _command(captures, selection, idle_after, split_tunnels, same_traffic, both_ends, title)
    streams = selection.streams_of(analysis)
    with progress_bar(progress, quiet, "writing") as advance:
        steps, done = steps_of(len(streams)), itertools.count(1)
        page = incident_page(
            analysis,
            streams,
            command,
            charts=drawn,
            utc=utc,
            title=title or "",
            step=lambda: advance(next(done), steps),
        )
        with open_output(named) as out:
            (write_html if drawn else write_markdown)(page, out)
    if output is None and named is not None:
        noter(quiet)(f"wrote {named}")


def _output(output: str | None, drawn: bool) -> str | None:
    """Where to write, None for standard output; raises UsageError where a file that nobody named is in the way."""
    if output is None and drawn:
        if Path(PAGE).exists():
            raise UsageError(f"{PAGE} exists: name a file with -o")
        return PAGE
    return None if output == "-" else output


def _command(
    captures: list[str],
    selection: Selection,
    idle_after: float,
    split_tunnels: bool,
    join: Join,
    both_ends: bool,
    title: str | None,
) -> str:
    """The command that makes the same report, without where it was written."""
    words = ["keepalive", "report", *captures]
    for option, values in (
        ("--stream", selection.streams),
        ("--host", selection.hosts),
        ("--port", selection.ports),
        ("--verdict", selection.verdicts),
        ("--start", [] if selection.start is None else [selection.start]),
        ("--end", [] if selection.end is None else [selection.end]),
        ("--same-traffic", [] if join is Join.auto else [join.value]),
        ("--title", [] if title is None else [title]),
        ("--idle-after", [] if idle_after == 10.0 else [f"{idle_after:g}"]),
    ):
        for value in values:
            words += [option, str(value)]
    flags = [("--split-tunnels", split_tunnels), ("--both-ends", both_ends)]
    return shlex.join([*words, *(name for name, wanted in flags if wanted)])
