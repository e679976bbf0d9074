"""How text is laid out: the width of the terminal, colours, lines and columns that fit."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

UNBROKEN = 10_000  # lines that no terminal breaks
SCREEN = 40  # lines: what a reader has in view
PROSE_WIDTH = 100  # longer lines are hard to read, however wide the terminal is
COLOURS = {"high": "red", "medium": "yellow", "low": "cyan", "info": "green"}
HARD_SPACE = "\xa0"
Style = Callable[[str, str], str]


class Layout(NamedTuple):
    """How to write: `width` is that of the terminal in columns, None where the text goes elsewhere."""

    width: int | None
    utc: bool
    style: Style
    lines: int | None = None  # at most so many, None for all
    full: bool = False  # findings with their evidence, connections one by one

    @property
    def prose(self) -> int:
        """The width of running text."""
        return prose_width(self.width)


def prose_width(terminal: int | None) -> int:
    """The width of running text on a terminal of so many columns, or elsewhere."""
    return min(terminal or PROSE_WIDTH, PROSE_WIDTH)


class Shrink(NamedTuple):
    """A step to make a table narrower: this column to at most this width, 0 to leave it out."""

    heading: str
    width: int


class Table(NamedTuple):
    """Rows of cells under headings; `right` names the columns of numbers."""

    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    right: frozenset[str] = frozenset()

    def fitted(self, width: int | None, steps: Sequence[Shrink], always: Sequence[Shrink] = ()) -> list[list[str]]:
        """The cells, padded, headings first; steps are taken in their order until a line fits into `width`."""
        cells = [self.headings, *self.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.headings))]
        for step in (*always, *steps):
            if step not in always and (width is None or sum(widths) + 2 * sum(one > 0 for one in widths[1:]) <= width):
                break
            place = self.headings.index(step.heading)
            widths[place] = min(widths[place], step.width)
        kept = [i for i, one in enumerate(widths) if one]
        return [[self._padded(row[i], widths[i], i) for i in kept] for row in cells]

    def _padded(self, cell: str, width: int, place: int) -> str:
        text = shortened(cell, width)
        return text.rjust(width) if self.headings[place] in self.right else text.ljust(width)


def printable(text: str) -> str:
    """A name from outside, without what would move a terminal's cursor or fake a line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def shortened(text: str, width: int) -> str:
    """Text of at most this width: what is too long loses some of its middle."""
    if len(text) <= width:
        return text
    tail = width // 2 + 2 if width > 8 else width // 2
    return text[: width - tail - 1] + "…" + text[-tail:]


def entry(name: str, text: str, width: int, column: int, indent: str = "") -> list[str]:
    """A name in a column, and what it means beside it; below it where the terminal is narrow."""
    if width < 2 * column:
        return [f"{indent}{name}", *paragraph(text, width, "    ")]
    first, *further = paragraph(text, width, " " * (len(indent) + column + 1)) or [""]
    return [f"{indent}{name:{column}} {first.strip()}", *further]


@lru_cache(1 << 8)  # one remedy is that of many findings
def paragraph(text: str, width: int, indent: str = "", further: str = "") -> list[str]:
    """Text in lines of at most this width; names of options and settings stay whole, to be copied.

    A word longer than a line is broken, for the terminal would break it, too.
    """
    text = re.sub(r"(?<!\S)(\d[\d.,]*) (?=[a-z])", rf"\1{HARD_SPACE}", text)  # a number and what it counts are one word
    longest = max(map(len, text.split(" ")))
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=further or indent,
        break_on_hyphens=False,
        break_long_words=longest > width - len(further or indent),
    )
    return [line.replace(HARD_SPACE, " ") for line in lines]
