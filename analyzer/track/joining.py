"""Tables of several trackers, each of which had other connections, as one tracker would have filled them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analyzer.model.columns import Tracks
from analyzer.tables.arrays import Column
from analyzer.tables.fields import (
    EVENT_ENDPOINT,
    EVENT_SIZE,
    EVENT_TIME,
    FIRST_FRAME,
    FIRST_TIME,
    FLOW_SIZE,
    PROBE_FRAME,
    PROBE_SIZE,
    PROBE_TIME,
)
from analyzer.track.renumber import renumber_events, renumber_flows, renumber_probes

InOrder = Callable[[Column, Column], Column]  # of frames and their times: those times by which they were tracked


def join(parts: Sequence[Tracks], in_order: InOrder) -> Tracks:
    """One set of tables, numbered in the order in which packets were tracked."""
    flow_places = _places(
        [(in_order(one.flows[:, FIRST_FRAME], one.flows[:, FIRST_TIME]), one.flows[:, FIRST_FRAME]) for one in parts]
    )
    probe_places = _places(
        [(in_order(one.probes[:, PROBE_FRAME], one.probes[:, PROBE_TIME]), one.probes[:, PROBE_FRAME]) for one in parts]
    )
    event_places = _places([(_when(one.events), one.events[:, EVENT_ENDPOINT] * 0) for one in parts])
    flows, probes, events = (
        np.zeros((sum(len(places) for places in of), size), np.int64)
        for of, size in ((flow_places, FLOW_SIZE), (probe_places, PROBE_SIZE), (event_places, EVENT_SIZE))
    )
    for one, stream_to, probe_at, event_at in zip(parts, flow_places, probe_places, event_places, strict=True):
        probe_to = np.concatenate([np.zeros(1, np.int64), probe_at + 1])
        flows[stream_to] = renumber_flows(one.flows.copy(), stream_to, probe_to)
        probes[probe_at] = renumber_probes(one.probes.copy(), stream_to, probe_to)
        events[event_at] = renumber_events(one.events.copy(), stream_to)
    return Tracks(flows, probes, events)


def _places(keys: Sequence[tuple[Column, Column]]) -> list[Column]:
    """For the rows of each part their places among all, by time, then by frame, then as they were."""
    if not keys:
        return []
    times, frames = (np.concatenate(columns) for columns in zip(*keys, strict=True))
    places = np.empty(len(times), np.int64)
    places[np.lexsort((frames, times))] = np.arange(len(times))
    return np.split(places, np.cumsum([len(time) for time, _ in keys])[:-1])


def _when(events: Column) -> Column:
    """Times by which events of one connection stay in their order."""
    order = np.lexsort((np.arange(len(events)), events[:, EVENT_ENDPOINT] >> 1))
    streams, times = events[order, EVENT_ENDPOINT] >> 1, events[order, EVENT_TIME]
    # The latest so far of each connection: as each begins anew, in its own span of numbers.
    ranks = np.searchsorted(np.sort(times), times)
    begins = np.concatenate([np.zeros(min(len(streams), 1), np.int64), np.cumsum(streams[1:] != streams[:-1])])
    latest = np.maximum.accumulate(begins * (len(events) + 1) + ranks) - begins * (len(events) + 1)
    when = np.empty(len(events), np.int64)
    when[order] = np.sort(times)[latest] if len(events) else times
    return when
