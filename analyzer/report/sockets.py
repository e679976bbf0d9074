"""This host's sockets for a reader: what leaks or waits, what to do, and the sockets, the worst first."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO

from analyzer.model.quantities import duration, several
from analyzer.model.sockets import Socket, Suspect, Timer
from analyzer.report.layout import COLOURS, Layout, Shrink, Table, paragraph, printable
from analyzer.tcp import SECOND

HEADINGS = ("state", "local", "peer", "keepalive", "timer", "left", "lost", "idle", "send-q", "recv-q", "process")
NUMBERS = frozenset(("left", "lost", "idle", "send-q", "recv-q"))
# What a narrow screen does without first.
STEPS = (
    Shrink("recv-q", 0),
    Shrink("process", 24),
    Shrink("send-q", 0),
    Shrink("local", 15),
    Shrink("peer", 17),
    Shrink("process", 14),
    Shrink("keepalive", 0),
    Shrink("local", 0),
    Shrink("state", 8),
    Shrink("process", 8),
    Shrink("lost", 0),
    Shrink("peer", 13),
    Shrink("timer", 5),
    Shrink("state", 5),
)
FOUND_AT_MOST = 8  # suspects with all that is known of them, where lines are few


def write_sockets(
    sockets: Sequence[Socket], suspects: Sequence[Suspect], notes: Sequence[str], layout: Layout, out: TextIO
) -> None:
    """Write them, in at most `layout.lines` lines; `notes` are what could not be seen."""
    lines = list(_head(sockets, suspects, layout))
    for note in notes:
        lines += paragraph(note, layout.prose, "", "  ")
    room = None if layout.lines is None else max(layout.lines - len(lines) - 8, 4)
    lines += _suspects(suspects, layout, room)
    room = len(sockets) if layout.lines is None else max(layout.lines - len(lines) - 3, 1)
    if sockets:
        lines += ["", *table_lines(sockets[:room], layout)]
    if len(sockets) > room:
        lines.append(f"... and {several(len(sockets) - room, 'more socket')} (--limit 0 shows them)")
    out.writelines(f"{line}\n" for line in lines)


def processes(number: int) -> str:
    """`1 process`, `2 processes`."""
    return f"{number:,} process{'' if number == 1 else 'es'}"


def notes_of(unseen: int, idle_known: bool) -> list[str]:
    """What could not be seen, in sentences."""
    notes = []
    if unseen:
        hint = "even to root" if os.geteuid() == 0 else "to this user: run as root for the owners of all"
        notes.append(f"The descriptors of {processes(unseen)} are not visible {hint}.")
    if not idle_known:
        notes.append("Idle times are not known here, so no socket is called silent.")
    return notes


def _head(sockets: Sequence[Socket], suspects: Sequence[Suspect], layout: Layout) -> Iterator[str]:
    """The worst, what to do, and how many sockets there are."""
    if suspects:
        worst = suspects[0]
        yield from paragraph(f"{worst.summary} ({worst.confidence}).", layout.prose, "", "  ")
        yield from paragraph(f"Do first: {worst.remedy}", layout.prose, "", "  ")
        yield ""
    states = Counter(one.state for one in sockets)
    counts = ", ".join(f"{count:,} {state.label}" for state, count in states.most_common())
    told = Counter(one.keepalive for one in sockets)
    asked = f"; keepalive on {told[True]:,}, off {told[False]:,}" + (f", unknown {told[None]:,}" if told[None] else "")
    yield from paragraph(
        f"{several(len(sockets), 'TCP socket')}: {counts}{asked}" if sockets else "No TCP socket is selected.",
        layout.prose,
        "",
        "  ",
    )


def _suspects(suspects: Sequence[Suspect], layout: Layout, room: int | None) -> list[str]:
    lines: list[str] = []
    for place, one in enumerate(suspects):
        block = ["", *_suspect(one, layout, short=place == 0 and not layout.full)]
        if room is not None and len(lines) + len(block) > room:
            left = len(suspects) - place
            return [*lines, f"... and {several(left, 'more suspect')} (--limit 0 shows them)"]
        lines += block
    return lines


def _suspect(one: Suspect, layout: Layout, *, short: bool) -> Iterator[str]:
    """What is found, what shows it, and the fix; in short where the first lines have said the rest."""
    first, *rest = paragraph(
        f"{one.severity.upper()} {one.rule}: {several(len(one.sockets), 'socket')}, {one.confidence}",
        layout.prose,
        "",
        "  ",
    )
    yield layout.style(one.severity.upper(), COLOURS[one.severity]) + first.removeprefix(one.severity.upper())
    yield from rest
    body = [f"Seen: {one.observed}."] if short else [f"{one.summary}.", f"Seen: {one.observed}.", f"Fix: {one.remedy}"]
    for part in body:
        yield from paragraph(part, layout.prose, "  ", "    ")


def table_lines(sockets: Sequence[Socket], layout: Layout) -> list[str]:
    """The sockets, one on each line, under their headings."""
    table = Table(HEADINGS, [cells(one, _span(one.timer_left), _span(one.idle)) for one in sockets], NUMBERS)
    return ["  ".join(row).rstrip() for row in table.fitted(layout.width, STEPS)]


def cells(one: Socket, left: str, idle: str) -> tuple[str, ...]:
    """One for each of HEADINGS; the times as they are given."""
    owner = one.owners[0] if one.owners else None
    more = f" +{len(one.owners) - 1}" if len(one.owners) > 1 else ""
    runs = one.timer not in (Timer.NONE, Timer.UNKNOWN)
    return (
        one.state.label,
        str(one.local),
        str(one.peer),
        _keepalive(one),
        one.timer.value if runs else "-",
        left if runs else "-",
        str(one.unanswered) if one.unanswered else "-",
        idle,
        str(one.send_queue) if one.send_queue else "-",
        str(one.recv_queue) if one.recv_queue else "-",
        printable(f"{owner}{more}") if owner else "-",
    )


def _keepalive(one: Socket) -> str:
    """`60/10/3` where its options are known, else whether it is on."""
    if one.options is not None and one.options.keepalive:
        return f"{one.options.idle}/{one.options.interval}/{one.options.probes}"
    return {True: "on", False: "off", None: "?"}[one.keepalive]


def _span(seconds: float | None) -> str:
    return "-" if seconds is None else duration(round(seconds * SECOND))
