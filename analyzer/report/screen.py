"""The screen of a live analysis, line by line: how it stands, its connections, what happened last, the keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analyzer.model.events import Event
from analyzer.model.status import Outlook, Status
from analyzer.report import analysed
from analyzer.report.event_lines import EventLine, event_line
from analyzer.report.layout import COLOURS, printable, shortened
from analyzer.report.painting import Line, Sheet, Span, begun, brief, painted, title_line
from analyzer.report.times import clock, zone
from analyzer.report.view import HELP, KEYS, View
from analyzer.tcp import SECOND

NARROW = 96
# Headings, and the width of a screen from which on they are shown.
COLUMNS = (
    ("#", 0),
    ("client", 0),
    ("server", 0),
    ("idle", 0),
    ("probe", 76),
    ("lost", 76),
    ("dead", 0),
    ("settings", NARROW),
    ("verdict", 0),
)
NUMBERS = {"#", "idle", "probe", "lost", "dead"}
LEAST_ADDRESS = 12


class Message(NamedTuple):
    """A line of what happened, and all that a filter looks at; a note, which has no word, is always shown."""

    line: EventLine
    searched: str

    @staticmethod
    def of(event: Event | str, analysis: analysed.Shown, *, utc: bool, wide: bool) -> Message:
        """As there is room for it: a finding names its ends itself."""
        if isinstance(event, str):
            return Message(EventLine("", "", printable(event), "info"), "")
        whole = event_line(event, analysis, utc=utc)
        return Message(event_line(event, analysis, utc=utc, ends=wide and event.finding is None), str(whole))


class Shown(NamedTuple):
    """What there is to show; the newest of the messages is the last."""

    title: str
    status: Status
    rate: float  # packets a second
    outlooks: Sequence[Outlook]
    messages: Sequence[Message]


def compose(shown: Shown, view: View, width: int, height: int, *, utc: bool) -> list[Line]:
    """All lines of a screen of this size, no longer than it is wide."""
    latest = [one.line for one in shown.messages if not one.line.word or view.fits(one.searched)]
    sheet = Sheet(
        [_title(shown, view, width, utc=utc), _counts(shown, width)],
        lambda room: _table(shown, view, width, room, utc=utc),
        latest,
        HELP,
        KEYS,
    )
    return painted(sheet, view, width, height)


def _title(shown: Shown, view: View, width: int, *, utc: bool) -> Line:
    now = shown.status.now
    when = f"{clock(now, utc, '%H:%M:%S')} {zone(now, utc)}" if now else ""
    return title_line(f"keepalive live  {shown.title}", view, when, width)


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


def _table(shown: Shown, view: View, width: int, height: int, *, utc: bool) -> list[Line]:
    """The heading, and as many connections as there is room for."""
    chosen = view.chosen(shown.outlooks)
    visible = chosen[view.window(len(chosen), height - 1)]
    places = [place for place, (_, least) in enumerate(COLUMNS) if width >= least]
    heading = tuple(COLUMNS[place][0] for place in places)
    cells = [tuple(_cells(one)[place] for place in places) for one in visible]
    widths = [max(len(row[i]) for row in [heading, *cells]) for i in range(len(heading))]
    _fit(widths, width, max([len(one.verdict) for one in visible], default=0))
    lines = [[Span(_row(heading, heading, widths).ljust(width), "reverse")]]
    for one, row in zip(visible, cells, strict=True):
        style = "dim" if one.over and one.severity == "info" else ""
        urgent = "bold" if one.unanswered and not one.over else style
        text = _row(row[:-1], heading, widths) + "  "
        if one.ending:
            text = _over_what_is_next(text, heading, widths, _ended(one, utc=utc))
        lines.append([Span(text, urgent), Span(begun(row[-1], widths[-1]), style or COLOURS[one.severity])])
    if not visible:
        lines.append([Span("no connection" + (" matches the filter" if shown.outlooks else " yet"), "dim")])
    return lines


def _ended(one: Outlook, *, utc: bool) -> str:
    """When and how, without the why, which the verdict has beside it."""
    when = "" if one.ended_at is None else f"{clock(one.ended_at, utc, '%H:%M:%S')} "
    return when + one.ending.partition(":")[0]


def _over_what_is_next(row: str, heading: Sequence[str], widths: Sequence[int], ended: str) -> str:
    """The row of a connection that is over: how it ended stands where the others have what comes next."""
    first, last = heading.index("idle"), heading.index("dead")
    start = sum(widths[:first]) + 2 * first
    span = sum(widths[first : last + 1]) + 2 * (last - first)
    return row[:start] + begun(ended, span).ljust(span) + row[start + span :]


def _fit(widths: list[int], width: int, verdict: int) -> None:
    """Make columns narrower until the row fits: why it ended first, then the two addresses, then the verdict."""
    excess = sum(widths) + 2 * (len(widths) - 1) - width
    spared = min(max(excess, 0), widths[-1] - max(verdict, len(COLUMNS[-1][0])))
    widths[-1] -= spared
    excess -= spared
    while excess > 0:
        place = 1 if widths[1] >= widths[2] else 2
        if widths[place] <= LEAST_ADDRESS:
            widths[-1] = max(widths[-1] - excess, 1)
            return
        widths[place] -= 1
        excess -= 1


def _row(cells: Sequence[str], heading: Sequence[str], widths: Sequence[int]) -> str:
    parts = []
    for cell, name, width in zip(cells, heading, widths, strict=False):  # a row may lack its end
        text = shortened(cell, width)
        parts.append(text.rjust(width) if name in NUMBERS else text.ljust(width))
    return "  ".join(parts)


def _cells(one: Outlook) -> tuple[str, ...]:
    """One for each of COLUMNS."""
    why = one.ending.partition(": ")[2]
    ahead = "" if one.probe_in is None else "now" if abs(one.probe_in) < SECOND // 2 else brief(one.probe_in)
    return (
        str(one.stream),
        str(one.client),
        str(one.server),
        "" if one.over else brief(one.idle),
        ahead,
        str(one.unanswered) if one.unanswered else "",
        "" if one.dead_in is None else brief(max(one.dead_in, 0)),
        one.settings,
        f"{one.verdict}: {why}" if why else one.verdict,
    )
