"""The front door: arguments, printing, exit status."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from analyzer.errors import CaptureError, UsageError

if TYPE_CHECKING:
    from analyzer.pipeline import Analysis
    from analyzer.select import Selection

EXIT_FINDING = 1
EXIT_USAGE = 2
EXIT_UNREADABLE = 3
EXIT_UNWRITABLE = 4
EXIT_INTERNAL = 70  # sysexits.h EX_SOFTWARE
EXIT_INTERRUPTED = 130
LIMIT = 40

app = typer.Typer(
    help="Which TCP connections were alive, which were dead, and who knew.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(StrEnum):
    """How the result is written."""

    text = "text"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"


class Severity(StrEnum):
    """How urgent a finding is."""

    info = "info"
    low = "low"
    medium = "medium"
    high = "high"


class OutputError(Exception):
    """The result could not be written."""


SELECT = "Select what is shown"
Captures = Annotated[list[str], typer.Argument(metavar="CAPTURE...", help="pcap or pcapng files; - is standard input")]
Streams = Annotated[list[int] | None, typer.Option("--stream", metavar="N", rich_help_panel=SELECT, help="This stream")]
Hosts = Annotated[
    list[str] | None, typer.Option("--host", metavar="ADDR", rich_help_panel=SELECT, help="Connections of this address")
]
Ports = Annotated[
    list[int] | None, typer.Option("--port", metavar="N", rich_help_panel=SELECT, help="Connections of this port")
]
Verdicts = Annotated[
    list[str] | None, typer.Option("--verdict", metavar="WORD", rich_help_panel=SELECT, help="Connections judged so")
]
Start = Annotated[
    str | None,
    typer.Option(
        "--start", metavar="TIME", rich_help_panel=SELECT, help="Not those over before: ISO 8601, UNIX seconds, +S"
    ),
]
End = Annotated[str | None, typer.Option("--end", metavar="TIME", rich_help_panel=SELECT, help="Not those begun after")]


@app.callback()
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Which TCP connections were alive, which were dead, and who knew."""
    if version:
        from analyzer import __version__

        typer.echo(f"keepalive {__version__}")
        raise typer.Exit


@app.command()
def analyze(
    captures: Captures,
    form: Annotated[Format, typer.Option("--format", help="How to write the result")] = Format.text,
    output: Annotated[str | None, typer.Option("-o", "--output", metavar="OUT", help="Write to this file")] = None,
    stream: Streams = None,
    host: Hosts = None,
    port: Ports = None,
    verdict: Verdicts = None,
    start: Start = None,
    end: End = None,
    limit: Annotated[int, typer.Option(min=0, help="Connections to list in text; 0 is all")] = LIMIT,
    idle_after: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Silence that counts as idle")] = 10.0,
    fail_on: Annotated[Severity | None, typer.Option(help="Exit with 1 on a finding this severe or worse")] = None,
    utc: Annotated[bool, typer.Option("--utc", help="Times in UTC instead of local time")] = False,
    color: Annotated[bool, typer.Option("--color/--no-color", help="Colours on a terminal")] = True,
    progress: Annotated[bool | None, typer.Option(help="A progress bar on standard error")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No notes on standard error")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="More notes on standard error")] = False,
) -> None:
    """Read captures; print the verdict of every connection, and the findings."""
    from analyzer.pipeline import analyze as run
    from analyzer.select import Selection

    selection = Selection(tuple(stream or ()), tuple(host or ()), tuple(port or ()), tuple(verdict or ()), start, end)
    note = _noter(quiet)
    with _progress(captures, progress, quiet) as advance:
        analysis = run(*captures, idle_after_s=idle_after, notify=note, progress=advance)
    for facts in analysis.captures:
        for problem in facts.problems:
            note(f"{facts.path}: byte {problem.offset}: {problem.reason}")
        if verbose:
            skipped = ", ".join(f"{count} {reason}" for reason, count in facts.skipped.items())
            note(f"{facts.path}: {facts.format}, {', '.join(facts.link_types)}; skipped: {skipped or 'nothing'}")
    with _output(output, captures) as out:
        _write(analysis, selection, form, limit, utc, color, out)
    if fail_on is not None and _is_as_severe(analysis, fail_on.value):
        raise typer.Exit(EXIT_FINDING)


@app.command()
def explain(
    topic: Annotated[str | None, typer.Argument(metavar="[RULE]", help="A finding's rule, or `verdicts`")] = None,
) -> None:
    """What a finding means and how to mend it; without RULE a list."""
    import inspect

    from analyzer.diagnose import VERDICTS, load_rules

    rules = load_rules()
    if topic is None:
        for rule in rules.values():
            typer.echo(f"{rule.name:24} {inspect.cleandoc(rule.explanation).splitlines()[0]}")
        typer.echo(f"{'verdicts':24} The verdict of a connection: which words there are, and which one stands.")
    elif topic == "verdicts":
        typer.echo("Where several fit, the first stands:")
        for verdict in VERDICTS:
            typer.echo(f"  {verdict.word:24} {verdict.meaning}")
    elif topic in rules:
        typer.echo(f"{topic} ({rules[topic].severity})\n\n{inspect.cleandoc(rules[topic].explanation)}")
    else:
        raise UsageError(f"no rule is called {topic}; `keepalive explain` lists them")


def _write(
    analysis: Analysis, selection: Selection, form: Format, limit: int, utc: bool, color: bool, out: TextIO
) -> None:
    streams = selection.streams_of(analysis)
    chosen = set(streams)
    findings = [f for f in analysis.findings if f.stream is None or f.stream in chosen]
    flows = (analysis.flow(stream) for stream in streams)
    if form is Format.json:
        from analyzer.report.json import write_json

        write_json(analysis, flows, findings, out)
    elif form is Format.ndjson:
        from analyzer.report.json import write_ndjson

        write_ndjson(analysis, flows, findings, out)
    elif form is Format.csv:
        from analyzer.report.table import write_csv

        write_csv(analysis, flows, out)
    else:
        from analyzer.report.text import Layout, write_text

        terminal = out.isatty()
        coloured = terminal and color and "NO_COLOR" not in os.environ
        listed = analysis.worst_first(streams)[: limit or None]
        write_text(
            analysis.captures,
            (analysis.flow(stream) for stream in listed),
            analysis.severities,
            analysis.verdict_counts(streams),
            findings,
            Layout(terminal, utc, (lambda text, colour: typer.style(text, fg=colour)) if coloured else _unstyled),
            out,
        )


def _unstyled(text: str, colour: str) -> str:
    return text


def _is_as_severe(analysis: Analysis, severity: str) -> bool:
    from analyzer.model import SEVERITIES

    limit = SEVERITIES.index(severity)
    return any(SEVERITIES.index(finding.severity) >= limit for finding in analysis.findings)


def _noter(quiet: bool) -> Callable[[str], None]:
    """Notes go to standard error, and nowhere when quiet."""
    if quiet:
        return lambda text: None
    return lambda text: print(f"keepalive: {text}", file=sys.stderr)  # noqa: T201


@contextlib.contextmanager
def _output(path: str | None, captures: list[str]) -> Iterator[TextIO]:
    """Standard output, or a new file that only its owner can read.

    Raises UsageError when it would overwrite a capture that was read, OutputError when it cannot be written.
    """
    try:
        if path is None:
            yield sys.stdout
            sys.stdout.flush()
            return
        target = Path(path)
        if target.exists() and any(Path(name).exists() and target.samefile(name) for name in captures):
            raise UsageError(f"-o {path}: would overwrite the capture itself")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as out:  # noqa: PTH123
            yield out
    except BrokenPipeError as error:
        # Whoever read has seen enough; the interpreter must not try again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError from error
    except OSError as error:
        raise OutputError(f"{path or 'standard output'}: {error.strerror or error}") from error


@contextlib.contextmanager
def _progress(captures: list[str], wanted: bool | None, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error once the work has lasted a second, on a terminal or when asked for."""
    import time

    if wanted is False or (wanted is None and (quiet or not sys.stderr.isatty())):
        yield lambda done, total: None
        return
    began = time.monotonic()
    bars: list[Callable[[int, int], None]] = []
    with contextlib.ExitStack() as stack:

        def advance(done: int, total: int) -> None:
            if not bars and time.monotonic() - began > 1:
                bars.append(_bar(stack, total))
            for bar in bars:
                bar(done, total)

        yield advance


def _bar(stack: contextlib.ExitStack, total: int) -> Callable[[int, int], None]:
    from rich.console import Console
    from rich.progress import Progress

    bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
    task = bar.add_task("reading", total=total or None)
    return lambda done, total: bar.update(task, completed=done)


def main() -> None:
    """Run the command line and turn what goes wrong into a message and an exit status."""
    try:
        status = app(standalone_mode=False) or 0
    except (UsageError, CaptureError, OutputError) as error:
        if str(error):
            print(f"keepalive: {error}", file=sys.stderr)  # noqa: T201
        status = {UsageError: EXIT_USAGE, CaptureError: EXIT_UNREADABLE}.get(type(error), EXIT_UNWRITABLE)
    except (KeyboardInterrupt, typer.Abort):
        status = EXIT_INTERRUPTED
    except Exception as error:
        # typer's own usage errors know how to show themselves; their class is not part of its public interface.
        if not hasattr(error, "show"):
            import traceback

            traceback.print_exc()
            print("keepalive: internal error: please report it with the lines above", file=sys.stderr)  # noqa: T201
            sys.exit(EXIT_INTERNAL)
        error.show()
        status = EXIT_USAGE
    sys.exit(status)
