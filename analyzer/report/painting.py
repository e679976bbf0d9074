"""What full-screen views are painted of: spans in a style, and a frame of head, table, messages and keys."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

from analyzer.report.event_lines import EventLine
from analyzer.report.layout import COLOURS, printable, shortened
from analyzer.report.view import HELP_INDENT, View
from analyzer.tcp import SECOND

FEWEST_ROWS = 6  # of the table: a screen that has no more shows no messages
MESSAGES = 6


class Span(NamedTuple):
    """Some text in one style: a colour, `bold`, `dim` or `reverse`, or none of them."""

    text: str
    style: str = ""


Line = list[Span]


class Sheet(NamedTuple):
    """The parts of a screen; the newest of the messages is the last."""

    head: Sequence[Line]
    table: Callable[[int], list[Line]]  # of at most so many lines
    messages: Sequence[EventLine]
    help: Sequence[str]
    keys: str


def painted(sheet: Sheet, view: View, width: int, height: int) -> list[Line]:
    """All lines of a screen of this size."""
    if view.help:
        indent = " " * HELP_INDENT
        wrapped = (
            textwrap.wrap(text, max(width, 2 * HELP_INDENT), subsequent_indent=indent) or [""] for text in sheet.help
        )
        lines = [[], *([Span(text)] for lines in wrapped for text in lines)]
    else:
        least = len(sheet.head)
        messages = MESSAGES if height >= least + 2 + FEWEST_ROWS + MESSAGES else 0
        lines = sheet.table(height - least - 1 - messages)
        if messages:
            room = height - least - len(lines) - 2  # a short table leaves more
            lines += [[Span("─" * width, "dim")], *(_message(line, width) for line in sheet.messages[-room:])]
    lines = [*sheet.head, *lines][: height - 1]
    return [*lines, *([[]] * (height - 1 - len(lines))), _foot(sheet.keys, view, width)]


def title_line(title: str, view: View, when: str, width: int) -> Line:
    """The first line: what is shown, whether it is paused, and the time."""
    mark = "PAUSED  " if view.paused else ""
    room = max(width - len(mark) - len(when), 0)
    return [Span(shortened(printable(title), room).ljust(room), "bold"), Span(mark, "reverse"), Span(when)]


def _message(line: EventLine, width: int) -> Line:
    if not line.word:
        return [Span(shortened(line.rest, width), "dim")]
    time, word, rest = line.fitted(width).parts
    if line.severity == "info":
        return [Span(f"{time} {word} {rest}", "dim")]
    return [Span(f"{time} ", "dim"), Span(word, COLOURS[line.severity]), Span(f" {rest}")]


def _foot(keys: str, view: View, width: int) -> Line:
    if view.typing is not None:
        return [Span("filter: "), Span(view.typing + "_", "bold")]
    parts = [keys, f"order: {view.order}", *([f"filter: {view.filter}"] if view.filter else [])]
    return [Span(shortened("   ".join(parts), width), "dim")]


def begun(text: str, width: int) -> str:
    """What is too long loses its end: what matters most comes first."""
    return text if len(text) <= width else text[: width - 1] + "…"


def brief(nanoseconds: int) -> str:
    """A span of time in six characters: `12s`, `4m10s`, `2h05m`, `3d04h`; what is over has a minus."""
    s = round(abs(nanoseconds) / SECOND)
    sign = "-" if nanoseconds < 0 and s else ""
    for unit, below, part, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if s >= unit:
            return f"{sign}{s // unit}{below}{s % unit // part:02}{smaller}"
    return f"{sign}{s}s"
