"""Runs of probes whose answers passed the point of capture and were lost behind it, where no timestamp tells.

Their pace does: a prober that has its answer waits for tcp_keepalive_time, one that has none asks again after
tcp_keepalive_intvl, and resets the connection one such interval after its last probe. So rounds that become shorter
and end with the prober's RST, on time, are a run that it gave up. Where both settings are alike nothing tells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.measure.settings.timers import PACE, SLACK_NS
from analyzer.model.columns import Tracks
from analyzer.tables.arrays import Column
from analyzer.tables.fields import (
    ANSWER,
    ANSWER_ACK,
    ANSWER_TIME,
    GAP_ANSWERED,
    GAP_END,
    GAP_OWN_RST,
    LAST_PROBE,
    NEVER,
    PROBE_BEFORE,
    PROBE_MARKS,
    PROBE_SINCE,
    PROBE_TIME,
    RESET_ABORT,
    RESET_SIDE,
    RESET_TIME,
    RESET_WHY,
)
from analyzer.tcp import SHORTEST_TIMER_NS

# Rounds this much longer than the interval are no jitter of its timer.
LONGER = 1.3
LONGEST_RUN = 127  # Linux MAX_TCP_KEEPCNT


class UnheardRuns(NamedTuple):
    """Endpoints (stream * 2 + side) that gave up on answers they did not hear, and how many probes each run has."""

    endpoints: Column
    lengths: Column


def find_unheard_runs(tracks: Tracks) -> tuple[Tracks, UnheardRuns]:
    """Find them; in the tables that are returned each run is one idle gap, as far as its prober knew."""
    flows, log = tracks.flows, tracks.probes
    streams = np.flatnonzero((flows[:, RESET_WHY] == RESET_ABORT) & (flows[:, RESET_SIDE] > 0))
    side = flows[streams, RESET_SIDE] - 1
    rows = tracks.endpoints(LAST_PROBE, streams)[np.arange(len(streams)), side] - 1
    streams, side, rows = (column[rows >= 0] for column in (streams, side, rows))
    before = log[rows, PROBE_BEFORE] - 1
    gap = log[rows, PROBE_TIME] - log[before, PROBE_TIME]
    waited = flows[streams, RESET_TIME] - log[rows, PROBE_TIME]
    on_time = (before >= 0) & (gap >= SHORTEST_TIMER_NS) & (np.abs(waited - gap) <= PACE * gap + SLACK_NS)
    found: list[tuple[int, int]] = []
    runs: list[list[int]] = []
    for place in np.flatnonzero(on_time).tolist():
        if run := _run(log, int(rows[place]), int(gap[place])):
            found.append((int(2 * streams[place] + side[place]), len(run)))
            runs.append(run)
    endpoints, lengths = np.array(found, np.int64).reshape(-1, 2).T
    if runs:
        tracks = tracks._replace(probes=_joined(log, runs))
    return tracks, UnheardRuns(endpoints, lengths)


def _run(log: Column, row: int, gap: int) -> list[int]:
    """The rows of a run that ends with this one, the first first; none where its rounds were not longer before."""
    run: list[int] = []
    while len(run) < LONGEST_RUN:
        probe = log[row].tolist()
        if probe[PROBE_MARKS] & (ANSWER | GAP_END) != ANSWER_ACK | GAP_ANSWERED or probe[PROBE_SINCE] == NEVER:
            return []
        run.insert(0, row)
        if probe[PROBE_TIME] - probe[PROBE_SINCE] > LONGER * gap + SLACK_NS:
            return run if len(run) > 1 else []
        row = probe[PROBE_BEFORE] - 1
        if row < 0 or log[row, ANSWER_TIME] != probe[PROBE_SINCE]:
            return []
        if abs(probe[PROBE_TIME] - int(log[row, PROBE_TIME]) - gap) > PACE * gap + SLACK_NS:
            return []
    return []


def _joined(log: Column, runs: list[list[int]]) -> Column:
    log = log.copy()
    for run in runs:
        log[run, PROBE_SINCE] = log[run[0], PROBE_SINCE]
        log[run, PROBE_MARKS] &= ~GAP_END
        log[run[-1], PROBE_MARKS] |= GAP_OWN_RST
    return log
