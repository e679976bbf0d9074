"""The probe log, measured: keepalive or window probe, answered or not, and the run that nothing answered."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.layout import (
    ANSWER,
    ANSWER_NONE,
    ANSWER_RST,
    EARLY,
    GAP_END,
    GAP_OPEN,
    GAP_OWN_RST,
    HELD_BACK,
    NEVER,
    NEW_OCTET,
    ONE_OCTET,
    PEER_WINDOW_ZERO,
    PROBE_ACK,
    PROBE_FLAGS,
    PROBE_ICMP,
    PROBE_SEQ,
    PROBE_SINCE,
    PROBE_TIME,
    PROBER,
    REJECTED,
)
from analyzer.model import Column, ProbeKind, Tracks

# Held-back segments that no acknowledgement ever explained count as probes when they keep a pace: the gaps between
# them differ by less than this factor. Linux's timer rounds up by an eighth at most (kernel/time/timer.c).
STEADY = 1.3
# Successive gaps of a persist timer double (RFC 9293 3.8.6.1); those of a keepalive timer do not.
DOUBLING = 1.5
# Linux's persist timer stops doubling at TCP_RTO_MAX.
PERSIST_MAX_NS = 120_000_000_000


class ProbeMeasures(NamedTuple):
    """Columns of model.Facts that come from the probe log; `kind` per row of the log, the others (flows, 2)."""

    kind: Column
    probes: Column
    answered: Column
    reset: Column
    icmp: Column
    trailing: Column
    interval: Column
    last_probe: Column
    zero_window_probes: Column


def measure_probes(tracks: Tracks) -> ProbeMeasures:
    """Classify each row of the probe log and add up per endpoint."""
    log = tracks.probes
    endpoints = 2 * len(tracks.flows)
    kind = classify(log)
    keepalives = log[kind == ProbeKind.KEEPALIVE]
    answer = keepalives[:, ANSWER]
    unanswered = answer == ANSWER_NONE
    run = trailing_runs(keepalives, endpoints)

    def count(rows: Column) -> Column:
        return np.bincount(rows[:, PROBER], minlength=endpoints).astype(np.int64).reshape(-1, 2)

    return ProbeMeasures(
        kind=kind,
        probes=count(keepalives),
        answered=count(keepalives[(answer > ANSWER_NONE) & (answer < ANSWER_RST)]),
        reset=count(keepalives[answer == ANSWER_RST]),
        icmp=count(keepalives[unanswered & (keepalives[:, PROBE_ICMP] > 0)]),
        trailing=run.length.reshape(-1, 2),
        interval=run.interval.reshape(-1, 2),
        last_probe=run.last.reshape(-1, 2),
        zero_window_probes=count(log[kind == ProbeKind.ZERO_WINDOW]),
    )


def classify(log: Column) -> Column:
    """ProbeKind of each row."""
    flags = log[:, PROBE_FLAGS]
    kind = np.full(len(log), int(ProbeKind.KEEPALIVE), np.int64)
    kind[(flags & NEW_OCTET) != 0] = ProbeKind.ZERO_WINDOW
    kind[(flags & REJECTED) != 0] = ProbeKind.NOT_A_PROBE
    for rows in _groups(log, np.flatnonzero((flags & HELD_BACK != 0) & (kind != ProbeKind.NOT_A_PROBE))):
        if not _keeps_a_pace(log, rows):
            kind[rows] = ProbeKind.NOT_A_PROBE
    for rows in _groups(log, np.flatnonzero((flags & PEER_WINDOW_ZERO != 0) & (kind == ProbeKind.KEEPALIVE))):
        for run in _runs(log, rows):
            if _is_persist_timer(log, run):
                kind[run] = ProbeKind.ZERO_WINDOW
    return kind


def _groups(log: Column, rows: Column) -> list[Column]:
    """These rows of the log, in order, per prober."""
    if not len(rows):
        return []
    rows = rows[np.argsort(log[rows, PROBER], kind="stable")]
    return np.split(rows, np.flatnonzero(np.diff(log[rows, PROBER])) + 1)


def _runs(log: Column, rows: Column) -> list[Column]:
    """One prober's rows, cut where its number moves on: the window opened and data went through."""
    return np.split(rows, np.flatnonzero(np.diff(log[rows, PROBE_SEQ])) + 1)


def _keeps_a_pace(log: Column, rows: Column) -> bool:
    """Whether segments that may be probes repeat one number and acknowledgement at even times."""
    if log[rows[0], PROBE_FLAGS] & ONE_OCTET:
        return True  # held back only for its shape: a lone unpushed zero
    if len(rows) < 2 or np.any(log[rows, PROBE_ACK] != log[rows[0], PROBE_ACK]):
        return False
    gaps = np.diff(log[rows, PROBE_TIME])
    return bool(gaps.max() <= STEADY * gaps.min())


def _is_persist_timer(log: Column, rows: Column) -> bool:
    """Whether probes into a closed window come from a persist timer rather than a keepalive timer.

    With fewer than three samples a closed window decides: it closes because data fills it, and more is waiting.
    """
    times = log[rows, PROBE_TIME]
    if log[rows[0], PROBE_FLAGS] & EARLY or len(rows) < 3:
        return True
    since = log[rows[0], PROBE_SINCE]
    gaps = np.diff(times if since == NEVER else np.concatenate(([since], times)))
    if gaps[0] >= PERSIST_MAX_NS * 0.95 and gaps[-1] <= PERSIST_MAX_NS * 1.05:
        return True
    return bool(np.median(gaps[1:] / gaps[:-1]) >= DOUBLING)


class _Runs(NamedTuple):
    length: Column
    interval: Column
    last: Column


def trailing_runs(keepalives: Column, endpoints: int) -> _Runs:
    """Per endpoint: how many of its last probes nothing answered, the gap between the last two, the last one's time."""
    length = np.zeros(endpoints, np.int64)
    interval = np.zeros(endpoints, np.int64)
    last = np.zeros(endpoints, np.int64)
    if len(keepalives):
        rows = keepalives[np.argsort(keepalives[:, PROBER], kind="stable")]
        ends = np.append(np.flatnonzero(np.diff(rows[:, PROBER])), len(rows) - 1)
        starts = np.append(0, ends[:-1] + 1)
        gap = rows[:, GAP_END]
        heard = (rows[:, ANSWER] != ANSWER_NONE) | ((gap != GAP_OPEN) & (gap != GAP_OWN_RST))
        position = np.where(heard, np.arange(len(rows)), -1)
        last_heard = np.maximum(np.maximum.reduceat(position, starts), starts - 1)
        who = rows[ends, PROBER]
        length[who] = ends - last_heard
        last[who] = rows[ends, PROBE_TIME]
        several = length[who] >= 2
        interval[who[several]] = (rows[ends, PROBE_TIME] - rows[ends - 1, PROBE_TIME])[several]
    return _Runs(length, interval, last)
