"""`keepalive analyze`: captures read, and the verdict of every connection with the findings printed."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TextIO

import click

from analyzer.commands import options
from analyzer.commands.console import noter
from analyzer.commands.declared import command, option, with_groups
from analyzer.commands.each import analyses_of, check_each, write_each
from analyzer.commands.options import OWNER_ONLY, Coloring, Severity
from analyzer.commands.outcome import Outcome
from analyzer.commands.outputs import check_output, open_output
from analyzer.commands.reading import Reading
from analyzer.commands.result import Format, Manner, check_folder, write_result, write_tables
from analyzer.commands.selection import Selection


class Detail(StrEnum):
    """How much text says of a finding."""

    short = "short"
    full = "full"


@command
@options.captures
@option("--format", "form", type=click.Choice(Format), default=Format.text, help="Output format")
@options.output(f"Write to this file ({OWNER_ONLY}); parquet: to this directory")
@options.limit
@option("--both-ends", is_flag=True, help="Compare two captures of one path, the client's first: packets lost between")
@option("--each", is_flag=True, help="Analyse each capture on its own, one result after the other")
@option(
    "--findings",
    "detail",
    type=click.Choice(Detail),
    default=Detail.short,
    help="Findings in text: a few lines each, or with all evidence; -v implies full",
)
@option(
    "--fail-on",
    type=click.Choice(Severity, case_sensitive=False),
    help="Exit with status 1 if a selected finding is this severe or worse",
)
@with_groups(selection=Selection, reading=Reading, color=Coloring)
def analyze(
    captures: Sequence[str],
    selection: Selection,
    reading: Reading,
    color: Coloring,
    form: Format,
    output: str | None,
    limit: int,
    both_ends: bool,
    each: bool,
    detail: Detail,
    fail_on: Severity | None,
) -> None:
    """Read captures; print the verdict of every connection, and the findings.

    A CAPTURE is a file, a directory of captures, a quoted pattern, or - for standard input. Several captures are one
    timeline. Selectors choose what is shown; the whole capture is always analysed.
    """
    check_output(output, captures)
    if each:
        check_each(form, both_ends)
    if form is Format.parquet:
        check_folder(output, captures)
    outcome = Outcome(selection, reading.quiet, fail_on)

    def manner(out: TextIO) -> Manner:
        return Manner(form, limit, selection.utc, color.on(out), full=reading.verbose or detail is Detail.full)

    if each:
        with open_output(output) as out:
            analyses = analyses_of(captures, reading.analyse, noter(reading.quiet))
            write_each(analyses, outcome, manner(out), out)
    else:
        shown, streams = outcome.select(reading.analyse(captures, both_ends=both_ends))
        if form is Format.parquet and output is not None:
            write_tables(shown, streams, output)
        else:
            with open_output(output) as out:
                write_result(shown, streams, manner(out), out)
    outcome.leave()
