"""The command `live`: what is captured now on an interface, or comes as a stream on standard input."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, TextIO

import click

from analyzer.capture.interface.backend import Backend
from analyzer.commands import options
from analyzer.commands.capturing import capturers_on, read_without_rights, ring_folder, ring_in
from analyzer.commands.console import noter, say, tell_captures
from analyzer.commands.declared import command, option, with_groups
from analyzer.commands.ending import ending
from analyzer.commands.exits import EXIT_NO_CAPTURE
from analyzer.commands.options import OWNER_ONLY, Coloring, files
from analyzer.commands.outputs import check_output, open_output
from analyzer.commands.result import Format, Manner, write_result
from analyzer.errors import CaptureError, OutputError, UsageError
from analyzer.live import listeners as audience

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.capture.interface.processes import Capturers
    from analyzer.live.session import Live

MEGA = 1_000_000
MAX_CONNECTIONS = 250_000  # some 200 MB


class Form(StrEnum):
    """How what happens, and the result, is written: `Format` but for parquet, which holds a result alone."""

    text = "text"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"


@command
@click.argument("stream", metavar="[-]", required=False, help="Read a pcap or pcapng stream from standard input")
@option(
    "-i",
    "--interface",
    multiple=True,
    metavar="IFACE",
    help="Capture on this interface (repeatable); any: all interfaces",
)
@option(
    "--follow",
    metavar="FILE",
    shell_complete=files,
    help="Read a capture that is still being written: a file, or a directory of rotated files",
)
@option(
    "--filter",
    "wanted",
    metavar="BPF",
    help="Capture filter (pcap-filter(7)), in addition to that for TCP, its tunnels and ICMP",
)
@option(
    "--backend",
    type=click.Choice(Backend),
    default=Backend.auto,
    help="Program that captures; auto: tcpdump, or scapy if tcpdump is missing",
)
@option(
    "--write",
    metavar="DIR",
    shell_complete=files,
    help="Keep captured packets in a ring of pcapng files in this directory",
)
@option("--write-size", type=click.FloatRange(min=0.001), default=100, metavar="MB", help="Size of one such file")
@option("--write-files", type=click.IntRange(min=1), default=10, metavar="N", help="Number of such files kept")
@option(
    "--metrics",
    metavar="[ADDR]:PORT",
    help="Serve Prometheus metrics at this address; without ADDR to this host only",
)
@option(
    "--on-finding",
    metavar="CMD",
    help="Command to run for each finding, withdrawal and recovery (JSON on its standard input; no shell)",
)
@option("--test-hook", is_flag=True, help="Run the --on-finding command once with a test finding, then exit")
@option(
    "--only",
    type=click.Choice(audience.Only),
    default=audience.Only.all,
    help="Events to print; trouble leaves out those of healthy connections",
)
@option(
    "--sockets/--no-sockets",
    default=True,
    help="With -i on Linux, ask this host's kernel every few seconds which sockets have keepalive, and whose they are",
)
@option("--screen/--no-screen", default=True, help="Full-screen view on a terminal, or lines of events")
@option("--duration", type=click.FloatRange(min=0), metavar="S", help="Stop after this many seconds")
@option(
    "--max-connections",
    "most",
    type=click.IntRange(min=1),
    default=MAX_CONNECTIONS,
    help="Connections kept in memory",
)
@option(
    "--format",
    "form",
    type=click.Choice(Form),
    default=Form.text,
    help="Output format; text and ndjson print events, then the result; json the result only",
)
@options.output(f"Write to this file ({OWNER_ONLY})")
@options.limit
@options.idle_after
@options.split_tunnels
@option("--utc", is_flag=True, help="Show times in UTC instead of local time")
@options.quiet
@options.verbose
@with_groups(color=Coloring)
def live(
    color: Coloring,
    stream: str | None,
    interface: Sequence[str],
    follow: str | None,
    wanted: str | None,
    backend: Backend,
    write: str | None,
    write_size: float,
    write_files: int,
    metrics: str | None,
    on_finding: str | None,
    test_hook: bool,
    only: audience.Only,
    sockets: bool,
    screen: bool,
    duration: float | None,
    most: int,
    form: Form,
    output: str | None,
    limit: int,
    idle_after: float,
    split_tunnels: bool,
    utc: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Watch traffic and report keepalive events as they happen. On exit or Ctrl-C, print the same result as `analyze`.

    Captures with tcpdump on the interfaces named by -i, reads a pcap or pcapng stream from standard input (-), or
    follows a file (--follow).

    A silent connection without keepalive probes counts as healthy for 338 s, longer than the usual idle times, and as
    unprotected after that. If other connections of the same client to the same service show their idle time, 1.5 times
    that is the limit instead. With -i nothing is guessed of this host's own sockets: the kernel says which have
    keepalive, and those without are unprotected after --idle-after.

    The --on-finding command reads one JSON object from standard input. Its `type` is `finding`, with the fields of a
    finding in the JSON result; `recovered`, when the connection works again; or `withdrawn`, when the finding no longer
    holds. These two repeat the `id` of the finding, so that the receiver can close its alert. An example of a webhook:
    --on-finding 'curl -fsS -m 20 --json @- https://alerts.example/keepalive'
    """
    gc.enable()  # see analyzer.cli
    if test_hook:
        _test_hook(on_finding, noter(quiet), as_capturing=bool(interface))
        return
    _check(stream, interface, follow, wanted)
    check_output(output, [follow] if follow is not None else [])
    folder = None if write is None else ring_folder(write, write_files)
    # Before all else: it may fork, and what it forks knows no more than this.
    capturers = capturers_on(interface, wanted, backend, folder) if interface else None
    from analyzer.kernels import plain, ready
    from analyzer.live.session import Live
    from analyzer.live.warming import compiling
    from analyzer.pipeline.run import idle_nanoseconds

    note = audience.Notes(noter(quiet))
    idle = idle_nanoseconds(idle_after)
    with contextlib.ExitStack() as whole:
        out = whole.enter_context(open_output(output))
        drawn = form is Form.text and screen and audience.has_screen(out)
        tell = partial(_tell_events, form=form, only=only, utc=utc, color=color.on(out))
        tell_result = partial(_tell_result, form=form, drawn=drawn, limit=limit, utc=utc, color=color.on(out))
        run = Live(ready() or plain(), idle_after=idle, notify=note, split_tunnels=split_tunnels, most=most)
        whole.callback(run.close)
        whole.enter_context(compiling(run, note))
        if write is not None and folder is not None:
            run.intake.ring = ring_in(write, capturers, folder, int(write_size * MEGA), note)
        if capturers is not None:
            _give_up_rights(run, note, sockets=sockets)
        with contextlib.ExitStack() as stack:  # threads are started from here on: see `give_up_rights`
            stack.enter_context(audience.programs(run, metrics, on_finding, note))
            stack.enter_context(ending(run.stop))
            _open(run, follow, capturers)
            if not drawn:
                tell(run, out)
            title = ", ".join(interface or [follow or "standard input"])
            with audience.screen(run, title, note, utc=utc, color=color.on(out)) if drawn else contextlib.nullcontext():
                run.run(None if duration is None else time.monotonic() + duration)
            analysis = run.finish()
        tell_captures(analysis.captures, note, verbose=verbose)
        tell_result(analysis, out)


def _give_up_rights(run: Live, note: Callable[[str], None], *, sockets: bool) -> None:
    """Read packets without the rights of root, which show whose each socket of this host is: that is asked before."""
    if sockets:
        from analyzer.live.host_sockets import host_sockets

        run.sockets = host_sockets(note)
    read_without_rights(note)


def _test_hook(command: str | None, note: Callable[[str], None], *, as_capturing: bool) -> None:
    """Run the command for a finding that is none; with the rights that it has where an interface is captured on."""
    if command is None:
        raise UsageError("--test-hook needs --on-finding CMD")
    if as_capturing:
        read_without_rights(note)
    complaint = audience.try_hook(command)
    if complaint:
        raise OutputError(f"--test-hook: {complaint}")
    note("--test-hook: the command ended with status 0")


def _check(stream: str | None, interface: Sequence[str], follow: str | None, wanted: str | None) -> None:
    """Raise UsageError for what makes no sense together."""
    if [stream is not None, bool(interface), follow is not None].count(True) != 1:
        raise UsageError("live needs -i IFACE, or - for a stream on standard input, or --follow FILE, and one of them")
    if stream not in (None, "-"):
        raise UsageError(f"live reads - or captures with -i: for a file there is `keepalive analyze {stream}`")
    if not interface and wanted is not None:
        raise UsageError("--filter is for -i: a stream or a file holds what whoever captured it let through")


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
    write_result(analysis, list(range(len(analysis))), Manner(Format(form), limit, utc, color), out)


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
            raise click.exceptions.Exit(EXIT_NO_CAPTURE) from error
