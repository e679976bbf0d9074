"""The nouns of advice: settings to try, the failures of a capture, and what the settings would have made of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What failed, as far as keepalive settings can matter to it."""

    DEAD_PEER = "dead_peer"  # no reply to keepalive probes
    IDLE_DROP = "idle_drop"  # lost after a silence; a device on the path forgot it
    LOST_STATE = "lost_state"  # the peer answered with an RST; why it forgot is not known
    UNACKNOWLEDGED_DATA = "unacknowledged_data"
    UNPROTECTED = "unprotected"  # silent to the end, without a probe
    NEVER_CLOSED = "never_closed"
    STALLED = "stalled"  # the kernel answers, the application does not


@dataclass(frozen=True)
class Candidate:
    """Keepalive settings in seconds, the count in probes; `user_timeout` is TCP_USER_TIMEOUT, None where not set."""

    idle: int
    interval: int
    count: int
    user_timeout: float | None = None

    def __str__(self) -> str:
        limit = "" if self.user_timeout is None else f"/ut{self.user_timeout:g}"
        return f"{self.idle}/{self.interval}/{self.count}{limit}"


class Delay(NamedTuple):
    """Seconds: as set, and between the earliest and the latest that timers allow."""

    nominal: float
    earliest: float
    latest: float


class Between(NamedTuple):
    """The shortest and the longest of several times, in seconds."""

    shortest: float
    longest: float


@dataclass(frozen=True)
class Failure:
    """Failures of one kind at one service, and what happened."""

    kind: Kind
    service: str  # the server
    streams: tuple[int, ...]
    settings: str  # of those that probed: `3/2/4`; empty where nobody did
    noticed: Between | None  # seconds from the peer's last packet until it was given up; None: none was
    unnoticed: int  # connections of which nobody noticed before the capture ended
    watched: float  # seconds from the last packet until then: the longest
    silence: Between | None  # of drops: the silence before
    survived: float | None  # ... and the longest silence that a connection on the same path outlived
    devices: tuple[str, ...]  # whose timeout alone lies between

    @property
    def helped(self) -> bool:
        """Whether keepalive settings can change anything."""
        return self.kind not in (Kind.NEVER_CLOSED, Kind.STALLED)


@dataclass(frozen=True)
class Outcome:
    """What settings would have made of one Failure."""

    noticed: Delay | None = None  # seconds after the peer's last packet; None: not by these settings
    avoided: int = 0  # connections that would not have been lost
    unknown: int = 0  # connections of which the capture does not show that
    why: str = ""  # what limits this: `data was unacknowledged`


@dataclass(frozen=True)
class Replay:
    """Settings, and what they would have made of each Failure in its order; `settings` None: those seen."""

    settings: Candidate | None
    outcomes: tuple[Outcome, ...]
    probes_per_hour: float | None  # of all connections together; None: the packets cannot be read again
    slower: tuple[int, ...] = ()  # places of the failures that these settings notice later than it happened


class Limit(NamedTuple):
    """A device on a path forgets connections after a silence longer than `survived` and no longer than `fatal`."""

    client: str
    server: str
    survived: float  # seconds; 0: no silence that was survived is known
    fatal: float
    safe_idle: int
    devices: tuple[str, ...]


@dataclass(frozen=True)
class Advice:
    """What other settings would have done: the settings seen come first among the replays."""

    seconds: float  # that the capture lasts
    connections: int
    failures: tuple[Failure, ...]
    limits: tuple[Limit, ...]
    notes: tuple[str, ...]  # what closes idle connections whatever the settings
    replays: tuple[Replay, ...]
    take: Candidate | None  # None: no change, or none that helps
    conclusion: str
