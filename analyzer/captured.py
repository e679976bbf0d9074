"""What one capture file is and holds, as a file: its format, its span, its defects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Problem:
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

    def adopt(self, known: CaptureFacts) -> None:
        """Take over what has been found by comparing the same capture with others."""
        for name in ("same_traffic", "same_traffic_why", "clock_shift", "world", "strangers", "stranger_to"):
            setattr(self, name, getattr(known, name))
