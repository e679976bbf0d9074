"""`keepalive sockets`: this host's TCP sockets with their kernel timers and owners, and those that leak."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, TextIO

import click

from analyzer.commands.console import noter
from analyzer.commands.declared import command, option, with_groups
from analyzer.commands.exits import EXIT_FINDING, EXIT_NOTHING_SELECTED
from analyzer.commands.options import Coloring, Severity, files, limit, output, quiet
from analyzer.commands.outputs import STANDARD_OUTPUT, binary_output, open_output, width_of
from analyzer.commands.result import Format
from analyzer.commands.socket_selection import SECTION, SocketSelection
from analyzer.commands.socket_timers import check_picture, draw_timers
from analyzer.commands.socket_watching import Asked, check_watch, watch_sockets
from analyzer.errors import UsageError
from analyzer.model.findings import is_as_severe

if TYPE_CHECKING:
    from analyzer.host import Snapshot
    from analyzer.host.owners import Holders
    from analyzer.model.sockets import Look, Socket, Suspect


@command
@option(
    "--netns", metavar="NAME", default="", section=SECTION, help="Sockets of this network namespace, or of all (root)"
)
@option(
    "--from",
    "source",
    metavar="FILE",
    shell_complete=files,
    help="Read what `ss -tnope` printed on another host (with -i its idle times, too); - is standard input",
)
@option(
    "--options", is_flag=True, help="Ask each socket for its keepalive options (root; each is borrowed for an instant)"
)
@option(
    "--idle-after",
    type=click.FloatRange(min=0),
    default=3600.0,
    metavar="SECONDS",
    help="Silence after which a socket without keepalive is suspect",
)
@option(
    "--saw-tooth",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Watch the timers of the selected sockets for so long, and draw them (-o FILE.png, .svg or .pdf)",
)
@option(
    "--watch",
    type=click.FloatRange(min=0.1),
    is_flag=False,
    flag_value=1.0,
    metavar="[SECONDS]",
    help="Look again every so many seconds (1): a full-screen view on a terminal, otherwise a line for each change",
)
@option("--duration", type=click.FloatRange(min=0), metavar="S", help="Stop --watch after this many seconds")
@limit
@option("--format", "form", type=click.Choice(Format), default=Format.text, help="How the result is written")
@output("Write to this file instead of standard output")
@option(
    "--fail-on",
    type=click.Choice(Severity, case_sensitive=False),
    help="Exit with status 1 if a selected suspect is this severe or worse",
)
@option("-v", "--verbose", is_flag=True, help="Print all that is known of each suspect")
@quiet
@with_groups(selection=SocketSelection, color=Coloring)
def sockets(
    selection: SocketSelection,
    color: Coloring,
    netns: str,
    source: str | None,
    options: bool,
    idle_after: float,
    saw_tooth: float | None,
    watch: float | None,
    duration: float | None,
    limit: int,
    form: Format,
    output: str | None,
    fail_on: Severity | None,
    verbose: bool,
    quiet: bool,
) -> None:
    """List this host's TCP sockets with their timers and owners, and those that leak.

    For each socket: whether keepalive is on, which timer runs and when it fires, how long no data has passed, and which
    process holds it. Sockets that nobody closes, or that wait for nothing, come first, with the fix. Only root sees the
    owners of other users' sockets.
    """
    if saw_tooth is not None:
        if source is not None or watch is not None:
            raise UsageError("--saw-tooth asks this host's kernel, and draws: leave --from and --watch out")
        draw_timers(selection, netns, saw_tooth, check_picture(output), str(output), noter(quiet))
        return
    check_watch(watch, duration, source, form)
    if watch is not None:
        asked = Asked(watch, duration, idle_after, form, output, color.on, verbose, quiet, fail_on)
        take = partial(_snapshot, None, netns, options=options)
        watch_sockets(take, selection, asked, partial(_write_last, selection, color=color, limit=limit, full=verbose))
        return
    holders = _holders() if source is None else None
    from analyzer.diagnose.sockets import find_suspects, narrowed

    snapshot = _snapshot(source, netns, options=options, holders=holders)
    shown = selection.of(snapshot.sockets)
    suspects = narrowed(find_suspects(snapshot.sockets, idle_after), shown)
    shown = _ordered(shown, suspects, selection)
    if form is Format.parquet:
        if output in (None, STANDARD_OUTPUT):
            raise UsageError("--format parquet is written to a file: -o FILE")
        with binary_output(str(output)) as binary:
            from analyzer.report.socket_records import write_parquet

            write_parquet(shown, binary)
    else:
        with open_output(output) as out:
            _write(snapshot, shown, suspects, form, color, limit, verbose, out)
    if not shown and selection.asked:
        noter(quiet)(f"none of {len(snapshot.sockets):,} sockets matches")
        raise click.exceptions.Exit(EXIT_NOTHING_SELECTED)
    if fail_on is not None and any(is_as_severe(one.severity, fail_on) for one in suspects):
        raise click.exceptions.Exit(EXIT_FINDING)


def _holders() -> Holders | None:
    """Who looks for the owners while the rest is loaded and the sockets are listed; half of the time they take."""
    if sys.platform != "linux":
        return None
    from analyzer.host.owners import Holders

    return Holders(ahead=True)


def _snapshot(source: str | None, netns: str, *, options: bool, holders: Holders | None = None) -> Snapshot:
    """Of this host, or of the one where a file was made."""
    from analyzer.host import take_snapshot

    if source is None:
        return take_snapshot(netns, options=options, holders=holders)
    if netns or options:
        raise UsageError("--netns and --options ask this host's kernel: leave --from out")
    from analyzer.host.recorded import read_file, read_text

    if source == STANDARD_OUTPUT:
        return read_text(sys.stdin.buffer.read(), source)
    return read_file(source)


def _ordered(shown: Sequence[Socket], suspects: Sequence[Suspect], selection: SocketSelection) -> list[Socket]:
    """Sockets of the worst suspects, then the others by their silence, if these are wanted too; or as was asked."""
    if selection.sort is not None and not selection.only_suspects:
        return list(shown)
    first = {id(one): one for suspect in suspects for one in suspect.sockets}
    others = sorted((one for one in shown if id(one) not in first), key=lambda one: -(one.idle or 0))
    return [*first.values(), *(() if selection.only_suspects else others)]


def _write_last(
    selection: SocketSelection, look: Look, out: TextIO, *, color: Coloring, limit: int, full: bool
) -> None:
    """What was seen last, once the view is gone."""
    from analyzer.host import Snapshot

    snapshot = Snapshot(look.time, look.sockets, look.unseen, look.idle_known)
    shown = _ordered(selection.of(look.sockets), look.suspects, selection)
    _write(snapshot, shown, look.suspects, Format.text, color, limit, full, out)


def _write(
    snapshot: Snapshot,
    shown: Sequence[Socket],
    suspects: Sequence[Suspect],
    form: Format,
    color: Coloring,
    limit: int,
    full: bool,
    out: TextIO,
) -> None:
    if form is not Format.text:
        from analyzer.report import socket_records

        if form is Format.csv:
            socket_records.write_csv(shown, out)
        elif form is Format.json:
            socket_records.write_json(snapshot.time, snapshot.unseen, shown, suspects, out)
        else:
            socket_records.write_ndjson(snapshot.time, snapshot.unseen, shown, suspects, out)
    else:
        from analyzer.report.layout import Layout
        from analyzer.report.sockets import notes_of, write_sockets

        styled = color.on(out)
        layout = Layout(
            width_of(out),
            False,
            lambda text, colour: click.style(text, fg=colour) if styled else text,
            lines=limit or None,
            full=full,
        )
        write_sockets(shown, suspects, notes_of(snapshot.unseen, snapshot.idle_known), layout, out)
