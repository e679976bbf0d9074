"""Events as they happen, a line each: for a reader, or one JSON object with its `type`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TextIO

from analyzer.model.events import FINDING, Event
from analyzer.report.analysed import Shown
from analyzer.report.json import Writer, endpoint
from analyzer.report.json import text as quoted
from analyzer.report.layout import COLOURS, Style, printable, shortened
from analyzer.report.times import clock_with_fraction

WORD_WIDTH = 17  # connection-opened


class EventLine(NamedTuple):
    """A line in its parts: the word that says what happened has the colour of its severity."""

    time: str
    word: str
    rest: str
    severity: str
    column: int = WORD_WIDTH

    def fitted(self, width: int | None) -> EventLine:
        """The same, no wider than that: the rest loses some of its middle."""
        if width is None:
            return self
        return self._replace(rest=shortened(self.rest, max(width - len(self.time) - 1 - self.column - 1, 1)))

    @property
    def parts(self) -> tuple[str, str, str]:
        """Time, word, rest: in columns."""
        return self.time, f"{self.word:{self.column}}", self.rest

    def __str__(self) -> str:
        return " ".join(self.parts).rstrip()

    def styled(self, style: Style) -> str:
        """With the colour of its severity."""
        time, word, rest = self.parts
        return f"{time} {style(word, COLOURS[self.severity])} {rest}".rstrip()


def event_line(event: Event, analysis: Shown, *, utc: bool, ends: bool = True) -> EventLine:
    """The time, what happened, the stream, and its ends unless they are known already."""
    where = "" if event.stream is None else f"#{event.stream}"
    if where and ends:
        where += f" {event.client} > {event.server}"
    word = event.finding.severity.upper() if event.finding is not None else event.kind
    said = ": ".join(filter(None, (where, _details(event, analysis))))
    return EventLine(clock_with_fraction(event.time, utc), word, printable(said), event.severity)


def _details(event: Event, analysis: Shown) -> str:
    if event.finding is not None:
        return f"{event.finding.rule}: {event.finding.summary}"
    facts = {name: value for name, value in event.facts.items() if value is not None}
    if "id" in facts:
        return f"{facts['rule']} ({facts['id']})"
    shown = {
        name: analysis.frame_text(value) if name.endswith("frame") and isinstance(value, int) else str(value)
        for name, value in facts.items()
    }
    if "sender" in shown:
        answer = f", reply frame {shown['answer_frame']}" if "answer_frame" in shown else ""
        return f"{shown['sender']} frame {shown['frame']}{answer}"
    parts = [f"by the {shown.pop('by')}"] if "by" in shown else []
    parts += [
        f"no reply to {text} probe{'' if text == '1' else 's'}"
        if name == "unanswered"
        else f"frame {text}"
        if name == "frame"
        else text.replace("_", " " if name == "why" else "-")
        for name, text in shown.items()
    ]
    return ", ".join(parts)


def json_line(event: Event, writer: Writer) -> str:
    """The same as an object: `type`, `time`, `stream`, `client`, `server`, and what belongs to its type."""
    stream = "null" if event.stream is None else event.stream
    more = _facts(event, writer)
    if event.finding is not None:
        more += f', "finding": {writer.finding(event.finding)}'
    begin = f'{{"type": "{event.kind}", "time": {writer.time(event.time)}, "stream": {stream}'
    return f"{begin}, {_ends(event, writer)}{more}}}"


def _facts(event: Event, writer: Writer) -> str:
    more = ""
    for name, value in event.facts.items():
        if value is None:
            shown = "null"
        elif isinstance(value, str):
            shown = quoted(value)
        else:
            shown = writer.frame(value) if name.endswith("frame") else str(value)
        more += f', "{name}": {shown}'
    return more


def alert_line(event: Event, analysis: Shown) -> str:
    """A finding for a command: `type`, `id`, then as in the result, and when it was found, and who is at the ends.

    One that is over has the same `id`, and its `rule` and `severity`.
    """
    writer = Writer(analysis)
    own = f'"type": "{event.kind}"{_facts(event, writer)}'
    if event.finding is not None:
        own += f", {writer.finding(event.finding)[1:-1]}"
    else:
        own += f', "stream": {"null" if event.stream is None else event.stream}'
    return f'{{{own}, "time": {writer.time(event.time)}, {_ends(event, writer)}}}'


def _ends(event: Event, writer: Writer) -> str:
    client = "null" if event.client is None else endpoint(event.client)
    server = "null" if event.server is None else endpoint(event.server)
    return f'"client": {client}, "server": {server}'


Write = Callable[[Sequence[Event]], None]


def is_alert(event: Event) -> bool:
    """Whether it is a finding, or the end of one."""
    return event.kind == FINDING or "id" in event.facts


def json_writer(analysis: Shown, out: TextIO) -> Write:
    """What writes events as soon as it is told them, as objects: those of one look at once."""

    def write(events: Sequence[Event]) -> None:
        writer = Writer(analysis)
        out.writelines(f"{json_line(event, writer)}\n" for event in events)
        out.flush()

    return write


def text_writer(analysis: Shown, out: TextIO, *, utc: bool, style: Style, width: Callable[[], int | None]) -> Write:
    """The same for a reader; `width` is that of the terminal, if it is one.

    That a finding about a connection is over is said by the line about its verdict; a terminal's line has no room for
    the ends that a finding names.
    """

    def write(events: Sequence[Event]) -> None:
        room = width()
        for event in events:
            if event.stream is None or event.finding is not None or not is_alert(event):
                ends = room is None or event.finding is None
                out.write(f"{event_line(event, analysis, utc=utc, ends=ends).fitted(room).styled(style)}\n")
        out.flush()

    return write
