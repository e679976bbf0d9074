"""The nouns of diagnosis: what was found with its evidence, and what other captures and Wireshark say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SEVERITIES = ("info", "low", "medium", "high")
URGENT = ("high", "medium")  # somebody is to look at it


class Apart(NamedTuple):
    """Segments of one side of a connection that one of two captures holds and the other lacks."""

    stream: int
    side: int
    capture: int  # which holds them
    frames: tuple[int, ...]
    resets: tuple[int, ...]  # those of them with RST
    by_sender: bool  # it was made nearer to their sender than the other


class Flagged(NamedTuple):
    """A frame that Wireshark flags, what it says, the payload's length, the time since the stream's last frame."""

    frame: int
    stream: int
    says: str
    length: int
    since_last_s: float


class Evidence(NamedTuple):
    """What a reader can check in Wireshark."""

    frames: tuple[int, ...]
    observed: str
    expected: str
    source: str
    display_filter: str


class Finding(NamedTuple):
    """One thing worth telling, with what shows it and what mends it."""

    rule: str
    severity: str
    confidence: str
    stream: int | None
    summary: str
    remedy: str
    evidence: Evidence
    streams: Sequence[int] = ()  # where they are several
    service: str = ""  # the server whose connections they are
    tentative: bool = False  # the next packet may disprove it: who reports as it happens waits
    notes: Sequence[str] = ()  # what other rules say of the same event, which this one explains
    title: str = ""  # the rule's, one clause that says it of many: "{whom} reset {connections}"
    at: int | None = None  # the decisive moment, in nanoseconds since the epoch
    moment: str = ""  # what happened then: "first unanswered probe"
    whom: str = ""  # who is to blame, or is named: the service, a host, "3 clients", "the capture"
    process: str = ""  # who holds its sockets, where that is known: "python3 (pid 12, fd 4)"

    @property
    def concerned(self) -> Sequence[int]:
        """The connections that it is about; none where it is about the capture."""
        return self.streams if self.stream is None else (self.stream,)

    def is_as_severe(self, severity: str) -> bool:
        """Whether it is this severe or worse."""
        return is_as_severe(self.severity, severity)


def is_as_severe(severity: str, least: str) -> bool:
    """Whether it is this severe or worse."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(least)
