"""The command `report`: what a review of an incident needs, in one file."""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import Annotated

import typer

from analyzer.commands.groups import with_groups
from analyzer.commands.options import (
    OWNER_ONLY,
    Captures,
    IdleAfter,
    Join,
    Progress,
    Quiet,
    SameTraffic,
    SplitTunnels,
    Verbose,
)
from analyzer.commands.outcome import Outcome
from analyzer.commands.outputs import check_output, open_output
from analyzer.commands.reading import read
from analyzer.commands.selection import Selection


class ReportFormat(StrEnum):
    """How a report is written."""

    html = "html"
    markdown = "markdown"


@with_groups
def report(
    captures: Captures,
    selection: Selection,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="OUT", help=f"Write to this file ({OWNER_ONLY})")
    ] = None,
    form: Annotated[ReportFormat, typer.Option("--format", help="A page with charts, or text for a ticket")] = (
        ReportFormat.html
    ),
    idle_after: IdleAfter = 10.0,
    split_tunnels: SplitTunnels = False,
    same_traffic: SameTraffic = Join.auto,
    progress: Progress = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write an incident report: one self-contained HTML file, or Markdown.

    It has the events, the findings with evidence and remedies, charts, and every connection. The page loads nothing
    from the network and opens from disk.
    """
    from analyzer.report.incident import write_html, write_markdown
    from analyzer.report.incident.gather import incident_page

    check_output(output, captures)
    analysis = read(
        captures,
        idle_after=idle_after,
        split_tunnels=split_tunnels,
        same_traffic=same_traffic.value,
        spool=form is ReportFormat.html,
        progress=progress,
        quiet=quiet,
        verbose=verbose,
    )
    outcome = Outcome(selection, quiet)
    shown, streams = outcome.select(analysis)
    outcome.leave_without_match()
    command = _command(captures, selection, idle_after, split_tunnels, same_traffic)
    drawn = form is ReportFormat.html
    page = incident_page(shown, streams, command, charts=drawn, utc=selection.utc)
    with open_output(output) as out:
        (write_html if drawn else write_markdown)(page, out)


def _command(captures: list[str], selection: Selection, idle_after: float, split_tunnels: bool, join: Join) -> str:
    """The command that makes the same report, without where it was written."""
    words = ["keepalive", "report", *captures, *selection.words()]
    for option, values in (
        ("--same-traffic", [] if join is Join.auto else [join.value]),
        ("--idle-after", [] if idle_after == 10.0 else [f"{idle_after:g}"]),
    ):
        for value in values:
            words += [option, value]
    return shlex.join([*words, *(["--split-tunnels"] if split_tunnels else [])])
