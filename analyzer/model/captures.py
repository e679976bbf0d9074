"""What one capture file is and holds, as a file: its format, its span, its defects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from analyzer.tcp import SECOND

# A capture in which nobody says anything for so long was not running: an idle connection with the usual two hours of
# keepalive says something sooner (7,200 s, and 463 s at most that its timer is late).
WATCH_NS = 8_000 * SECOND
MAX_WATCHES = 4096


class Problem(NamedTuple):
    """Where a capture is damaged, and how."""

    offset: int
    reason: str


class ClockStep(NamedTuple):
    """A frame that is older than the one before it, and by how much: negative nanoseconds."""

    frame: int
    step: int


class SameTraffic(NamedTuple):
    """Another capture that holds the same packets; how far this one's clock is ahead of its clock, in nanoseconds."""

    capture: int
    clock_ahead: int
    packets: int = 0  # those that showed it


class Span(NamedTuple):
    """A time in which a capture was running, as its packets show; nanoseconds."""

    first: int
    last: int


@dataclass
class CaptureFacts:
    """What one capture file is and holds; times in nanoseconds, None when it holds no packet."""

    path: str
    format: str = ""
    link_types: list[str] = field(default_factory=list)
    packets: int = 0
    tcp_packets: int = 0
    other_records: int = 0  # of the packets, those that are none: Wireshark numbers them
    first_time: int | None = None
    last_time: int | None = None
    digits: int = 6
    skipped: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    duplicates: int = 0
    disorder: int = 0  # nanoseconds by which a packet was older than the one before it, where the clock took no step
    clock_steps: list[ClockStep] = field(default_factory=list)  # the first of them
    same_traffic: SameTraffic | None = None
    same_traffic_why: str = ""  # what shows that, or why it could not be decided
    clock_shift: int = 0  # nanoseconds that are taken off its times before they are compared with those of others
    world: int = 0  # where another number stands, the same addresses and ports are another connection
    strangers: int = 0  # its connections that contradict those of `stranger_to`
    stranger_to: int = 0
    shared: int = 0  # of the duplicates, those whose first copy is in another capture
    watches: dict[int, Span] = field(default_factory=dict)  # those with packets, numbered since 1970

    def note_span(self, first: int, last: int) -> None:
        """Packets were captured at these times, both of one watch."""
        number = first // WATCH_NS
        known = self.watches.get(number)
        if known is not None:
            first, last = min(first, known.first), max(last, known.last)
        elif len(self.watches) == MAX_WATCHES:
            return
        self.watches[number] = Span(first, last)

    def adopt(self, known: CaptureFacts) -> None:
        """Take over what has been found by comparing the same capture with others."""
        for name in ("same_traffic", "same_traffic_why", "clock_shift", "world", "strangers", "stranger_to"):
            setattr(self, name, getattr(known, name))


def running(captures: Sequence[CaptureFacts]) -> list[Span]:
    """When one of these captures was running at least: no pause between two packets of any kind takes a watch.

    Files of different years can be one file, and a damaged time stamp lies years ahead: nobody listened in between.
    """
    if any(len(facts.watches) == MAX_WATCHES for facts in captures):
        return []
    spans: list[Span] = []
    shifted = [
        Span(span.first - facts.clock_shift, span.last - facts.clock_shift)
        for facts in captures
        for span in facts.watches.values()
    ]
    for span in sorted(shifted):
        if spans and span.first - spans[-1].last <= WATCH_NS:
            spans[-1] = Span(spans[-1].first, max(span.last, spans[-1].last))
        else:
            spans.append(span)
    return spans


def span_of(captures: Iterable[CaptureFacts]) -> Span:
    """From the first packet of all captures to the last; zeros where there is none."""
    held = [one for one in captures if one.first_time is not None]
    firsts, lasts = [one.first_time or 0 for one in held], [one.last_time or 0 for one in held]
    return Span(min(firsts, default=0), max(lasts, default=0))
