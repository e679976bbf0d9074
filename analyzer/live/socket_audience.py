"""Who is told of sockets that are watched: a reader of lines, or of the screen."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TextIO

from analyzer.live.canvas import Canvas
from analyzer.live.pace import SHARE
from analyzer.live.sockets_watch import Watching
from analyzer.model.sockets import Look
from analyzer.report.layout import Style
from analyzer.report.painting import Line
from analyzer.report.socket_events import Message, json_lines, message_of, text_lines
from analyzer.report.socket_screen import SUSPECTS, Shown, compose, view_of
from analyzer.report.sockets import notes_of

DRAWN_EVERY_S = 0.5
REMEMBERED = 1000  # messages: a filter chooses among them
NEVER = 600.0
TIMER = "timer"


class Lines:
    """Each change as a line as soon as it is seen."""

    every_s = NEVER

    def __init__(
        self, out: TextIO, note: Callable[[str], None], style: Style, width: Callable[[], int | None], *, full: bool
    ) -> None:
        """`full`: with the fix of each suspect."""
        self._out, self._note, self._style, self._width, self._full = out, note, style, width, full
        self._first = True

    def listen(self, look: Look) -> None:
        """Write what is new."""
        if self._first:
            for text in notes_of(look.unseen, look.idle_known):
                self._note(text)
        lines = text_lines(look, first=self._first, full=self._full)
        width = None if self._full else self._width()
        self._out.writelines(f"{line.fitted(width).styled(self._style)}\n" for line in lines)
        self._out.flush()
        self._first = False

    def draw(self) -> None:
        """Lines do not change."""


class Objects:
    """The same as JSON objects."""

    every_s = NEVER

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._first = True

    def listen(self, look: Look) -> None:
        """Write what is new."""
        self._out.writelines(f"{line}\n" for line in json_lines(look, first=self._first))
        self._out.flush()
        self._first = False

    def draw(self) -> None:
        """Objects do not change."""


class Screen:
    """Shows the sockets on all of the terminal, until it is closed."""

    def __init__(self, run: Watching, title: str, order: str | None, *, color: bool) -> None:
        """Take the terminal over; keys may stop the watching."""
        self._run, self._title = run, title
        self.every_s = DRAWN_EVERY_S
        self._view = view_of(order or SUSPECTS)
        self._messages: deque[Message] = deque(maxlen=REMEMBERED)
        self._look: Look | None = None
        self._shown: Shown | None = None
        self._canvas = Canvas(self._pressed, color=color)

    def listen(self, look: Look) -> None:
        """What is new is a message, but for timers: the rows show them. They wait for the next drawing."""
        if self._look is None:
            self._messages.extend(map(message_of, notes_of(look.unseen, look.idle_known)))
        self._messages.extend(message_of(change) for change in look.changes if change.kind != TIMER)
        self._look = look

    def draw(self) -> None:
        """Draw, with the timers as they are now: they run between the looks, too."""
        if self._look is None:
            return
        if self._shown is None or not self._view.paused:
            if self._shown is None or self._shown.look is not self._look:
                self._shown = Shown.of(self._title, self._look)
            self._shown = self._shown._replace(passed=time.monotonic() - self._look.began)
        began = time.monotonic()
        self._canvas.draw(partial(self._composed, self._shown))
        self.every_s = max(DRAWN_EVERY_S, (time.monotonic() - began) / SHARE)

    def _composed(self, shown: Shown, width: int, height: int) -> list[Line]:
        return compose(shown, list(self._messages), self._view, width, height)

    def close(self) -> None:
        """Give the terminal back."""
        self._canvas.close()

    def _pressed(self, key: str) -> None:
        self._view.key(key)
        if self._view.ended:
            self._run.stop()
        self._run.wake()
