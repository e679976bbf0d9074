"""The command `live`: what is captured now on an interface, or comes as a stream on standard input."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from analyzer.capture.interface.backend import Backend
from analyzer.capture.interface.rights import asker, give_up_rights, is_root
from analyzer.commands.console import noter, say, tell_problems
from analyzer.commands.exits import EXIT_NO_CAPTURE
from analyzer.commands.outputs import check_output, open_output
from analyzer.commands.result import LIMIT, Format, write_result
from analyzer.commands.selection import Selection
from analyzer.errors import CaptureError, OutputError, UsageError
from analyzer.live import listeners as audience

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.capture.interface.processes import Capturers
    from analyzer.capture.ring import Folder, Ring
    from analyzer.live.session import Live

MEGA = 1_000_000
MAX_CONNECTIONS = 250_000  # some 200 MB


class Form(StrEnum):
    """How what happens, and the result, is written: `Format` but for parquet, which holds a result alone."""

    text = "text"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"


def live(
    stream: Annotated[str | None, typer.Argument(metavar="[-]", help="A stream of pcap on standard input")] = None,
    interface: Annotated[
        list[str] | None, typer.Option("-i", "--interface", metavar="IFACE", help="Capture here; `any` is all")
    ] = None,
    follow: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Read what is still being written: a file, or a folder of them"),
    ] = None,
    wanted: Annotated[
        str | None, typer.Option("--filter", metavar="BPF", help="Of TCP and its tunnels only this (pcap-filter(7))")
    ] = None,
    backend: Annotated[Backend, typer.Option(help="Who captures; scapy where tcpdump is not there")] = Backend.auto,
    write: Annotated[
        str | None, typer.Option(metavar="DIR", help="Keep what is captured in pcapng files there, the latest of them")
    ] = None,
    write_size: Annotated[float, typer.Option(metavar="MB", min=0.001, help="How large one of them gets")] = 100,
    write_files: Annotated[int, typer.Option(metavar="N", min=1, help="How many are kept")] = 10,
    metrics: Annotated[
        str | None, typer.Option(metavar="[ADDR]:PORT", help="Serve Prometheus metrics there; to this host alone")
    ] = None,
    on_finding: Annotated[
        str | None,
        typer.Option(metavar="CMD", help="Run this for each finding, and when it is over: JSON on standard input"),
    ] = None,
    test_hook: Annotated[
        bool, typer.Option("--test-hook", help="Run the --on-finding command once with a test finding, and exit")
    ] = False,
    only: Annotated[
        audience.Only, typer.Option(help="Events to print; trouble leaves out what happens to healthy connections")
    ] = audience.Only.all,
    screen: Annotated[bool, typer.Option("--screen/--no-screen", help="On a terminal: a screen, or lines")] = True,
    duration: Annotated[float | None, typer.Option(metavar="S", min=0, help="End after so many seconds")] = None,
    most: Annotated[
        int, typer.Option("--max-connections", min=1, help="More than these do not stay in memory")
    ] = MAX_CONNECTIONS,
    form: Annotated[Form, typer.Option("--format", help="Events, then the result; json and csv: it alone")] = Form.text,
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

    A connection without a keepalive probe is reported as unprotected after 338 s of silence, which is later than any
    usual keepalive, or earlier where other connections of the same client to the same service show their idle time.

    The --on-finding command reads one JSON object on standard input, and no shell runs it. `type` is `finding`, with
    the fields of a finding in the JSON result; `recovered` when the connection works again; or `withdrawn` when the
    finding no longer holds. The last two repeat the `id` of the finding that they end, so that a receiver can close its
    alert. A webhook: --on-finding 'curl -fsS -m 20 --json @- https://alerts.example/keepalive'
    """
    if test_hook:
        _test_hook(on_finding, noter(quiet), as_capturing=bool(interface))
        return
    _check(stream, interface, follow, wanted)
    check_output(output, [follow] if follow is not None else [])
    folder = None if write is None else _folder(write, write_files)
    # Before all else: it may fork, and what it forks knows no more than this.
    capturers = _capturers(interface, wanted, backend, folder) if interface else None
    from analyzer.kernels import plain, ready
    from analyzer.live.session import Live
    from analyzer.live.warming import compiling
    from analyzer.pipeline.run import idle_nanoseconds

    note = audience.Notes(noter(quiet))
    idle = idle_nanoseconds(idle_after)
    with contextlib.ExitStack() as whole:
        out = whole.enter_context(open_output(output))
        drawn = form is Form.text and screen and audience.has_screen(out)
        tell = partial(_tell_events, form=form, only=only, utc=utc, color=color)
        tell_result = partial(_tell_result, form=form, drawn=drawn, limit=limit, utc=utc, color=color)
        run = Live(ready() or plain(), idle_after=idle, notify=note, split_tunnels=split_tunnels, most=most)
        whole.callback(run.close)
        whole.enter_context(compiling(run, note))
        if write is not None and folder is not None:
            run.intake.ring = _ring(write, capturers, folder, int(write_size * MEGA), note)
        if capturers is not None:
            _give_up_rights(note)
        with contextlib.ExitStack() as stack:  # threads are started from here on: see `give_up_rights`
            _serve(stack, run, metrics, on_finding, note)
            stack.enter_context(_ending(run))
            _open(run, follow, capturers)
            if not drawn:
                tell(run, out)
            title = ", ".join(interface or [follow or "standard input"])
            with audience.screen(run, title, note, utc=utc, color=color) if drawn else contextlib.nullcontext():
                run.run(None if duration is None else time.monotonic() + duration)
            analysis = run.finish()
        tell_problems(analysis.captures, note)
        tell_result(analysis, out)


def _test_hook(command: str | None, note: Callable[[str], None], *, as_capturing: bool) -> None:
    """Run the command for a finding that is none; with the rights that it has where an interface is captured on."""
    from analyzer.kernels import plain
    from analyzer.live.session import Live

    if command is None:
        raise UsageError("--test-hook needs --on-finding CMD")
    if as_capturing:
        _give_up_rights(note)
    run = Live(plain(), idle_after=0, notify=note, most=1)
    try:
        complaint = audience.try_hook(run, command)
    finally:
        run.close()
    if complaint:
        raise OutputError(f"--test-hook: {complaint}")
    note("--test-hook: the command ended with status 0")


def _check(stream: str | None, interface: list[str] | None, follow: str | None, wanted: str | None) -> None:
    """Raise UsageError for what makes no sense together."""
    if [stream is not None, bool(interface), follow is not None].count(True) != 1:
        raise UsageError("live needs -i IFACE, or - for a stream on standard input, or --follow FILE, and one of them")
    if stream not in (None, "-"):
        raise UsageError(f"live reads - or captures with -i: for a file there is `keepalive analyze {stream}`")
    if not interface and wanted is not None:
        raise UsageError("--filter is for -i: a stream or a file holds what whoever captured it let through")


def _serve(
    stack: contextlib.ExitStack, run: Live, metrics: str | None, on_finding: str | None, note: Callable[[str], None]
) -> None:
    """Have programs told, in the block of this stack."""
    if metrics is not None:
        stack.enter_context(audience.metrics(run, metrics))
    if on_finding is not None:
        stack.enter_context(audience.hook(run, on_finding, note))


def _tell_events(run: Live, out: TextIO, *, form: Form, only: audience.Only, utc: bool, color: bool) -> None:
    """Have events told as they happen, where they are."""
    if form in (Form.text, Form.ndjson):
        audience.lines(run, out, as_json=form is Form.ndjson, only=only, utc=utc, color=color)


def _tell_result(
    analysis: Analysis, out: TextIO, *, form: Form, drawn: bool, limit: int, utc: bool, color: bool
) -> None:
    """The result, after the events."""
    if form is Form.text and not drawn:
        out.write("\n")
    elif form is Form.ndjson:
        out.write('{"type": "result"}\n')
    write_result(analysis, Selection(), Format(form), limit, utc, color, out)


def _folder(path: str, count: int) -> Folder:
    """Where what is captured is kept, of whoever called sudo; raises OutputError when there can be no such folder."""
    from analyzer.capture.ring import Folder

    try:
        return Folder(path, count, asker() if is_root() and "SUDO_UID" in os.environ else None)
    except OSError as error:
        raise OutputError(f"--write {path}: {error.strerror or error}") from error


def _capturers(interfaces: list[str], wanted: str | None, backend: Backend, folder: Folder | None) -> Capturers:
    """Who starts what captures: of root's process one that is forked here and now, for this one gives its rights up."""
    from analyzer.capture.interface.keeper import Keeper
    from analyzer.capture.interface.processes import Children
    from analyzer.live.sources import commands

    called = commands(interfaces, wanted, backend)
    return Keeper(called, folder) if is_root() else Children(called)


def _ring(path: str, capturers: Capturers | None, folder: Folder, size: int, note: Callable[[str], None]) -> Ring:
    """Writes into the folder, by way of who has the right to; raises OutputError when that cannot be."""
    from analyzer.capture.interface.keeper import Keeper
    from analyzer.capture.ring import Ring

    opener = capturers if isinstance(capturers, Keeper) else folder
    try:
        return Ring(path, opener.next_file, size, note)
    except OSError as error:
        raise OutputError(f"--write {path}: {error.strerror or error}") from error


def _give_up_rights(note: Callable[[str], None]) -> None:
    """Read packets without the rights of root, or say that the system does not let us."""
    from analyzer.live.preload import preload

    if not is_root():
        return
    preload()
    try:
        give_up_rights()
    except OSError as error:
        note(f"packets are read with the rights of root, which cannot be given up here: {error.strerror}")


def _open(run: Live, follow: str | None, capturers: Capturers | None) -> None:
    """Begin to read; where an interface cannot be captured on, say so and leave with a status of its own."""
    if follow is not None:
        run.intake.follow(follow)
    elif capturers is None:
        run.intake.read_standard_input()
    else:
        try:
            run.capture(capturers)
        except CaptureError as error:
            say(f"{error.path}: {error.reason}")
            raise typer.Exit(EXIT_NO_CAPTURE) from error


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
