"""Topics of the manual, and texts like them, as blocks: paragraphs, items of lists, lines of code."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

# In the order of a reader who begins; the manual page has them in this order, too.
ORDER = (
    "capturing",
    "reading",
    "selectors",
    "formats",
    "settings",
    "decisions",
    "heartbeats",
    "captures",
    "advise",
    "live",
    "sockets",
    "scan",
    "privileges",
    "report",
    "charts",
    "wireshark",
    "python",
    "speed",
    "exit-status",
)


class Block(NamedTuple):
    """A part of a text: `paragraph`, `item` (of a list) or `code` (lines that stay as they are)."""

    kind: str
    text: str


class Topic(NamedTuple):
    """A page of the manual."""

    name: str
    title: str
    body: str


@cache
def topics() -> dict[str, Topic]:
    """All pages by name, in the order of the manual."""
    folder = files("analyzer.manual") / "topics"
    return {name: _topic(name, (folder / f"{name}.md").read_text(encoding="utf-8")) for name in ORDER}


def _topic(name: str, text: str) -> Topic:
    title, _, body = text.partition("\n")
    return Topic(name, title.removeprefix("# "), body.strip("\n"))


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a text: blank lines divide them, `- ` begins an item, four spaces a line of code."""
    lines: list[str] = []
    kind = "paragraph"

    def ended() -> Iterator[Block]:
        if lines:
            yield Block(kind, ("\n" if kind == "code" else " ").join(lines))
            lines.clear()

    for line in text.splitlines():
        if not line.strip():
            yield from ended()
        elif line.startswith("    "):
            if kind != "code":
                yield from ended()
            kind = "code"
            lines.append(line[4:])
        elif line.startswith("- "):
            yield from ended()
            kind = "item"
            lines.append(line[2:])
        else:
            if not lines or kind == "code":
                yield from ended()
                kind = "paragraph"
            lines.append(line.strip())
    yield from ended()
