"""The command `report`: what a review of an incident needs, in one file."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import click

from analyzer.commands import options
from analyzer.commands.console import noter, progress_bar
from analyzer.commands.declared import command, option, with_groups
from analyzer.commands.options import OWNER_ONLY
from analyzer.commands.outcome import Outcome
from analyzer.commands.outputs import check_output, open_output
from analyzer.commands.reading import Reading
from analyzer.commands.selection import Selection
from analyzer.errors import UsageError

PAGE = "incident.html"  # where nobody names a file


class ReportFormat(StrEnum):
    """How a report is written."""

    html = "html"
    markdown = "markdown"


@command
@options.captures
@options.output(f"Write to this file ({OWNER_ONLY}); - is standard output. Default: {PAGE}, or - for Markdown")
@option(
    "--format",
    "form",
    type=click.Choice(ReportFormat),
    default=ReportFormat.html,
    help="A page with charts, or text for a ticket",
)
@options.title
@option(
    "--both-ends",
    is_flag=True,
    help="Two captures of one path, the client's first: what one end never received",
)
@with_groups(selection=Selection, reading=Reading)
def report(
    captures: Sequence[str],
    selection: Selection,
    reading: Reading,
    output: str | None,
    form: ReportFormat,
    title: str | None,
    both_ends: bool,
) -> None:
    """Write an incident report: one self-contained HTML file, or Markdown.

    The report begins with a summary: the impact, what to do first, the key events and the causes. Details follow:
    evidence, charts, every connection. The HTML page loads nothing from the network.
    """
    from analyzer.report.incident import write_html, write_markdown
    from analyzer.report.incident.gather import incident_page, steps_of

    drawn = form is ReportFormat.html
    named = _output(output, drawn)
    check_output(named, captures)
    outcome = Outcome(selection, reading.quiet)
    shown, streams = outcome.select(reading.analyse(captures, both_ends=both_ends, spool=drawn))
    outcome.leave_without_match()
    command = _command(captures, selection, reading, both_ends, title)
    with progress_bar(reading.progress, reading.quiet, "writing") as advance:
        steps, done = steps_of(len(streams)), itertools.count(1)
        page = incident_page(
            shown,
            streams,
            command,
            charts=drawn,
            utc=selection.utc,
            title=title or "",
            step=lambda: advance(next(done), steps),
        )
        with open_output(named) as out:
            (write_html if drawn else write_markdown)(page, out)
    if output is None and named is not None:
        noter(reading.quiet)(f"wrote {named}")


def _output(output: str | None, drawn: bool) -> str | None:
    """Where to write, None for standard output; raises UsageError where a file that nobody named is in the way."""
    if output is None and drawn:
        if Path(PAGE).exists():
            raise UsageError(f"{PAGE} exists: name a file with -o")
        return PAGE
    return None if output == "-" else output


def _command(
    captures: Sequence[str], selection: Selection, reading: Reading, both_ends: bool, title: str | None
) -> str:
    """The command that makes the same report, without where it was written."""
    usual = Reading()
    words = ["keepalive", "report", *captures, *selection.words()]
    for spelt, values in (
        ("--same-traffic", [] if reading.same_traffic is usual.same_traffic else [reading.same_traffic.value]),
        ("--title", [] if title is None else [title]),
        ("--idle-after", [] if reading.idle_after == usual.idle_after else [f"{reading.idle_after:g}"]),
    ):
        for value in values:
            words += [spelt, value]
    flags = [("--split-tunnels", reading.split_tunnels), ("--both-ends", both_ends)]
    return shlex.join([*words, *(name for name, wanted in flags if wanted)])
