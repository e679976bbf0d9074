"""The nouns of one connection, as people read it: who, how it ended, what was probed, which settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from analyzer.model.words import Handshake, How, Outcome, Why
from analyzer.tables.arrays import Column
from analyzer.tcp import State

if TYPE_CHECKING:
    from analyzer.model.sockets import Held

# What describes a keepalive, in this order wherever the three stand together: `3/2/4` (the sysctls of Linux).
SETTINGS = ("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes")


class Endpoint(NamedTuple):
    """An address and a port, as text and number."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Probe(NamedTuple):
    """One keepalive probe and its answer, if one came; times in nanoseconds."""

    frame: int
    time: int
    answer_frame: int | None
    answer_time: int | None


class Episode(NamedTuple):
    """One idle gap of one endpoint by its own receive clock: when it last received, its probes, what ended it."""

    start: int
    end: int
    outcome: Outcome
    probes: tuple[Probe, ...]


class Episodes(Sequence[Episode]):
    """The Episodes of one endpoint; a long connection has thousands, nearly all of one kind."""

    def steady(self) -> Column | None:
        """If each is one answered probe: an array of start, end, frame, time, answer_frame and answer_time."""
        raise NotImplementedError

    def recovered(self) -> int:
        """How many there are whose outcome is RECOVERED."""
        raise NotImplementedError


class Estimate(NamedTuple):
    """A setting in seconds: the likeliest value, and bounds that hold the true one."""

    value: float | None
    low: float | None
    high: float | None
    samples: int


@dataclass(frozen=True)
class Keepalive:
    """The keepalive probes of one endpoint of one connection."""

    sender: str
    probes: int
    answered: int
    unanswered: int
    reset: int
    icmp: int
    probe_length: int
    confidence: str
    without_timestamps: bool  # of a connection that has them
    episodes: Episodes
    tcp_keepalive_time: Estimate | None = None
    tcp_keepalive_intvl: Estimate | None = None
    tcp_keepalive_probes: Estimate | None = None
    former_tcp_keepalive_time: Estimate | None = None  # where it was changed meanwhile
    user_timeout_s: tuple[float, float] | None = None  # above the one, and no more than the other
    match: Callable[[Keepalive], tuple[str, ...]] | None = None

    @property
    def profiles(self) -> tuple[str, ...]:
        """Names of known defaults that fit, best first."""
        return () if self.match is None else self.match(self)


class Heartbeat(NamedTuple):
    """What an application sends over a connection to show that it is there; `answered` of these drew data."""

    protocol: str
    sender: str
    period_s: float
    sent: int
    answered: int
    frames: tuple[int, ...]  # the first of them
    guess: str = ""  # what protocol it may be, where only the rhythm and the sizes of what is encrypted tell

    @property
    def name(self) -> str:
        """The protocol; a guess with a question mark."""
        return f"{self.guess}?" if self.guess else self.protocol


class Said(NamedTuple):
    """What an end said of heartbeats, in `words` of their protocol.

    `what`: the "interval" that it promises or asks for, in seconds; that they come "too_often"; that it closes because
    they were "missed", because the connection was "idle", or for another reason ("closing"). `since` and `since_peer`
    are when it and the other end had sent data last, in nanoseconds.
    """

    what: str
    protocol: str
    by: str
    words: str
    seconds: float | None
    frame: int
    time: int
    since: int | None = None
    since_peer: int | None = None

    @property
    def silence(self) -> int | None:
        """For how long no data had passed, in nanoseconds."""
        known = [time for time in (self.since, self.since_peer) if time is not None]
        return self.time - max(known) if known else None


class HostSettings(NamedTuple):
    """The keepalive settings of a host at one side of a service, as several connections show them together."""

    address: str
    sender: str  # the side of the host
    port: int  # the server's
    streams: tuple[int, ...]
    tcp_keepalive_time: Estimate | None
    tcp_keepalive_intvl: Estimate | None
    tcp_keepalive_probes: Estimate | None
    profiles: tuple[str, ...] = ()


class Ending(NamedTuple):
    """How a connection ended, by whom (SIDES or MIDDLEBOX), when (nanoseconds), why, and the frame of the RST."""

    how: How
    by: str | None
    time: int | None
    why: Why
    frame: int | None = None


class Flow(NamedTuple):
    """One TCP connection. Pairs are (client, server); times in nanoseconds."""

    stream: int
    client: Endpoint
    server: Endpoint
    roles: str
    start: int
    end: int
    packets: tuple[int, int]
    bytes: tuple[int, int]
    handshake: Handshake
    handshake_rtt: int | None
    state: tuple[State, State]
    ending: Ending
    verdict: str
    keepalive: tuple[Keepalive, ...]
    heartbeats: tuple[Heartbeat, ...]
    zero_window_probes: tuple[int, ...]
    tunnel: str | None = None  # innermost: kind and id
    said: tuple[Said, ...] = ()
    sockets: tuple[Held, ...] = ()  # of its ends, as far as their hosts were asked


SIDES = ("client", "server")


MIDDLEBOX = "middlebox"
