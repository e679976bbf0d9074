"""A terminal that is taken over: lines are painted on all of it, and its keys are read."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.report.painting import Line

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


class Canvas:
    """The whole of a terminal until it is closed."""

    def __init__(self, pressed: Callable[[str], None], *, color: bool) -> None:
        """Take the terminal over: what it showed comes back in the end. `pressed` is told each key, in a thread."""
        from rich.console import Console
        from rich.live import Live as Display

        self._console = Console(file=sys.stdout, highlight=False, no_color=True if not color else None)
        self._display = Display(console=self._console, screen=True, auto_refresh=False)
        self._display.start()
        self._keys = Keys(pressed)

    def draw(self, compose: Callable[[int, int], list[Line]]) -> None:
        """Paint the lines that this makes for the width and the height of the terminal as it is now."""
        from rich.console import ConsoleDimensions
        from rich.text import Text

        width, height = os.get_terminal_size(sys.stdout.fileno())  # COLUMNS and LINES would outlive a resizing
        self._console.size = ConsoleDimensions(width, height)
        picture = Text(no_wrap=True, overflow="crop", end="")
        lines = compose(width, height)
        for number, line in enumerate(lines):
            for span in line:
                picture.append(span.text, span.style)
            picture.append("\n" if number < len(lines) - 1 else "")
        self._display.update(picture, refresh=True)

    def close(self) -> None:
        """Give the terminal back."""
        self._keys.close()
        self._display.stop()


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
