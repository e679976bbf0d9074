"""Events as they happen, a line each: for a reader, or one JSON object with its `type`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TextIO

from analyzer.model.events import Event
from analyzer.report.analysed import Shown
from analyzer.report.json import Writer
from analyzer.report.json import text as quoted
from analyzer.report.layout import printable
from analyzer.report.times import clock_with_fraction


def text_line(event: Event, analysis: Shown, *, utc: bool, ends: bool = True) -> str:
    """One line: the time, the stream, its ends unless they are known already, and what happened."""
    where = "" if event.stream is None else f"#{event.stream} "
    if where and ends:
        where += f"{event.client} > {event.server} "
    return printable(f"{clock_with_fraction(event.time, utc)} {where}{event.kind}{_details(event, analysis)}")


def _details(event: Event, analysis: Shown) -> str:
    if event.finding is not None:
        return f": {event.finding.severity} {event.finding.rule}: {event.finding.summary}"
    facts = {name: value for name, value in event.facts.items() if value is not None}
    shown = {
        name: analysis.frame_text(value) if name.endswith("frame") and isinstance(value, int) else str(value)
        for name, value in facts.items()
    }
    if "sender" in shown:
        answer = f" in frame {shown['answer_frame']}" if "answer_frame" in shown else ""
        return f": {shown['sender']}'s frame {shown['frame']}{answer}"
    by = f" by {shown.pop('by')}" if "by" in shown else ""
    parts = [
        f"{text} unanswered" if name == "unanswered" else f"frame {text}" if name == "frame" else text
        for name, text in shown.items()
    ]
    return by + (f": {', '.join(parts).replace('_', ' ')}" if parts else "")


def json_line(event: Event, writer: Writer) -> str:
    """The same as an object: `type`, `time`, `stream`, `client`, `server`, and what belongs to its type."""
    stream = "null" if event.stream is None else event.stream
    more = ""
    for name, value in event.facts.items():
        if value is None:
            shown = "null"
        elif isinstance(value, str):
            shown = quoted(value)
        else:
            shown = writer.frame(value) if name.endswith("frame") else str(value)
        more += f', "{name}": {shown}'
    if event.finding is not None:
        more += f', "finding": {writer.finding(event.finding)}'
    begin = f'{{"type": "{event.kind}", "time": {writer.time(event.time)}, "stream": {stream}'
    return f"{begin}, {_ends(event, writer)}{more}}}"


def finding_line(event: Event, analysis: Shown) -> str:
    """A finding as an object of its own: as in the result, and when it was found, and the ends of its connection."""
    assert event.finding is not None
    writer = Writer(analysis)
    return f'{writer.finding(event.finding)[:-1]}, "time": {writer.time(event.time)}, {_ends(event, writer)}}}'


def _ends(event: Event, writer: Writer) -> str:
    client = "null" if event.client is None else writer.endpoint(event.client)
    server = "null" if event.server is None else writer.endpoint(event.server)
    return f'"client": {client}, "server": {server}'


Write = Callable[[Sequence[Event]], None]


def line_writer(analysis: Shown, out: TextIO, *, as_json: bool, utc: bool) -> Write:
    """What writes events as soon as it is told them: those of one look at once."""

    def write(events: Sequence[Event]) -> None:
        if as_json:
            writer = Writer(analysis)
            out.writelines(f"{json_line(event, writer)}\n" for event in events)
        else:
            out.writelines(f"{text_line(event, analysis, utc=utc)}\n" for event in events)
        out.flush()

    return write
