"""Who is told of a live analysis while it goes on: a reader of lines or of the screen, Prometheus, a command."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, TextIO

import click

from analyzer.errors import OutputError, UsageError
from analyzer.live.pace import Pace
from analyzer.model.events import ORDINARY, Event

if TYPE_CHECKING:
    from analyzer.live.session import Live

STATUS_EVERY_S = 1.0
SETTINGS_EVERY_S = 15.0
MOST = 1 << 14  # connections whose settings are looked at
HOSTS = 200  # shown at most: each is a label of its own
LOCAL = "127.0.0.1"
UNPRIVILEGED = 1024  # net.ipv4.ip_unprivileged_port_start, unless somebody has set another
Note = Callable[[str], None]


class Only(StrEnum):
    """Which events are written."""

    all = "all"
    trouble = "trouble"


@contextlib.contextmanager
def screen(run: Live, title: str, note: Notes, *, utc: bool, color: bool) -> Iterator[None]:
    """The screen, in this block: what is noted is shown there, and told when it is gone."""
    from analyzer.live.terminal import Terminal

    terminal = Terminal(run, title, utc=utc, color=color)
    run.listeners.append(terminal.listen)
    run.observers.append(terminal.observe)
    told, note.sink = note.sink, terminal.note
    try:
        yield
    finally:
        note.sink = told
        for text in terminal.close():
            note(text)


@contextlib.contextmanager
def metrics(run: Live, where: str) -> Iterator[None]:
    """Metrics at `[ADDR]:PORT`, in this block; raises UsageError, and OutputError where that cannot be had."""
    from analyzer.report.metrics import Metrics

    address, port = _address(where)
    try:
        served = Metrics(address, port)
    except (OSError, OverflowError) as error:
        raise OutputError(f"--metrics {where}: {_why_not(error, port)}") from error
    status, settings = Pace(STATUS_EVERY_S), Pace(SETTINGS_EVERY_S)

    def observe() -> None:
        if status.due:
            with status.step():
                served.update(run.status)
        if settings.due:
            with settings.step():
                analysis, _ = run.present(MOST)
                served.show_settings(analysis.hosts(HOSTS))
                beating = analysis.facts.where(lambda facts: facts.beating[:, 0] | facts.beating[:, 1])
                served.show_heartbeats(analysis.flows_of(beating.tolist()))

    run.listeners.append(served.note)
    run.observers.append(observe)
    try:
        yield
    finally:
        served.close()


@contextlib.contextmanager
def hook(run: Live, command: str, note: Note) -> Iterator[None]:
    """A command that is run for each finding, and for each that is over, in this block; raises UsageError."""
    from analyzer.live.hook import Hook
    from analyzer.report.event_lines import alert_line, is_alert

    runner = Hook(command, note)

    def listen(events: Sequence[Event]) -> None:
        for event in events:
            if is_alert(event):
                runner.run(alert_line(event, run))

    run.listeners.append(listen)
    try:
        yield
    finally:
        runner.close()


@contextlib.contextmanager
def programs(run: Live, where: str | None, command: str | None, note: Note) -> Iterator[None]:
    """Metrics and the command, as far as they are asked for, in this block; raises as these do."""
    with contextlib.ExitStack() as stack:
        if where is not None:
            stack.enter_context(metrics(run, where))
        if command is not None:
            stack.enter_context(hook(run, command, note))
        yield


def try_hook(command: str) -> str:
    """Run it once for a finding that is none; what goes wrong, or nothing. Raises UsageError for what is no command."""
    from analyzer.kernels import plain
    from analyzer.live.hook import try_out
    from analyzer.live.session import Live
    from analyzer.live.trial import trial_event
    from analyzer.report.event_lines import alert_line

    run = Live(plain(), idle_after=0, notify=lambda text: None, most=1)
    try:
        return try_out(command, alert_line(trial_event(time.time_ns()), run))
    finally:
        run.close()


def lines(run: Live, out: TextIO, *, as_json: bool, only: Only, utc: bool, color: bool) -> None:
    """Each event as a line, as soon as it happens."""
    from analyzer.report.event_lines import json_writer, text_writer

    if as_json:
        write = json_writer(run, out)
    else:
        style = _coloured if color else _plain
        write = text_writer(run, out, utc=utc, style=style, width=partial(_width, out))

    def listen(events: Sequence[Event]) -> None:
        if wanted := [event for event in events if only is Only.all or event.kind not in ORDINARY]:
            write(wanted)

    run.listeners.append(listen)


def _width(out: TextIO) -> int | None:
    """The columns of the terminal that this is; None where it is none."""
    return os.get_terminal_size(out.fileno()).columns if out.isatty() else None


def _coloured(text: str, colour: str) -> str:
    return click.style(text, fg=colour)


def _plain(text: str, colour: str) -> str:
    return text


def has_screen(out: TextIO) -> bool:
    """Whether that is a terminal that can be drawn on."""
    return out is sys.stdout and out.isatty() and sys.platform != "win32"


class Notes:
    """What concerns the capturing is told to whoever shows it at present."""

    def __init__(self, sink: Note) -> None:
        self.sink = sink

    def __call__(self, text: str) -> None:
        """Tell it."""
        self.sink(text)


def _why_not(error: Exception, port: int) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, PermissionError) and port < UNPRIVILEGED:
        reason += f": ports below {UNPRIVILEGED} are root's, and live gives those rights up; try {LOCAL}:9105"
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        reason += ": another program, perhaps another live, serves there; choose another port"
    return reason


def _address(where: str) -> tuple[str, int]:
    """`[ADDR]:PORT`, of which the address may be left out: this host alone."""
    address, _, port = where.rpartition(":")
    if not port.isdecimal() or int(port) > 0xFFFF:
        raise UsageError(f"--metrics {where}: it is [ADDR]:PORT, as :9105 or 0.0.0.0:9105")
    return address.strip("[]") or LOCAL, int(port)
