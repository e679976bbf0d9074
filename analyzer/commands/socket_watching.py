"""`keepalive sockets --watch`: the view on a terminal, or a line for each change."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TextIO

import click

from analyzer.commands.console import noter
from analyzer.commands.ending import ending
from analyzer.commands.exits import EXIT_FINDING
from analyzer.commands.options import Severity
from analyzer.commands.outputs import open_output, width_of
from analyzer.commands.result import Format
from analyzer.commands.socket_selection import SocketSelection
from analyzer.errors import UsageError
from analyzer.model.findings import is_as_severe

if TYPE_CHECKING:
    from analyzer.host import Snapshot
    from analyzer.live.socket_audience import Lines, Objects
    from analyzer.live.sockets_watch import Watching
    from analyzer.model.sockets import Look


class Asked(NamedTuple):
    """What was asked for."""

    every_s: float
    duration: float | None
    idle_after: float
    form: Format
    output: str | None
    colored: Callable[[TextIO], bool]
    full: bool
    quiet: bool
    fail_on: Severity | None


def check_watch(watch: float | None, duration: float | None, source: str | None, form: Format) -> None:
    """Raise UsageError for what makes no sense together."""
    if watch is None:
        if duration is not None:
            raise UsageError("--duration says when --watch ends: add --watch")
        return
    if source is not None:
        raise UsageError("--watch looks at this host's sockets again and again: leave --from out")
    if form not in (Format.text, Format.ndjson):
        raise UsageError(f"--watch writes text or ndjson, not {form.value}: use --format ndjson")


def watch_sockets(
    take: Callable[[], Snapshot], selection: SocketSelection, asked: Asked, result: Callable[[Look, TextIO], None]
) -> None:
    """Watch until it ends; `result` writes what was seen last, once the view is gone."""
    from analyzer.live.listeners import has_screen
    from analyzer.live.sockets_watch import SocketsWatch, Watching

    gc.enable()  # see analyzer.cli
    unsorted = replace(selection, sort=None)
    watch = SocketsWatch(take, unsorted.of, asked.idle_after, only_suspects=selection.only_suspects)
    run = Watching(watch, asked.every_s)
    with open_output(asked.output) as out, ending(run.stop):
        if asked.form is Format.text and has_screen(out):
            last = _on_screen(run, selection, asked, out)
            result(last, out)
        else:
            run.run(_lines(asked, out), asked.duration)
    if asked.fail_on is not None and watch.worst and is_as_severe(watch.worst, asked.fail_on):
        raise click.exceptions.Exit(EXIT_FINDING)


def _on_screen(run: Watching, selection: SocketSelection, asked: Asked, out: TextIO) -> Look:
    from analyzer.live.socket_audience import Screen

    with contextlib.closing(Screen(run, selection.words, selection.sort, color=asked.colored(out))) as screen:
        return run.run(screen, asked.duration)


def _lines(asked: Asked, out: TextIO) -> Lines | Objects:
    from analyzer.live.socket_audience import Lines, Objects

    if asked.form is Format.ndjson:
        return Objects(out)
    styled = asked.colored(out)
    style = (lambda text, colour: click.style(text, fg=colour)) if styled else (lambda text, colour: text)
    return Lines(out, noter(asked.quiet), style, lambda: width_of(out), full=asked.full)
