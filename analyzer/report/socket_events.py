"""What happens to sockets that are watched, a line each: for a reader, or one JSON object with its `type`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from analyzer.model.quantities import duration, several
from analyzer.model.sockets import Change, Look, Socket, Suspect
from analyzer.report.event_lines import EventLine
from analyzer.report.layout import printable
from analyzer.report.socket_records import record, suspect_record
from analyzer.report.times import clock
from analyzer.tcp import SECOND, State

WORD_WIDTH = 9  # withdrawn


class Message(NamedTuple):
    """A line, and all that a filter looks at; a note, which has no word, is always shown."""

    line: EventLine
    searched: str


def message_of(what: Change | str) -> Message:
    """A change, or a note."""
    if isinstance(what, str):
        return Message(EventLine("", "", printable(what), "info"), "")
    line = event_line(what)
    return Message(line, str(line))


def event_line(change: Change, *, full: bool = False) -> EventLine:
    """The time, what happened, and to whom; `full` adds the fix of a suspect."""
    severity = "info"
    if change.suspect is not None:
        said = _of_suspect(change.suspect, withdrawn=change.kind == "withdrawn", full=full)
        severity = severity if change.kind == "withdrawn" else change.suspect.severity
    else:
        assert change.socket is not None
        said = _ends(change.socket) + _news(change, change.socket) + _holder(change.socket)
    return EventLine(_clock(change.time), change.kind, printable(said), severity, WORD_WIDTH)


def _of_suspect(one: Suspect, *, withdrawn: bool, full: bool) -> str:
    if withdrawn:
        where = f" {one.service}" if one.service is not None and one.service.port else ""
        who = f" of pid {one.pid}" if one.pid else ""
        return f"{one.rule}{who}{where}"
    said = f"{one.severity.upper()} {one.rule}: {one.summary}"
    return f"{said}. Seen: {one.observed}. Fix: {one.remedy}" if full else said


def _ends(one: Socket) -> str:
    where = f"{one.netns}: " if one.netns else ""
    return f"{where}{one.local}" + ("" if one.state is State.LISTEN else f" > {one.peer}")


def _news(change: Change, one: Socket) -> str:
    if change.kind != "timer":
        return f" {one.state.label}"
    left = "" if one.timer_left is None else f", {duration(round(one.timer_left * SECOND))} left"
    if change.why == "unanswered":
        return f" {one.timer.value}: {one.unanswered} without a reply, {change.unanswered_before} before{left}"
    if change.why == "re-armed":
        return f" {one.timer.value} set again{left}"
    return f" keepalive is {'on' if one.keepalive else 'off'} now{left}"


def _holder(one: Socket) -> str:
    return f"  {one.owners[0]}" if one.owners else ""


def _clock(time: float) -> str:
    return clock(round(time * SECOND), False, "%H:%M:%S")


def text_lines(look: Look, *, first: bool, full: bool) -> Iterator[EventLine]:
    """What is new in a look; of the first how much there is."""
    if first:
        said = f"{several(len(look.sockets), 'TCP socket')}, {several(len(look.suspects), 'suspect')}"
        yield EventLine(_clock(look.time), "watching", said, "info", WORD_WIDTH)
    for change in look.changes:
        yield event_line(change, full=full)


def json_lines(look: Look, *, first: bool) -> Iterator[str]:
    """The same as objects, with the fields of a socket or of a suspect."""
    if first:
        head = {"unseen_processes": look.unseen, "sockets": len(look.sockets), "suspects": len(look.suspects)}
        yield json.dumps({"type": "snapshot", "time": look.time, **head})
    for change in look.changes:
        yield json.dumps({"type": change.kind, "time": change.time, **_fields(change)})


def _fields(change: Change) -> dict[str, Any]:
    if change.suspect is not None:
        one = change.suspect
        service = None if one.service is None else {"address": one.service.address or None, "port": one.service.port}
        return {**suspect_record(one), "pid": one.pid or None, "service": service}
    assert change.socket is not None
    more = {"why": change.why, "unanswered_before": change.unanswered_before} if change.kind == "timer" else {}
    return {**more, **record(change.socket)}
