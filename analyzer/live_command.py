"""The command `live`: what is captured now on an interface, or comes as a stream on standard input."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analyzer.console import open_output, say
from analyzer.errors import CaptureError, UsageError
from analyzer.result import LIMIT, Format, write_result

if TYPE_CHECKING:
    from analyzer.live import Live
    from analyzer.pipeline import Analysis

EXIT_NO_CAPTURE = 5
NANO = 1_000_000_000


def live(
    stream: Annotated[str | None, typer.Argument(metavar="[-]", help="A stream of pcap on standard input")] = None,
    interface: Annotated[
        list[str] | None, typer.Option("-i", "--interface", metavar="IFACE", help="Capture here; `any` is all")
    ] = None,
    wanted: Annotated[
        str | None, typer.Option("--filter", metavar="BPF", help="Of TCP and its tunnels only this (pcap-filter(7))")
    ] = None,
    duration: Annotated[float | None, typer.Option(metavar="S", min=0, help="End after so many seconds")] = None,
    form: Annotated[Format, typer.Option("--format", help="Events, then the result; json: it alone")] = Format.text,
    output: Annotated[str | None, typer.Option("-o", "--output", metavar="OUT", help="Write to this file")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Connections to list in text; 0 is all")] = LIMIT,
    idle_after: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Silence that counts as idle")] = 10.0,
    split_tunnels: Annotated[bool, typer.Option("--split-tunnels", help="Tunnel ids tell connections apart")] = False,
    utc: Annotated[bool, typer.Option("--utc", help="Times in UTC instead of local time")] = False,
    color: Annotated[bool, typer.Option("--color/--no-color", help="Colours on a terminal")] = True,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No notes on standard error")] = False,
) -> None:
    """Tell what happens while it happens; at the end, or when interrupted, the result is as `analyze` gives it.

    Captures with tcpdump on the interfaces named by -i, or reads a stream of pcap or pcapng on standard input (-).
    """
    if (stream is None) == (not interface):
        raise UsageError("live needs -i IFACE, or - for a stream on standard input, and not both")
    if stream not in (None, "-"):
        raise UsageError(f"live reads - or captures with -i: for a file there is `keepalive analyze {stream}`")
    if stream == "-" and wanted is not None:
        raise UsageError("--filter is for -i: a stream holds what whoever captured it let through")
    from analyzer.kernels import compiled, plain
    from analyzer.live import Live
    from analyzer.select import Selection

    note: Callable[[str], None] = _silent if quiet else say
    try:
        kernels = compiled(note)  # before anything is captured: it may take a while
    except ImportError as error:
        note(f"numba is not available ({error}): continuing without it, slowly")
        kernels = plain()
    with open_output(output) as out:
        run = Live(kernels, idle_after=int(idle_after * NANO), notify=note, split_tunnels=split_tunnels)
        try:
            if form in (Format.text, Format.ndjson):
                from analyzer.report.events import line_writer

                run.tell = line_writer(run, out, as_json=form is Format.ndjson, utc=utc)
            analysis = _run(run, interface or [], wanted, duration)
        finally:
            run.close()
        for facts in analysis.captures:
            for problem in facts.problems:
                note(f"{facts.path}: byte {problem.offset}: {problem.reason}")
        if form is Format.text:
            out.write("\n")
        elif form is Format.ndjson:
            out.write('{"type": "result"}\n')
        write_result(analysis, Selection(), form, limit, utc, color, out)


def _run(run: Live, interfaces: list[str], wanted: str | None, duration: float | None) -> Analysis:
    """Capture or read, until it ends, `duration` is over, or a signal comes."""
    if interfaces:
        try:
            run.capture(interfaces, wanted)
        except CaptureError as error:
            say(f"{error.path}: {error.reason}")
            raise typer.Exit(EXIT_NO_CAPTURE) from error
    else:
        run.read_standard_input()
    with _ending(run):
        run.run(None if duration is None else time.monotonic() + duration)
        return run.finish()


@contextmanager
def _ending(run: Live) -> Iterator[None]:
    """The first Ctrl-C, or SIGTERM, has the capture end and the result told; a second one ends at once."""

    def end(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        run.stop()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _silent(text: str) -> None:
    pass
