"""What an incident report holds, as plain data: words and numbers, nothing of how they are written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from analyzer.model.findings import Finding


class Picture(NamedTuple):
    """A chart: what it is called, what it shows in words, and it itself as SVG for a page."""

    title: str
    says: str
    svg: str


class About(NamedTuple):
    """What is asked of an analysis for its report."""

    severities: Mapping[str, str]
    counts: Mapping[str, int]
    unexplained: Sequence[str]  # sentences about connections in trouble that no finding names
    frame_text: Callable[[int], str]
    command: str
    version: str
    title: str  # that was asked for; else the captures are the title
    utc: bool
    end: int  # of the captures, in nanoseconds
    filters: bool  # whether Wireshark gives connections the same numbers: of one capture


class When(NamedTuple):
    """A time of day in the zone of the report, and in UTC."""

    shown: str
    utc: str


class Row(NamedTuple):
    """One connection of the table; times in the report's zone."""

    stream: int
    client: str
    server: str
    verdict: str
    start: int  # milliseconds since 1970 on the clock of the report's zone
    lasted: int  # microseconds
    open: bool  # when the capture ended
    packets: int
    sent: tuple[int, int]  # bytes, the client's first
    probes: str
    ending: str
    details: Sequence[tuple[str, str]]


class Told(NamedTuple):
    """A cause: what happened, where and when, what to do, and what shows it."""

    severity: str
    rule: str
    sentence: str
    aside: str  # when, and how sure
    fix: str  # what to do, in one sentence
    more: Sequence[str]  # the rest of it, and other remedies
    places: Sequence[tuple[str, int]]  # where, and how many connections there
    findings: Sequence[tuple[Finding, str]]  # those that say something of their own, with their frames
    left_out: int  # of those
    streams: Sequence[int]
    filter: str  # of Wireshark, for its connections
    filtered: int  # how many of them it is for


class Happening(NamedTuple):
    """A line of what happened when, to one connection, or to several of one server within a second."""

    when: When
    streams: Sequence[int]
    ends: str
    text: str
    frame: str
    urgent: bool


class Rung(NamedTuple):
    """A line of a ladder: a segment from the `side` (0 client, 1 server, None: words between two)."""

    frame: str
    time: str
    side: int | None
    kind: str
    text: str
    remark: str


class Detail(NamedTuple):
    """A connection that has a part of its own."""

    row: Row
    severity: str
    findings: Sequence[Finding]
    rungs: Sequence[Rung]
    pictures: Sequence[Picture]


class Page(NamedTuple):
    """All of it."""

    about: About
    title: str
    files: str
    span: str
    zone: str
    date: str  # of all that is in it; empty where there are several
    impact: str
    first: str  # what to do first; empty where there is nothing
    events: Sequence[Happening]
    causes: Sequence[Told]
    minor: Sequence[Told]
    advice: str  # what other settings would have done; empty where nothing failed, or where it takes long
    story: Picture | None
    happenings: Sequence[Happening]
    left_out: int  # of those
    pictures: Sequence[Picture]
    hosts: Sequence[tuple[str, str, str, str]]
    rows: Iterable[Row]
    details: Sequence[Detail]
    captures: Sequence[Sequence[tuple[str, str]]]

    @property
    def both_zones(self) -> bool:
        """Whether UTC has a column of its own."""
        return self.zone != "UTC"
