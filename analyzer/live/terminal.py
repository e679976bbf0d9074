"""The terminal of a live analysis: its screen, drawn as often as is wanted, and what its keys change."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from analyzer.live.canvas import Canvas
from analyzer.live.outlook import look_ahead
from analyzer.live.pace import Pace
from analyzer.model.events import Event
from analyzer.model.status import Outlook, Status
from analyzer.report.painting import Line
from analyzer.report.screen import NARROW, Message, Shown, compose
from analyzer.report.view import View

if TYPE_CHECKING:
    from analyzer.live.session import Live

DRAWN_EVERY_S = 0.5
REMEMBERED = 1000  # events: a filter chooses among them
MOST = 2000  # connections that are looked at: those that say most


class Terminal:
    """Shows a live analysis until it is closed; an observer of it, and a listener."""

    def __init__(self, run: Live, title: str, *, utc: bool, color: bool) -> None:
        """Take the terminal over: what it showed comes back in the end."""
        self._run, self._title, self._utc = run, title, utc
        self._view = View()
        self._messages: deque[Event | str] = deque(maxlen=REMEMBERED)
        self._notes: list[str] = []
        self._pace = Pace(DRAWN_EVERY_S)
        self._measured: tuple[float, int, float] = time.monotonic(), 0, 0.0  # when, packets by then, rate before
        self._present: tuple[Status, list[Outlook]] | None = None
        self._canvas = Canvas(self._pressed, color=color)

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
        if self._present is not None:
            self._canvas.draw(partial(self._composed, *self._present))

    def _composed(self, status: Status, outlooks: list[Outlook], width: int, height: int) -> list[Line]:
        messages = [Message.of(one, self._run, utc=self._utc, wide=width >= NARROW) for one in self._messages]
        shown = Shown(self._title, status, self._rate(status), outlooks, messages)
        return compose(shown, self._view, width, height, utc=self._utc)

    def close(self) -> list[str]:
        """Give the terminal back; returns what was noted meanwhile."""
        self._canvas.close()
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
