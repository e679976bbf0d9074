"""`keepalive analyze`: captures read, and the verdict of every connection with the findings printed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TextIO

import typer

from analyzer.commands.console import noter
from analyzer.commands.each import analyses_of, check_each, write_each
from analyzer.commands.groups import with_groups
from analyzer.commands.options import OWNER_ONLY, Captures, Coloring, Severity
from analyzer.commands.outcome import Outcome
from analyzer.commands.outputs import check_output, open_output
from analyzer.commands.reading import Reading
from analyzer.commands.result import LIMIT, Format, Manner, check_folder, write_result, write_tables
from analyzer.commands.selection import Selection


class Detail(StrEnum):
    """How much text says of a finding."""

    short = "short"
    full = "full"


@with_groups
def analyze(
    captures: Captures,
    selection: Selection,
    reading: Reading,
    color: Coloring,
    form: Annotated[Format, typer.Option("--format", help="Output format")] = Format.text,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help=f"Write to this file ({OWNER_ONLY}); parquet: to this directory",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="Connections listed in text, and lines of it, at most; 0: all")
    ] = LIMIT,
    both_ends: Annotated[
        bool,
        typer.Option("--both-ends", help="Compare two captures of one path, the client's first: packets lost between"),
    ] = False,
    each: Annotated[
        bool, typer.Option("--each", help="Analyse each capture on its own, one result after the other")
    ] = False,
    detail: Annotated[
        Detail,
        typer.Option("--findings", help="Findings in text: a few lines each, or with all evidence; -v implies full"),
    ] = Detail.short,
    fail_on: Annotated[
        Severity | None,
        typer.Option(case_sensitive=False, help="Exit with status 1 if a selected finding is this severe or worse"),
    ] = None,
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
