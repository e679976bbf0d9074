"""Some connections of the tracker's tables, with every reference from row to row numbered as is wanted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.model.columns import Tracks
from analyzer.tables.arrays import Column, Mask, Short
from analyzer.tables.fields import (
    ENDPOINT_SIZE,
    EVENT_ENDPOINT,
    HEAD_SIZE,
    HELD,
    LAST_PROBE,
    PREVIOUS,
    PROBE_BEFORE,
)
from analyzer.tables.probe import move_to, probers

# Rows that are copied at once: few enough to be in the processor's cache when their columns are renumbered.
ROWS_AT_A_TIME = 1 << 10
# Fields of a flow's two endpoints that hold 1 + a row of the probe log.
TO_PROBES = [x + field for x in (HEAD_SIZE, HEAD_SIZE + ENDPOINT_SIZE) for field in (LAST_PROBE, HELD)]


def renumber_flows(flows: Column, stream_to: Column, probe_to: Column) -> Column:
    """Have copied rows of the flow table refer to others by new numbers; see `renumber_probes` for `probe_to`.

    `stream_to` holds -1 for those that cannot be referred to any more.
    """
    probes, before = flows[:, TO_PROBES], flows[:, PREVIOUS]
    if probes.any():  # of short connections hardly any
        flows[:, TO_PROBES] = probe_to[probes]
    if before.any():
        flows[:, PREVIOUS] = np.where(before > 0, stream_to[before - 1] + 1, 0)
    return flows


def renumber_probes(probes: Column, stream_to: Column, probe_to: Column) -> Column:
    """The same for rows of the probe log; `probe_to` maps 1 + row, and 0 to 0 as whatever cannot be referred to."""
    move_to(probes, stream_to[probers(probes) >> 1])
    probes[:, PROBE_BEFORE] = probe_to[probes[:, PROBE_BEFORE]]
    return probes


def renumber_events(events: Column, stream_to: Column) -> Column:
    """The same for rows of the event log."""
    of = events[:, EVENT_ENDPOINT]
    events[:, EVENT_ENDPOINT] = 2 * stream_to[of >> 1] + (of & 1)
    return events


def extract(whole: Tracks, streams: Column) -> tuple[Tracks, Column]:
    """The tables of some streams alone, renumbered from 0; and which rows of the whole log their probes are."""
    chosen = np.zeros(len(whole.flows), bool)
    chosen[streams] = True
    rows = np.flatnonzero(chosen[probing_streams(whole)])
    stream_to, probe_to = places(chosen), probe_places(rows, len(whole.probes))
    return Tracks(
        renumber_flows(taken(whole.flows, streams), stream_to, probe_to),
        renumber_probes(taken(whole.probes, rows), stream_to, probe_to),
        renumber_events(whole.events[chosen[whole.events[:, EVENT_ENDPOINT] >> 1]], stream_to),
    ), rows


def probing_streams(tracks: Tracks) -> Short:
    """The stream of each row of the probe log."""
    return np.asarray(probers(tracks.probes) >> 1)


def places(chosen: Mask) -> Column:
    """For each row its place among the chosen ones, -1 for the others."""
    return np.where(chosen, np.cumsum(chosen) - 1, -1)


def probe_places(rows: Column, size: int) -> Column:
    """For 0 and 1 + each of so many rows: 1 + its place among `rows`, or 0."""
    place = np.zeros(size + 1, np.int64)
    place[rows + 1] = np.arange(1, len(rows) + 1)
    return place


def taken(table: Column, rows: Column) -> Column:
    """A copy of these rows: as `table[rows]`, which copies word by word."""
    return np.take(table, rows, axis=0, mode="clip")


def pieces(rows: Column) -> Iterator[tuple[int, Column]]:
    """A thousand of these at a time, and how many went before."""
    for start in range(0, len(rows), ROWS_AT_A_TIME):
        yield start, rows[start : start + ROWS_AT_A_TIME]
