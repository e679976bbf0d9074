"""The probe log, measured: keepalive or window probe, answered or not, and the run that nothing answered."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.measure.settings.unheard import UnheardRuns
from analyzer.model.columns import Tracks
from analyzer.model.words import ProbeKind
from analyzer.tables.arrays import Column, Mask, Narrow, Short
from analyzer.tables.fields import (
    ANSWER,
    ANSWER_NONE,
    ANSWER_RST,
    EARLY,
    ENDPOINT_SIZE,
    HEAD_SIZE,
    HELD_BACK,
    LAST_PROBE,
    MARK_BITS,
    NEW_OCTET,
    ONE_OCTET,
    PEER_WINDOW_ZERO,
    PROBE_BEFORE,
    PROBE_MARKS,
    PROBE_TIME,
    PROBE_WHO,
    QUOTED,
    REJECTED,
    RUN,
)
from analyzer.tables.probe import probers
from analyzer.tcp import SHORTEST_TIMER_NS

# Held-back segments that no acknowledgement ever explained count as probes when they keep a pace: the gaps between
# them differ by less than this factor. Linux's timer rounds up by an eighth at most (kernel/time/timer.c).
STEADY = 1.3
# Successive gaps of a persist timer double (RFC 9293 3.8.6.1); those of a keepalive timer do not.
DOUBLING = 1.5
# Linux's persist timer stops doubling at TCP_RTO_MAX.
PERSIST_MAX_NS = 120_000_000_000


AT_LAST_PROBE = (HEAD_SIZE + LAST_PROBE, HEAD_SIZE + ENDPOINT_SIZE + LAST_PROBE)
MARKS = (1 << MARK_BITS - 1) - 1  # all of PROBE_MARKS but the acknowledgement number
FLAGS = 0xFF  # those of them that tell what kind of probe it is


class ProbeMeasures(NamedTuple):
    """Columns of model.Facts that come from the probe log; the first two per row of it, the others (flows, 2)."""

    kind: Narrow
    prober: Short
    probes: Short
    answered: Short
    reset: Short
    icmp: Short
    trailing: Short
    interval: Column
    last_probe: Column
    zero_window_probes: Short


def measure_probes(tracks: Tracks, unheard: UnheardRuns) -> ProbeMeasures:
    """Classify each row of the probe log and add up per endpoint; `unheard` are runs in spite of their answers."""
    log = tracks.probes
    kind = classify(log)
    # As narrow as it goes, and made without a wide array between: this is when memory is at its highest.
    marks = np.empty(len(log), np.int16)
    np.bitwise_and(log[:, PROBE_MARKS], MARKS, out=marks, casting="unsafe")
    prober = probers(log)
    answer = marks & np.int16(ANSWER)
    keepalive = kind == ProbeKind.KEEPALIVE
    run = trailing_runs(tracks, kind)
    for endpoint, length in zip(*unheard, strict=True):
        last = log[int(tracks.flows[endpoint >> 1, AT_LAST_PROBE[endpoint & 1]]) - 1]
        run.length[endpoint >> 1, endpoint & 1] = length
        run.interval[endpoint >> 1, endpoint & 1] = last[PROBE_TIME] - log[last[PROBE_BEFORE] - 1, PROBE_TIME]

    def count(chosen: Mask) -> Short:
        counts = np.bincount(prober[chosen], minlength=2 * len(tracks.flows))
        return counts.reshape(-1, 2).astype(np.int32, order="F")

    return ProbeMeasures(
        kind=kind,
        prober=prober,
        probes=count(keepalive),
        answered=count(keepalive & (answer > ANSWER_NONE) & (answer < ANSWER_RST)),
        reset=count(keepalive & (answer == ANSWER_RST)),
        icmp=count(keepalive & (answer == ANSWER_NONE) & (marks & np.int16(QUOTED) != 0)),
        trailing=run.length,
        interval=run.interval,
        last_probe=run.last,
        zero_window_probes=count(kind == ProbeKind.ZERO_WINDOW),
    )


def classify(log: Column) -> Narrow:
    """ProbeKind of each row of the probe log: (probes,). Pace tells those of a closed window (RFC 9293 3.8.6.1)."""
    flags = np.empty(len(log), np.uint8)
    np.bitwise_and(log[:, PROBE_MARKS], FLAGS, out=flags, casting="unsafe")
    kind = np.full(len(log), int(ProbeKind.KEEPALIVE), np.int8)
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
    prober = probers(log, rows)
    order = np.argsort(prober, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(prober[order])) + 1)


def _runs(log: Column, rows: Column) -> list[Column]:
    """One prober's rows, cut where its number moves on: the window opened and data went through."""
    return np.split(rows, np.flatnonzero(np.diff(log[rows, PROBE_WHO])) + 1)


def _keeps_a_pace(log: Column, rows: Column) -> bool:
    """Whether segments that may be probes repeat one number and acknowledgement at even times."""
    if log[rows[0], PROBE_MARKS] & ONE_OCTET:
        return True  # held back only for its shape: a lone unpushed zero
    if len(rows) < 2 or np.ptp(log[rows, PROBE_MARKS] >> MARK_BITS) > 0:
        return False
    gaps = np.diff(log[rows, PROBE_TIME])
    return bool(gaps.max() <= STEADY * gaps.min())


def _is_persist_timer(log: Column, rows: Column) -> bool:
    """Whether probes into a closed window come from a persist timer rather than a keepalive timer.

    With fewer than three samples a closed window decides: it closes because data fills it, and more is waiting.
    """
    times = log[rows, PROBE_TIME]
    if log[rows[0], PROBE_MARKS] & EARLY or len(rows) < 3:
        return True
    gaps = np.diff(times)
    if gaps.min() < SHORTEST_TIMER_NS:
        return True
    if gaps[0] >= PERSIST_MAX_NS * 0.95 and gaps[-1] <= PERSIST_MAX_NS * 1.05:
        return True
    return bool(np.median(gaps[1:] / gaps[:-1]) >= DOUBLING)


class _Runs(NamedTuple):
    length: Short
    interval: Column
    last: Column


def trailing_runs(tracks: Tracks, kind: Narrow) -> _Runs:
    """Of each endpoint's last keepalive probes that nothing answered: how many, the gap between the last two, when.

    `kind` is what `classify` gives of the log. All three are (flows, 2), times in nanoseconds: `interval` is 0 where
    there is one or none, `last` where it never probed.
    """
    parts = [_trailing_runs(some, kind) for _, some in tracks.parts()]
    return _Runs(*[np.concatenate(columns) for columns in zip(*parts, strict=True)])


def _trailing_runs(tracks: Tracks, kind: Narrow) -> _Runs:
    log = tracks.probes
    last = tracks.endpoints(LAST_PROBE)
    length = tracks.endpoints(RUN)
    interval = np.zeros_like(last)
    when = np.zeros_like(last)
    who = np.nonzero(last)
    rows = last[who] - 1
    when[who] = log[rows, PROBE_TIME]
    length[who] = np.where(kind[rows] == ProbeKind.KEEPALIVE, length[who], 0)
    before = log[rows, PROBE_BEFORE]
    interval[who] = np.where((length[who] >= 2) & (before > 0), when[who] - log[before - 1, PROBE_TIME], 0)
    return _Runs(length.astype(np.int32), interval, when)
