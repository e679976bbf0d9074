"""The front door: arguments, printing, exit status."""

from __future__ import annotations

import io
import os
import sys
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from analyzer.commands.annotate import annotate, extract
from analyzer.commands.chart import chart
from analyzer.commands.console import check_output, noter, open_output, say
from analyzer.commands.each import analyses_of, check_each, write_each
from analyzer.commands.explain import crosscheck, explain, profiles
from analyzer.commands.live import live
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
from analyzer.commands.reading import read, selected
from analyzer.commands.report import report
from analyzer.commands.result import LIMIT, Format, check_folder, write_result, write_tables
from analyzer.errors import CaptureError, OutputError, UsageError

if TYPE_CHECKING:
    from analyzer.analysis import Analysis

EXIT_FINDING = 1
EXIT_USAGE = 2
EXIT_UNREADABLE = 3
EXIT_UNWRITABLE = 4
EXIT_INTERNAL = 70  # sysexits.h EX_SOFTWARE
EXIT_INTERRUPTED = 130

app = typer.Typer(
    help="Which TCP connections were alive, which were dead, and who knew.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Severity(StrEnum):
    """How urgent a finding is."""

    info = "info"
    low = "low"
    medium = "medium"
    high = "high"


def _print_version(wanted: bool) -> None:
    if wanted:
        from analyzer import __version__

        typer.echo(f"keepalive {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Which TCP connections were alive, which were dead, and who knew."""


@app.command()
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
    severe = False
    if each:
        with open_output(output) as out:
            analyses = analyses_of(captures, analyse, noter(quiet))
            for one in write_each(analyses, selection, form, limit, utc, color, out):
                severe |= _is_as_severe(one, fail_on)
    else:
        analysis = analyse(captures)
        if form is Format.parquet and output is not None:
            write_tables(analysis, selection, output)
        else:
            with open_output(output) as out:
                write_result(analysis, selection, form, limit, utc, color, out)
        severe = _is_as_severe(analysis, fail_on)
    if severe:
        raise typer.Exit(EXIT_FINDING)


app.command()(chart)
app.command()(report)
app.command()(annotate)
app.command()(extract)
app.command()(live)
app.command()(explain)
app.command()(profiles)
app.command()(crosscheck)


def _is_as_severe(analysis: Analysis, severity: Severity | None) -> bool:
    from analyzer.model.findings import SEVERITIES

    if severity is None:
        return False
    limit = SEVERITIES.index(severity.value)
    return any(SEVERITIES.index(finding.severity) >= limit for finding in analysis.findings)


def main() -> None:
    """Run the command line and turn what goes wrong into a message and an exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    try:
        status = _run()
        if status != EXIT_UNWRITABLE:
            sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # then whoever read has seen enough
            say(f"standard output: {error.strerror or error}")
        status = EXIT_UNWRITABLE
    if status == EXIT_UNWRITABLE:
        # The interpreter must not try again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _run() -> int:
    try:
        return app(standalone_mode=False) or 0
    except (UsageError, CaptureError, OutputError) as error:
        say(str(error))
        return {UsageError: EXIT_USAGE, CaptureError: EXIT_UNREADABLE}.get(type(error), EXIT_UNWRITABLE)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except SystemExit as error:
        raise BrokenPipeError from error  # what typer makes of a closed pipe
    except OSError:
        raise
    except Exception as error:
        # typer's own usage errors know how to show themselves; their class is not part of its public interface.
        if hasattr(error, "show"):
            error.show()
            return EXIT_USAGE
        import traceback

        traceback.print_exc()
        say("internal error: please report it with the lines above")
        return EXIT_INTERNAL
