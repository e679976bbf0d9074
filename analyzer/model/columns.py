"""The nouns that the rooms hand to each other, in columns: Records, Packets, Tracks, Facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from analyzer.tables.arrays import Column, Mask, Narrow, Short, are_among
from analyzer.tables.fields import (
    BEAT_GAP_MASK,
    BEAT_GAPS,
    BEAT_LONGEST,
    ENDPOINT_SIZE,
    EVENT_ENDPOINT,
    EVENT_FRAME,
    EVENT_KIND,
    EVENT_RST,
    EVENT_SAID,
    EVENT_WHY,
    HEAD_SIZE,
    RESET_FRAME,
    RESET_SIDE,
)

if TYPE_CHECKING:
    from analyzer.model.sockets import Held

MILLI = 1_000_000  # nanoseconds: the tables have gaps between heartbeats in milliseconds
OF_ALL = ("tracks", "end", "spans", "probe_kind", "prober", "held")  # of Facts: those that are not a row per flow
# A million connections at once would double what their table takes; so many rows of it stay in a processor's cache.
FLOWS_AT_A_TIME = 1 << 13


class Records(NamedTuple):
    """Captured packets as they lie in a buffer: `size` rows of tables.fields.RECORD_SIZE."""

    buffer: Any
    rows: Any
    size: int
    first_frame: int


class Packets(NamedTuple):
    """Decoded TCP segments and ICMP errors: `size` rows of tables.fields.PACKET_SIZE."""

    rows: Any
    size: int


class Tracks(NamedTuple):
    """What the tracker knows when the capture ends: tables as two-dimensional int64 arrays, columns as in `fields`."""

    flows: Column
    probes: Column
    events: Column

    def parts(self) -> Iterator[tuple[slice, Tracks]]:
        """The connections some ten thousand at a time, with the whole logs; one part where there are none."""
        for start in range(0, max(len(self.flows), 1), FLOWS_AT_A_TIME):
            part = slice(start, start + FLOWS_AT_A_TIME)
            yield part, self._replace(flows=self.flows[part])

    def in_columns(self) -> Tracks:
        """The same with the columns of its flows contiguous, each: a copy of them, for who asks for most of them."""
        return self._replace(flows=self.flows.copy(order="F"))

    def endpoints(self, field: int, streams: slice | Column = slice(None)) -> Column:
        """One field of both endpoints of these flows, client first: a copy of shape (flows, 2).

        Each side's column is contiguous, here and in what is made of it: numpy is many times slower along pairs.
        """
        import numpy as np

        client = self.flows[streams, HEAD_SIZE + field]
        both = np.empty((len(client), 2), np.int64, order="F")
        both[:, 0] = client
        both[:, 1] = self.flows[streams, HEAD_SIZE + ENDPOINT_SIZE + field]
        return both

    def longest_beat_gaps(self) -> Column:
        """The longest time between two heartbeats of each end that kept their pace, in nanoseconds: (flows, 2)."""
        return (self.endpoints(BEAT_GAPS) >> BEAT_LONGEST & BEAT_GAP_MASK) * MILLI

    def endpoint(self, field: int, stream: int, side: int) -> int:
        """One field of one endpoint."""
        return int(self.flows[stream, HEAD_SIZE + side * ENDPOINT_SIZE + field])


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
    prober: Short  # per row of the probe log: stream * 2 + side
    client: Column  # a number for the address, a hash, as the next two
    server: Column
    service: Column  # of the server's address and port
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
    keepalive_on: Mask  # (flows,): the kernel of an end says so
    keepalive_off: Mask  # (flows,): the kernel of an end says so, and that of no other end that it is on
    held: Mapping[int, tuple[Held, ...]] = field(default_factory=dict)  # the sockets of ends, by stream

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
        for start in range(0, max(len(self), 1), FLOWS_AT_A_TIME):
            yield self.part(slice(start, start + FLOWS_AT_A_TIME))

    def alone(self, stream: int) -> Facts:
        """The same for one connection."""
        return self.part(slice(stream, stream + 1))

    def part(self, streams: slice) -> Facts:
        """The same for these connections alone, with the whole logs."""
        columns = [one.name for one in fields(self) if one.name not in OF_ALL]
        some: dict[str, Any] = {name: getattr(self, name)[streams] for name in columns}
        return replace(self, tracks=self.tracks._replace(flows=self.tracks.flows[streams]), **some)

    def where(self, holds: Callable[[Facts], Mask]) -> Column:
        """The streams of which that holds, some ten thousand asked at a time."""
        import numpy as np

        return np.flatnonzero(np.concatenate([holds(part) for part in self.parts()]))

    def event_frames(self, stream: int, kind: int, side: int | None = None) -> tuple[int, ...]:
        """The frames of a connection's events of one kind (tables.fields.EVENT_*), of one sender or both, in order."""
        return tuple(self.events_of_kind(stream, kind, side)[:, EVENT_FRAME].tolist())

    def events_of_kind(self, stream: int, kind: int, side: int | None = None) -> Column:
        """The events of one kind of a connection, of one sender or both, in order."""
        events = self.events_of(stream)
        chosen = events[:, EVENT_KIND] == kind
        if side is not None:
            chosen &= events[:, EVENT_ENDPOINT] & 1 == side
        rows: Column = events[chosen]
        return rows

    def events_of(self, stream: int) -> Column:
        """The events of a connection, in order."""
        order, streams = self._events_by_stream
        first, end = streams.searchsorted((stream, stream + 1)).tolist()
        return self.tracks.events[order[first:end]]

    @cached_property
    def saying(self) -> frozenset[int]:
        """Connections of which an end said something of heartbeats."""
        events = self.tracks.events
        return frozenset((events[events[:, EVENT_KIND] == EVENT_SAID, EVENT_ENDPOINT] >> 1).tolist())

    def sayings(self, codes: Sequence[int]) -> Column:
        """The rows of the event log in which one of these was said: 1 + index of tables.heartbeats.SAID."""
        events = self.tracks.events
        chosen: Column = events[(events[:, EVENT_KIND] == EVENT_SAID) & are_among(events[:, EVENT_WHY], codes)]
        return chosen

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
