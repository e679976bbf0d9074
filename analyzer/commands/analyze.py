"""`keepalive analyze`: captures read, and the verdict of every connection with the findings printed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

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
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.measure.sockets import Sightings


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
@option("--dissect", is_flag=True, help="Have tshark name the heartbeats of connections that may have some")
@option("--keylog", metavar="FILE", help="TLS secrets for --dissect (SSLKEYLOGFILE); those in a pcapng are used, too")
@option(
    "--sockets",
    metavar="FILE",
    shell_complete=options.files,
    help="Sockets of a host in it, as `ss -tnopie` or `keepalive sockets --format json` printed them there",
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
    dissect: bool,
    keylog: str | None,
    sockets: str | None,
    fail_on: Severity | None,
) -> None:
    """Read captures; print the verdict of every connection, and the findings.

    A CAPTURE is a file, a directory of captures, a quoted pattern, or - for standard input. Several captures are one
    timeline. Selectors choose what is shown; the whole capture is always analysed.
    """
    check_output(output, captures)
    if keylog is not None:
        check_keylog(keylog, dissect=dissect)
    if each:
        check_each(form, both_ends)
        if dissect:
            raise UsageError("--dissect is for one result: leave --each out")
        if sockets is not None:
            raise UsageError("--sockets is for one result: leave --each out")
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
        known = None if sockets is None else read_sightings(sockets)
        analysis = reading.analyse(captures, both_ends=both_ends, spool=dissect)
        if known is not None:
            analysis = analysis.with_sockets(known)
        if dissect:
            name_heartbeats(analysis, keylog, noter(reading.quiet))
        shown, streams = outcome.select(analysis)
        if form is Format.parquet and output is not None:
            write_tables(shown, streams, output)
        else:
            with open_output(output) as out:
                write_result(shown, streams, manner(out), out)
    outcome.leave()


def read_sightings(path: str) -> Sightings:
    """The sockets in a file, as they were when it was made."""
    from analyzer.host.recorded import read_file
    from analyzer.measure.sockets import Sightings
    from analyzer.model.sockets import Sighting
    from analyzer.tcp import SECOND

    snapshot = read_file(path)
    return Sightings(Sighting(one, round(snapshot.time * SECOND)) for one in snapshot.sockets if one.peer.port)


def check_keylog(path: str, *, dissect: bool) -> None:
    """Raise UsageError where TLS secrets are of no use, or are not there."""
    if not dissect:
        raise UsageError("--keylog is for --dissect")
    if not os.access(path, os.R_OK) or Path(path).is_dir():
        raise UsageError(f"--keylog {path}: no such file, or it cannot be read")


def name_heartbeats(analysis: Analysis, keylog: str | None, note: Callable[[str], None]) -> None:
    """Have tshark name what it can; without tshark the rhythm is what is known."""
    from analyzer.pipeline.dissection import dissect

    try:
        dissect(analysis, range(len(analysis)), keylog, note)
    except UsageError as error:
        note(f"{error}; heartbeats keep the names that their bytes and their rhythm give")
