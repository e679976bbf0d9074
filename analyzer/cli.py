"""The front door: arguments, printing, exit status."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated

import click
import typer

from analyzer.commands.advise import advise
from analyzer.commands.analyze import analyze
from analyzer.commands.annotate import annotate
from analyzer.commands.chart import chart
from analyzer.commands.console import say
from analyzer.commands.crosscheck import crosscheck
from analyzer.commands.exits import (
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_UNREADABLE,
    EXIT_UNWRITABLE,
    EXIT_USAGE,
)
from analyzer.commands.explain import explain
from analyzer.commands.extract import extract
from analyzer.commands.live import live
from analyzer.commands.profiles import profiles
from analyzer.commands.report import report
from analyzer.commands.shipped import dashboard, schema
from analyzer.errors import CaptureError, OutputError, UsageError

app = typer.Typer(
    help="Find TCP keepalive probes in packet captures, and judge every connection by them.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    # click 8.4 began to suggest commands; typer would say the same a second time.
    suggest_commands=not hasattr(click.exceptions, "NoSuchCommand"),
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    """Find TCP keepalive probes in packet captures, and judge every connection by them."""


app.command()(analyze)
app.command()(chart)
app.command()(report)
app.command()(advise)
app.command()(annotate)
app.command()(extract)
app.command()(live)
app.command()(explain)
app.command()(profiles)
app.command()(crosscheck)
app.command()(schema)
app.command()(dashboard)


def main() -> None:
    """Run the command line and turn what goes wrong into a message and an exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    closed = False
    try:
        status = _run()
        if status != EXIT_UNWRITABLE:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough, which is no failure: `keepalive ... | head`
        status, closed = 0, True
    except OSError as error:
        say(f"{error.filename or 'standard output'}: {error.strerror or error}")
        status = EXIT_UNWRITABLE
    if closed or status == EXIT_UNWRITABLE:
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
