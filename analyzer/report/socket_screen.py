"""The full-screen view of sockets that are watched, line by line: counts, the sockets, what happened last, the keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from analyzer.model.findings import SEVERITIES
from analyzer.model.quantities import several
from analyzer.model.sockets import Look, Socket, Suspect
from analyzer.report.layout import COLOURS, Shrink, Table, printable
from analyzer.report.painting import Line, Sheet, Span, brief, painted, title_line
from analyzer.report.socket_events import Message
from analyzer.report.socket_orders import ORDERS
from analyzer.report.sockets import HEADINGS, NUMBERS, cells, processes
from analyzer.report.times import clock, zone
from analyzer.report.view import View
from analyzer.tcp import SECOND, State

SUSPECTS = "suspects"
SUSPECT = "suspect"  # the heading
BESIDE = 110  # columns from which on suspects have a column of their own; else they stand where states do
# What a narrow screen does without first.
STEPS = (
    Shrink("recv-q", 0),
    Shrink("send-q", 0),
    Shrink("local", 17),
    Shrink("peer", 21),
    Shrink("process", 20),
    Shrink("keepalive", 0),
    Shrink("local", 0),
    Shrink("peer", 17),
    Shrink("process", 12),
    Shrink("process", 8),
    Shrink("state", 11),
    Shrink("timer", 5),
    Shrink("timer", 0),
    Shrink("process", 0),
)
SOON_S = 0.5
FRESH_S = 3.0  # what is older than this is said to be
HELP = (
    "s        change the order: suspects first, longest idle, next timer, and others",
    "f or /   filter sockets and messages by text: an address, a port, a state, a process, a suspect's rule",
    "Esc      clear the filter",
    "space p  pause and resume; sockets are still looked at",
    "j k      scroll, as do the arrow and page keys; g and G go to the first and the last row",
    "?        close this help",
    "q        quit and print what was seen last",
    "",
    "timer    keepalive: the next probe; on: data waits for its acknowledgement; persist: the peer's window is closed",
    "left     time until the timer fires",
    "lost     probes or retransmissions in a row without a reply",
    "idle     time since the last data",
    "suspect  what is wrong, on a narrow screen instead of the state; `keepalive sockets --suspects` prints the fix, "
    "`keepalive explain sockets` the meaning",
)
KEYS = "q quit  s order  / filter  p pause  ? help"


class Shown(NamedTuple):
    """A look, the worst suspect that each socket belongs to, by its place in memory, and the seconds since then."""

    title: str
    look: Look
    suspect_of: dict[int, Suspect]
    passed: float = 0.0

    @staticmethod
    def of(title: str, look: Look) -> Shown:
        """The worst suspects are the first of a look."""
        return Shown(title, look, {id(one): suspect for suspect in reversed(look.suspects) for one in suspect.sockets})


def view_of(order: str) -> View:
    """What a reader sees first, in this order."""
    return View(order=order, orders=(SUSPECTS, *ORDERS))


def compose(shown: Shown, messages: Sequence[Message], view: View, width: int, height: int) -> list[Line]:
    """All lines of a screen of this size, no longer than it is wide."""
    latest = [one.line for one in messages if not one.line.word or view.fits(one.searched)]
    now = round((shown.look.time + shown.passed) * SECOND)
    when = f"{clock(now, False, '%H:%M:%S')} {zone(now, False)}"
    head = [title_line(f"keepalive sockets  {shown.title}", view, when, width), _counts(shown, width)]
    return painted(Sheet(head, lambda room: _table(shown, view, width, room), latest, HELP, KEYS), view, width, height)


def _counts(shown: Shown, width: int) -> Line:
    look = shown.look
    told = Counter(one.keepalive for one in look.sockets)
    connected = all(one.state is not State.LISTEN for one in look.sockets)
    unknown = f", unknown {told[None]:,}" if told[None] else ""
    found = Span(several(len(look.suspects), "suspect"), COLOURS[look.suspects[0].severity] if look.suspects else "")
    parts = [
        *([f"looked {brief(round(shown.passed * SECOND))} ago"] if shown.passed >= FRESH_S else []),
        several(len(look.sockets), "connection" if connected else "socket"),
        f"keepalive on {told[True]:,}, off {told[False]:,}{unknown}",
        *([f"{processes(look.unseen)} not seen"] if look.unseen else []),
    ]
    return _cut([found, Span("  " + "  ".join(parts))], width)


def _cut(line: Line, width: int) -> Line:
    cut = []
    for span in line:
        cut.append(span._replace(text=span.text[:width]))
        width -= len(cut[-1].text)
    return cut


def _table(shown: Shown, view: View, width: int, height: int) -> list[Line]:
    """The heading, and as many sockets as there is room for."""
    chosen = _chosen(shown, view)
    visible = chosen[view.window(len(chosen), height - 1)]
    headings = (*HEADINGS, SUSPECT) if width >= BESIDE else HEADINGS
    rows = [_cells(one, shown, beside=width >= BESIDE) for one in visible]
    heading, *lines = Table(headings, rows, NUMBERS).fitted(width, STEPS)
    painted_rows = [[Span("  ".join(heading)[:width].ljust(width), "reverse")]]
    for one, row in zip(visible, lines, strict=True):
        suspect = shown.suspect_of.get(id(one))
        painted_rows.append([Span("  ".join(row)[:width].rstrip(), COLOURS[suspect.severity] if suspect else "")])
    if not visible:
        painted_rows.append([Span("no socket" + (" matches the filter" if shown.look.sockets else ""), "dim")])
    return painted_rows


def _chosen(shown: Shown, view: View) -> list[Socket]:
    """Those that the filter lets through, in order."""
    some = shown.look.sockets
    if view.fits("") is False:
        some = [one for one in some if view.fits(_searched(one, shown))]
    if view.order != SUSPECTS:
        return sorted(some, key=ORDERS[view.order])
    found = shown.suspect_of
    return sorted(some, key=lambda one: (-_severity(found.get(id(one))), ORDERS["idle"](one)))


def _severity(suspect: Suspect | None) -> int:
    return -1 if suspect is None else SEVERITIES.index(suspect.severity)


def _rule(one: Socket, shown: Shown) -> str:
    suspect = shown.suspect_of.get(id(one))
    return suspect.rule if suspect else ""


def _searched(one: Socket, shown: Shown) -> str:
    owner = printable(str(one.owners[0])) if one.owners else ""
    return f"{one.netns} {one.local} {one.peer} {one.state.label} {one.timer.value} {owner} {_rule(one, shown)}"


def _cells(one: Socket, shown: Shown, *, beside: bool) -> tuple[str, ...]:
    """As in the list, but for the times: they run on, and take little room. A suspect's rule says its state."""
    idle = "-" if one.idle is None else _brief(one.idle + shown.passed)
    state, *between, process = cells(one, left=_left(one, shown.passed), idle=idle)
    if one.owners:
        holder = one.owners[0].process
        process = printable(f"{holder.command} {holder.pid}")
    rule = _rule(one, shown)
    return (state, *between, process, rule) if beside else (rule or state, *between, process)


def _left(one: Socket, passed: float) -> str:
    if one.timer_left is None:
        return "-"
    left = one.timer_left - passed
    return _brief(left) if left >= SOON_S else "now"


def _brief(seconds: float) -> str:
    return brief(round(seconds * SECOND))
