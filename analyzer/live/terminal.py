"""The terminal of a live analysis: the screen is drawn on it, and its keys are read."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import threading
import time
import tty
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analyzer.live.outlook import look_ahead
from analyzer.live.pace import Pace
from analyzer.model.events import Event
from analyzer.model.status import Outlook, Status
from analyzer.report.screen import NARROW, Message, Shown, compose
from analyzer.report.view import View

if TYPE_CHECKING:
    from analyzer.live.session import Live

DRAWN_EVERY_S = 0.5
REMEMBERED = 1000  # events: a filter chooses among them
MOST = 2000  # connections that are looked at: those that say most
SEQUENCES = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1bOA": "up",
    b"\x1bOB": "down",
    b"\x1b[5~": "page-up",
    b"\x1b[6~": "page-down",
    b"\x1b[H": "g",
    b"\x1b[F": "G",
    b"\x1b": "escape",
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "erase",
    b"\x08": "erase",
}
LONGEST_SEQUENCE = 16


class Terminal:
    """Shows a live analysis until it is closed; an observer of it, and a listener."""

    def __init__(self, run: Live, title: str, *, utc: bool, color: bool) -> None:
        """Take the terminal over: what it showed comes back in the end."""
        from rich.console import Console
        from rich.live import Live as Display

        self._run, self._title, self._utc = run, title, utc
        self._view = View()
        self._messages: deque[Event | str] = deque(maxlen=REMEMBERED)
        self._notes: list[str] = []
        self._pace = Pace(DRAWN_EVERY_S)
        self._measured: tuple[float, int, float] = time.monotonic(), 0, 0.0  # when, packets by then, rate before
        self._present: tuple[Status, list[Outlook]] | None = None
        self._console = Console(file=sys.stdout, highlight=False, no_color=True if not color else None)
        self._display = Display(console=self._console, screen=True, auto_refresh=False)
        self._display.start()
        self._keys = Keys(self._pressed)

    def note(self, text: str) -> None:
        """What concerns the capturing: it is shown, and told when the screen is gone."""
        self._messages.append(text)
        self._notes.append(text)

    def listen(self, events: Sequence[Event]) -> None:
        """What happens is shown."""
        self._messages.extend(events)

    def observe(self) -> None:
        """Draw what is to be seen now, if it is time to."""
        if self._view.ended:
            self._run.stop()
        if self._present is None or self._pace.due:
            with self._pace.step():
                if not self._view.paused or self._present is None:
                    analysis, numbers = self._run.present(MOST)
                    self._present = self._run.status, list(look_ahead(analysis, numbers))
                self.draw()

    def draw(self) -> None:
        """Draw what was seen last."""
        from rich.console import ConsoleDimensions
        from rich.text import Text

        if self._present is None:
            return
        status, outlooks = self._present
        width, height = os.get_terminal_size(sys.stdout.fileno())  # COLUMNS and LINES would outlive a resizing
        self._console.size = ConsoleDimensions(width, height)
        messages = [Message.of(one, self._run, utc=self._utc, wide=width >= NARROW) for one in self._messages]
        shown = Shown(self._title, status, self._rate(status), outlooks, messages)
        picture = Text(no_wrap=True, overflow="crop", end="")
        lines = compose(shown, self._view, width, height, utc=self._utc)
        for number, line in enumerate(lines):
            for span in line:
                picture.append(span.text, span.style)
            picture.append("\n" if number < len(lines) - 1 else "")
        self._display.update(picture, refresh=True)

    def close(self) -> list[str]:
        """Give the terminal back; returns what was noted meanwhile."""
        self._keys.close()
        self._display.stop()
        return self._notes

    def _pressed(self, key: str) -> None:
        self._view.key(key)
        self._run.wake()
        self._pace.hasten()

    def _rate(self, status: Status) -> float:
        when, packets, rate = self._measured
        passed = time.monotonic() - when
        if passed >= 1:
            rate = (status.packets - packets) / passed
            self._measured = time.monotonic(), status.packets, rate
        return rate


class Keys:
    """Reads the keys of the controlling terminal, which standard input need not be, in a thread of its own."""

    def __init__(self, pressed: Callable[[str], None]) -> None:
        """`pressed` is told each; where there is no terminal to read none are."""
        self._pressed = pressed
        self._terminal: int | None = None
        self._wake_reading, self._wake_writing = os.pipe()
        with contextlib.suppress(OSError, termios.error):
            self._terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
            self._before = termios.tcgetattr(self._terminal)
            tty.setcbreak(self._terminal)  # Ctrl-C still interrupts
            self._worker = threading.Thread(target=self._work, daemon=True)
            self._worker.start()

    def close(self) -> None:
        """Leave the terminal as it was."""
        os.write(self._wake_writing, b"x")
        if self._terminal is not None:
            self._worker.join()
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)
            os.close(self._terminal)
        os.close(self._wake_reading)
        os.close(self._wake_writing)

    def _work(self) -> None:
        assert self._terminal is not None
        while True:
            ready, _, _ = select.select([self._terminal, self._wake_reading], [], [])
            if self._wake_reading in ready:
                return
            try:
                octets = os.read(self._terminal, LONGEST_SEQUENCE)
            except OSError:
                return
            for key in keys_of(octets):
                self._pressed(key)


def keys_of(octets: bytes) -> list[str]:
    """The keys that bytes from a terminal mean, as `View.key` takes them."""
    if octets in SEQUENCES:
        return [SEQUENCES[octets]]
    if octets.startswith(b"\x1b"):
        return []
    return [SEQUENCES.get(c.encode(), c) for c in octets.decode(errors="ignore")]
