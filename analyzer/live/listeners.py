"""Who is told of a live analysis while it goes on: a reader of lines or of the screen, Prometheus, a command."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from analyzer.errors import OutputError, UsageError
from analyzer.live.pace import Pace
from analyzer.model.events import FINDING, Event

if TYPE_CHECKING:
    from analyzer.live.session import Live

STATUS_EVERY_S = 1.0
SETTINGS_EVERY_S = 15.0
MOST = 1 << 14  # connections whose settings are looked at
HOSTS = 200  # shown at most: each is a label of its own
LOCAL = "127.0.0.1"
Note = Callable[[str], None]


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
        raise OutputError(f"--metrics {where}: {getattr(error, 'strerror', None) or error}") from error
    status, settings = Pace(STATUS_EVERY_S), Pace(SETTINGS_EVERY_S)

    def observe() -> None:
        if status.due:
            with status.step():
                served.update(run.status)
        if settings.due:
            with settings.step():
                analysis, _ = run.present(MOST)
                served.show_settings(analysis.hosts(HOSTS))

    run.listeners.append(served.note)
    run.observers.append(observe)
    try:
        yield
    finally:
        served.close()


@contextlib.contextmanager
def hook(run: Live, command: str, note: Note) -> Iterator[None]:
    """A command that is run for each finding, in this block; raises UsageError for what is no command."""
    from analyzer.live.hook import Hook
    from analyzer.report.event_lines import finding_line

    runner = Hook(command, note)

    def listen(events: Sequence[Event]) -> None:
        for event in events:
            if event.kind == FINDING:
                runner.run(finding_line(event, run))

    run.listeners.append(listen)
    try:
        yield
    finally:
        runner.close()


def lines(run: Live, out: TextIO, *, as_json: bool, utc: bool) -> None:
    """Each event as a line, as soon as it happens."""
    from analyzer.report.event_lines import line_writer

    run.listeners.append(line_writer(run, out, as_json=as_json, utc=utc))


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


def _address(where: str) -> tuple[str, int]:
    """`[ADDR]:PORT`, of which the address may be left out: this host alone."""
    address, _, port = where.rpartition(":")
    if not port.isdecimal() or int(port) > 0xFFFF:
        raise UsageError(f"--metrics {where}: it is [ADDR]:PORT, as :9105 or 0.0.0.0:9105")
    return address.strip("[]") or LOCAL, int(port)
