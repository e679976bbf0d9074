"""The nouns that the rooms hand to each other: first columns, then, for what is shown, frozen objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

from analyzer.model.words import Handshake, How, Outcome, Why
from analyzer.tables.arrays import Column, Mask, Narrow, Short
from analyzer.tables.fields import (
    ENDPOINT_SIZE,
    EVENT_ENDPOINT,
    EVENT_FRAME,
    EVENT_KIND,
    EVENT_RST,
    HEAD_SIZE,
    RESET_FRAME,
    RESET_SIDE,
)
from analyzer.tcp import State

# A million connections at once would double what their table takes.
FLOWS_AT_A_TIME = 1 << 16


class Records(NamedTuple):
    """Captured packets as they lie in a buffer: `size` rows of layout.RECORD_SIZE."""

    buffer: Any
    rows: Any
    size: int
    first_frame: int


class Packets(NamedTuple):
    """Decoded TCP segments and ICMP errors: `size` rows of layout.PACKET_SIZE."""

    rows: Any
    size: int


class Tracks(NamedTuple):
    """What the tracker knows when the capture ends: tables as two-dimensional int64 arrays, columns as in layout."""

    flows: Column
    probes: Column
    events: Column

    def parts(self) -> Iterator[tuple[slice, Tracks]]:
        """The connections some ten thousand at a time, with the whole logs; one part where there are none."""
        for start in range(0, max(len(self.flows), 1), FLOWS_AT_A_TIME):
            part = slice(start, start + FLOWS_AT_A_TIME)
            yield part, self._replace(flows=self.flows[part])

    def endpoints(self, field: int, streams: slice | Column = slice(None)) -> Column:
        """One field of both endpoints of these flows, client first: a copy of shape (flows, 2)."""
        first = HEAD_SIZE + field
        return self.flows[streams, first : first + ENDPOINT_SIZE + 1 : ENDPOINT_SIZE].copy()


def ending_resets(tracks: Tracks) -> tuple[Column, Column, Column]:
    """Of the RSTs that ended connections: the stream, the side that sent each, and its row of the event log."""
    flows, events = tracks.flows, tracks.events
    resets = events[events[:, EVENT_KIND] == EVENT_RST]
    stream, side = resets[:, EVENT_ENDPOINT] >> 1, resets[:, EVENT_ENDPOINT] & 1
    first = (flows[stream, RESET_FRAME] == resets[:, EVENT_FRAME]) & (flows[stream, RESET_SIDE] == side + 1)
    return stream[first], side[first], resets[first]


@dataclass(frozen=True)
class Facts:
    """What has been measured, in columns: one row per flow, or two per flow (client, server) where said so.

    Endpoint columns have the shape (flows, 2). Times are nanoseconds.
    """

    tracks: Tracks
    end: int  # the time of the capture's last packet of any kind
    spans: tuple[tuple[int, int], ...]  # times in which the capture was running, where it paused: the first, the last
    probe_kind: Narrow  # per row of the probe log: ProbeKind
    handshake: Narrow
    how: Narrow
    by: Narrow  # 0 nobody, 1 client, 2 server
    forged: Mask  # its RST was made by a device on the path, in that one's name
    why: Narrow
    ended: Column  # 0 while open
    probes: Short  # (flows, 2), as are all below
    answered: Short
    reset: Short
    icmp: Short
    trailing: Short  # probes at the end of the log that nothing answered
    interval: Column  # between the last two of those; 0 where there is one or none
    last_probe: Column
    zero_window_probes: Short
    beating: Mask  # endpoints that send heartbeats of their application

    @property
    def unanswered(self) -> Short:
        """Probes that drew neither an answer nor a reset."""
        return self.probes - self.answered - self.reset

    def __len__(self) -> int:
        return len(self.tracks.flows)

    def listened(self, since: Column) -> Column:
        """For how long after each of these times the capture went on without a pause."""
        return listened(self.spans, self.end, since)

    def parts(self) -> Iterator[Facts]:
        """The same for some ten thousand connections at a time, with the whole logs; one part where there are none."""
        columns = [one.name for one in fields(self) if one.name not in ("tracks", "end", "spans", "probe_kind")]
        for start in range(0, max(len(self), 1), FLOWS_AT_A_TIME):
            part = slice(start, start + FLOWS_AT_A_TIME)
            some: dict[str, Any] = {name: getattr(self, name)[part] for name in columns}
            yield replace(self, tracks=self.tracks._replace(flows=self.tracks.flows[part]), **some)

    def where(self, holds: Callable[[Facts], Mask]) -> Column:
        """The streams of which that holds, some ten thousand asked at a time."""
        import numpy as np

        return np.flatnonzero(np.concatenate([holds(part) for part in self.parts()]))

    def event_frames(self, stream: int, kind: int, side: int | None = None) -> tuple[int, ...]:
        """The frames of a connection's events of one kind (layout.EVENT_*), of one sender or both, in order."""
        events = self.events_of(stream)
        chosen = events[:, EVENT_KIND] == kind
        if side is not None:
            chosen &= events[:, EVENT_ENDPOINT] & 1 == side
        return tuple(events[chosen, EVENT_FRAME].tolist())

    def events_of(self, stream: int) -> Column:
        """The events of a connection, in order."""
        order, streams = self._events_by_stream
        first, end = streams.searchsorted((stream, stream + 1)).tolist()
        return self.tracks.events[order[first:end]]

    @cached_property
    def _events_by_stream(self) -> tuple[Column, Column]:
        """The rows of the events gathered by stream, and the stream of each."""
        streams = self.tracks.events[:, EVENT_ENDPOINT] >> 1
        order = streams.argsort(kind="stable")
        return order, streams[order]


def listened(spans: Sequence[tuple[int, int]], end: int, since: Column) -> Column:
    """See `Facts.listened`."""
    import numpy as np

    if len(spans) < 2:
        return np.asarray(end - since)
    firsts, lasts = np.array(spans).T
    return np.asarray(lasts[np.maximum(np.searchsorted(firsts, since, side="right") - 1, 0)] - since)


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


@dataclass(frozen=True)
class Estimate:
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


@dataclass(frozen=True)
class HostSettings:
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


@dataclass(frozen=True)
class Flow:
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


SIDES = ("client", "server")
MIDDLEBOX = "middlebox"
