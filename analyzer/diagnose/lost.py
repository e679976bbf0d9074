"""Probes without an answer for which there is another reason than a dead peer, as rows of the probe log."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.model.columns import Facts
from analyzer.model.words import ProbeKind
from analyzer.tables.arrays import Column, are_among
from analyzer.tables.fields import (
    ANSWER,
    ANSWER_NONE,
    ANSWER_RST,
    PROBE_BEFORE,
    PROBE_FRAME,
    PROBE_MARKS,
    PROBE_SINCE,
    PROBE_TIME,
    WITHOUT_TIMESTAMPS,
)

# Linux answers segments outside of its window once in half a second (net.ipv4.tcp_invalid_ratelimit).
RATE_LIMIT_NS = 500_000_000


class Lost(NamedTuple):
    """Such probes by reason: endpoint (stream * 2 + side) and frame of each."""

    bare: tuple[Column, Column]
    quick: tuple[Column, Column]
    first: tuple[Column, Column]

    def frames(self, reason: str, endpoint: int) -> tuple[int, ...]:
        """Those of one endpoint, for one reason."""
        who, frames = getattr(self, reason)
        return tuple(frames[who == endpoint].tolist())


def lost_probes(facts: Facts) -> Lost:
    """Find them all."""
    log = facts.tracks.probes
    keepalive = facts.probe_kind == ProbeKind.KEEPALIVE
    unanswered = np.flatnonzero(keepalive & (log[:, PROBE_MARKS] & ANSWER == ANSWER_NONE))
    found = _bare(facts, unanswered), _quick(log, unanswered), _first(facts, unanswered)
    return Lost(*[(facts.prober[rows].astype(np.int64), log[rows, PROBE_FRAME]) for rows in found])


def _answered(facts: Facts) -> Column:
    answer = facts.tracks.probes[:, PROBE_MARKS] & ANSWER
    keepalive = facts.probe_kind == ProbeKind.KEEPALIVE
    return np.flatnonzero(keepalive & (answer != ANSWER_NONE) & (answer != ANSWER_RST))


def _bare(facts: Facts, rows: Column) -> Column:
    """Without the timestamps of their connection, to a host that has answered none such in this capture."""
    marks = facts.tracks.probes[:, PROBE_MARKS]
    rows = rows[marks[rows] & WITHOUT_TIMESTAMPS != 0]
    if not len(rows):
        return rows
    heard = _answered(facts)
    heard = heard[marks[heard] & WITHOUT_TIMESTAMPS != 0]
    return np.asarray(rows[~are_among(_asked(facts, rows), _asked(facts, heard))])


def _asked(facts: Facts, rows: Column) -> Column:
    """A number for the host that each of these probes asked."""
    who = facts.prober[rows]
    return np.asarray(np.where(who & 1 != 0, facts.client[who >> 1], facts.server[who >> 1]))


def _quick(log: Column, rows: Column) -> Column:
    """After another probe, sooner than some hosts answer again."""
    before = log[rows, PROBE_BEFORE]
    gap = log[rows, PROBE_TIME] - log[before - 1, PROBE_TIME]
    return np.asarray(rows[(before > 0) & (gap >= 0) & (gap < RATE_LIMIT_NS)])


def _first(facts: Facts, rows: Column) -> Column:
    """The first of their silence, while the next probe was answered."""
    log = facts.tracks.probes
    is_lost = np.zeros(len(log) + 1, bool)
    is_lost[rows + 1] = True  # as PROBE_BEFORE numbers them
    second = _answered(facts)
    second = second[is_lost[log[second, PROBE_BEFORE]]]
    first = log[second, PROBE_BEFORE] - 1
    first = first[log[first, PROBE_SINCE] == log[second, PROBE_SINCE]]
    before = log[first, PROBE_BEFORE]
    begins = (before == 0) | (log[before - 1, PROBE_SINCE] != log[first, PROBE_SINCE])
    return np.asarray(rows[are_among(rows, first[begins])])
