"""The probe log in the columns that charts draw."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.model.columns import Facts
from analyzer.model.words import ProbeKind
from analyzer.report.charts.axis import Numbers
from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import (
    ANSWER,
    ANSWER_FRAME,
    ANSWER_NONE,
    ANSWER_RST,
    NEVER,
    PROBE_FRAME,
    PROBE_MARKS,
    PROBE_SINCE,
    PROBE_TIME,
)

ANSWERED, UNANSWERED, RESET = range(3)


class Probes(NamedTuple):
    """Probes of one kind, in order of prober and time; one row each."""

    frame: Column
    time: Column
    since: Column  # when the prober had last heard something; NEVER before that
    fate: Column  # ANSWERED, UNANSWERED or RESET
    answer_frame: Column
    prober: Column  # stream * 2 + side

    def of(self, chosen: Mask | Column) -> Probes:
        """Some of them."""
        return Probes(*(column[chosen] for column in self))

    def sent_by(self, stream: int, side: int | None = None) -> Probes:
        """Those of one connection, or of one end of it."""
        return self.of(self.prober >> 1 == stream if side is None else self.prober == 2 * stream + side)


def probes_of(facts: Facts, streams: Column, kind: ProbeKind = ProbeKind.KEEPALIVE) -> Probes:
    """The probes of these connections."""
    log, who = facts.tracks.probes, facts.prober
    chosen = np.zeros(len(facts), bool)
    chosen[streams] = True
    rows = np.flatnonzero((facts.probe_kind == kind) & chosen[who >> 1])
    rows = rows[np.lexsort((log[rows, PROBE_TIME], who[rows]))]
    answer = log[rows, PROBE_MARKS] & ANSWER
    fate = np.where(answer == ANSWER_NONE, UNANSWERED, np.where(answer == ANSWER_RST, RESET, ANSWERED))
    answer_frame = np.where(fate == UNANSWERED, 0, log[rows, ANSWER_FRAME])
    columns = (log[rows, PROBE_FRAME], log[rows, PROBE_TIME], log[rows, PROBE_SINCE], fate, answer_frame)
    return Probes(*columns, who[rows].astype(np.int64))


class Gaps(NamedTuple):
    """How long each prober had waited before each probe, in seconds, with the probe's time and fate."""

    time: Column
    seconds: Numbers
    fate: Column
    again: Mask  # after a probe that nothing had answered: an interval; else after something heard: idle time


def gaps_of(probes: Probes) -> Gaps:
    """The time from what the prober last heard, or from the probe that it sent since, to each probe."""
    before = np.full(len(probes.time), NEVER)
    same = np.diff(probes.prober, prepend=-1) == 0
    before[1:] = np.where(same[1:], probes.time[:-1], NEVER)
    again = before >= probes.since
    last = np.maximum(before, probes.since)
    known = last > NEVER
    seconds = (probes.time - last)[known] / 1e9
    return Gaps(probes.time[known], seconds, probes.fate[known], again[known])
