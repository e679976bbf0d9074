"""The screen of a live analysis, line by line: how it stands, its connections, what happened last, the keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from analyzer.model.findings import SEVERITIES
from analyzer.model.status import Outlook, Status
from analyzer.report.layout import COLOURS, printable, shortened
from analyzer.report.times import clock, zone
from analyzer.tcp import SECOND

NARROW = 96  # below so many columns the settings are left out
FEWEST_ROWS = 6  # of connections: a screen that has no more shows no messages
MESSAGES = 6
LEAST_ADDRESS = 12
FAR = 1 << 62


class Span(NamedTuple):
    """Some text in one style: a colour, `bold`, `dim` or `reverse`, or none of them."""

    text: str
    style: str = ""


Line = list[Span]


def _most_urgent(one: Outlook) -> tuple[int, ...]:
    """Those that will be given up first, then those that are probed first, then the longest silent."""
    soonest = (one.dead_in if one.dead_in is not None else FAR, one.probe_in if one.probe_in is not None else FAR)
    return (int(one.over), -min(one.unanswered, 1), *soonest, -one.idle)


def _worst(one: Outlook) -> tuple[int, ...]:
    return (-SEVERITIES.index(one.severity), -one.unanswered, -one.idle)


ORDERS: dict[str, Callable[[Outlook], tuple[int, ...]]] = {
    "next": _most_urgent,
    "worst": _worst,
    "idle": lambda one: (int(one.over), -one.idle),
    "newest": lambda one: (-one.stream,),
}
HELP = (
    "s        order: what happens next, worst verdict, longest idle, newest",
    "f or /   show what contains some text: an address, a port, a verdict",
    "Esc      show all",
    "space    stand still, and go on; packets are read all the while",
    "j k, arrows, page keys, g G    move",
    "q        end, with the result",
    "",
    "idle     since its last packet",
    "probe    when its next keepalive probe is due",
    "lost     probes in a row that nothing answered",
    "dead     when its prober gives it up, if nothing answers",
    "settings tcp_keepalive_time/intvl/probes, as far as they are known",
)
KEYS = "q end  s order  f filter  space pause  ? help"


@dataclass
class View:
    """What the reader wants to see; `key` changes it."""

    order: str = "next"
    filter: str = ""
    typing: str | None = None  # a filter that is not complete yet
    paused: bool = False
    help: bool = False
    first: int = 0  # the first connection shown
    rows: int = 1  # how many were shown
    ended: bool = False

    def key(self, key: str) -> None:
        """A key was pressed: its character, or `up`, `down`, `page-up`, `page-down`, `escape`, `enter`, `erase`."""
        if self.typing is not None:
            self._type(key, self.typing)
            return
        moves = {"up": -1, "k": -1, "down": 1, "j": 1, "page-up": -self.rows, "page-down": self.rows}
        if self.help:
            self.help = False
        elif key in moves:
            self.first = max(self.first + moves[key], 0)
        elif key in ("g", "G"):
            self.first = 0 if key == "g" else FAR
        elif key == "s":
            names = list(ORDERS)
            self.order = names[(names.index(self.order) + 1) % len(names)]
        elif key == " ":
            self.paused = not self.paused
        self.typing = self.filter if key in ("f", "/") else None
        self.filter = "" if key == "escape" else self.filter
        self.help = key in ("?", "h") and not self.help
        self.ended |= key == "q"

    def _type(self, key: str, text: str) -> None:
        if key in ("enter", "escape"):
            self.filter, self.typing, self.first = text if key == "enter" else self.filter, None, 0
        elif key == "erase":
            self.typing = text[:-1]
        elif len(key) == 1 and key.isprintable():
            self.typing = text + key

    def chosen(self, all_of_them: Sequence[Outlook]) -> list[Outlook]:
        """Those to be shown, in order."""
        wanted = (self.filter if self.typing is None else self.typing).lower()
        found = [
            one for one in all_of_them if wanted in f"#{one.stream} {one.client} {one.server} {one.verdict}".lower()
        ]
        return sorted(found, key=ORDERS[self.order])


class Shown(NamedTuple):
    """What there is to show; `messages` are lines of what happened, the newest last."""

    title: str
    status: Status
    rate: float  # packets a second
    outlooks: Sequence[Outlook]
    messages: Sequence[str]


def compose(shown: Shown, view: View, width: int, height: int, *, utc: bool) -> list[Line]:
    """All lines of a screen of this size, no longer than it is wide."""
    head = [_title(shown, view, width, utc=utc), _counts(shown, width)]
    if view.help:
        lines = [[], *([Span(text)] for text in HELP)]
    else:
        messages = MESSAGES if height >= len(head) + 2 + FEWEST_ROWS + MESSAGES else 0
        lines = _table(shown, view, width, height - len(head) - 1 - messages)
        if messages:
            latest = [[Span(printable(text)[:width], "dim")] for text in shown.messages[-messages + 1 :]]
            lines += [[Span("─" * width, "dim")], *latest]
    lines = [*head, *lines][: height - 1]
    return [*lines, *([[]] * (height - 1 - len(lines))), _foot(view, width)]


def _title(shown: Shown, view: View, width: int, *, utc: bool) -> Line:
    now = shown.status.now
    when = f"{clock(now, utc, '%H:%M:%S')} {zone(now, utc)}" if now else ""
    left = f"keepalive live  {printable(shown.title)}"
    mark = "PAUSED  " if view.paused else ""
    room = max(width - len(mark) - len(when), 0)
    return [Span(shortened(left, room).ljust(room), "bold"), Span(mark, "reverse"), Span(when)]


def _counts(shown: Shown, width: int) -> Line:
    status = shown.status
    dead = sum(one.verdict == "dead_peer" for one in shown.outlooks)
    asking = sum(one.unanswered > 0 and not one.over for one in shown.outlooks)
    left = status.streams - status.connections
    parts = [  # what matters most first: a narrow screen cuts the end off
        *([f"{status.dropped:,} DROPPED"] if status.dropped else []),
        *([f"{status.lag:.1f} s BEHIND"] if status.lag >= 1 else []),
        f"{status.connections:,} connections" + (f" (and {left:,} left)" if left else ""),
        f"{status.idle:,} idle",
        f"{asking:,} unanswered",
        f"{dead:,} dead",
        f"{status.packets:,} packets",
        f"{shown.rate:,.0f}/s",
        *([f"{status.left_open:,} left early"] if status.left_open else []),
    ]
    return [Span("  ".join(parts)[:width])]


def _table(shown: Shown, view: View, width: int, height: int) -> list[Line]:
    """The heading, and as many connections as there is room for."""
    chosen = view.chosen(shown.outlooks)
    view.rows = max(height - 1, 1)
    view.first = max(min(view.first, len(chosen) - view.rows), 0)
    visible = chosen[view.first : view.first + view.rows]
    wide = width >= NARROW
    cells = [_cells(one, wide=wide) for one in visible]
    heading = ("#", "client", "server", "idle", "probe", "lost", "dead", *(("settings",) if wide else ()), "verdict")
    widths = [max(len(row[i]) for row in [heading, *cells]) for i in range(len(heading))]
    _fit(widths, width)
    lines = [[Span(_row(heading, widths).ljust(width), "reverse")]]
    for one, row in zip(visible, cells, strict=True):
        *others, verdict = row
        style = "dim" if one.over and one.severity == "info" else ""
        urgent = "bold" if one.unanswered and not one.over else style
        text = _row(tuple(others), widths[:-1]) + "  "
        lines.append([Span(text, urgent), Span(shortened(verdict, widths[-1]), style or COLOURS[one.severity])])
    if not visible:
        lines.append([Span("no connection" + (" that fits the filter" if shown.outlooks else " yet"), "dim")])
    return lines


def _fit(widths: list[int], width: int) -> None:
    """Make columns narrower until the row fits: the two addresses first, then the verdict."""
    excess = sum(widths) + 2 * (len(widths) - 1) - width
    while excess > 0:
        place = 1 if widths[1] >= widths[2] else 2
        if widths[place] <= LEAST_ADDRESS:
            widths[-1] = max(widths[-1] - excess, 1)
            return
        widths[place] -= 1
        excess -= 1


def _row(cells: tuple[str, ...], widths: Sequence[int]) -> str:
    parts = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        text = shortened(cell, width)
        parts.append(text.rjust(width) if place in (0, 3, 4, 5, 6) else text.ljust(width))
    return "  ".join(parts)


def _cells(one: Outlook, *, wide: bool) -> tuple[str, ...]:
    ahead = "" if one.probe_in is None else "now" if abs(one.probe_in) < SECOND // 2 else brief(one.probe_in)
    return (
        str(one.stream),
        str(one.client),
        str(one.server),
        "" if one.over else brief(one.idle),
        ahead,
        str(one.unanswered) if one.unanswered else "",
        "" if one.dead_in is None else brief(max(one.dead_in, 0)),
        *((one.settings,) if wide else ()),
        one.verdict,
    )


def brief(nanoseconds: int) -> str:
    """A span of time in six characters: `12s`, `4m10s`, `2h05m`, `3d04h`; what is over has a minus."""
    s = round(abs(nanoseconds) / SECOND)
    sign = "-" if nanoseconds < 0 and s else ""
    for unit, below, part, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if s >= unit:
            return f"{sign}{s // unit}{below}{s % unit // part:02}{smaller}"
    return f"{sign}{s}s"


def _foot(view: View, width: int) -> Line:
    if view.typing is not None:
        return [Span("show what contains: "), Span(view.typing + "_", "bold")]
    parts = [KEYS, f"order: {view.order}", *([f"filter: {view.filter}"] if view.filter else [])]
    return [Span(shortened("   ".join(parts), width), "dim")]
