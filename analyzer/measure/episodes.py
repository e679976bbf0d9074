"""Episodes: the probes of one endpoint, gathered by the idle gap that each was sent in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, overload

import numpy as np

from analyzer.model.flows import Episode, Episodes, Probe
from analyzer.model.words import Outcome
from analyzer.tables.arrays import Column
from analyzer.tables.fields import (
    ANSWER,
    ANSWER_FRAME,
    ANSWER_NONE,
    ANSWER_RST,
    ANSWER_TIME,
    EARLY,
    GAP_ANSWERED,
    GAP_DATA,
    GAP_END,
    GAP_OPEN,
    GAP_OWN_RST,
    GAP_PEER_RST,
    HELD_BACK,
    NEVER,
    ONE_OCTET,
    ONE_SIDED,
    PROBE_FRAME,
    PROBE_MARKS,
    PROBE_SINCE,
    PROBE_TIME,
    WITHOUT_TIMESTAMPS,
)

# Start, end, frame, time, answer_frame and answer_time of an idle gap with one answered probe.
STEADY = [PROBE_SINCE, ANSWER_TIME, PROBE_FRAME, PROBE_TIME, ANSWER_FRAME, ANSWER_TIME]


class Form(NamedTuple):
    """What the probes of one endpoint look like, in fields of model.Keepalive."""

    probe_length: int
    confidence: str
    without_timestamps: bool


def form_of(rows: Column) -> Form:
    """That of the keepalive probes of one endpoint, from its rows of the probe log: (probes, PROBE_SIZE)."""
    marks = rows[:, PROBE_MARKS]
    some = int(np.bitwise_or.reduce(marks))
    return Form(int(some & ONE_OCTET != 0), _confidence(marks), some & WITHOUT_TIMESTAMPS != 0)


def _confidence(marks: Column) -> str:
    """How sure it is that these are keepalive probes: as sure as of the best of them."""
    if not (marks & (ONE_SIDED | HELD_BACK | EARLY)).all():
        return "certain"
    if (marks & ONE_SIDED).all():
        return "possible"  # a peer that this capture does not hold may have said what would explain them otherwise
    return "possible" if (marks & (HELD_BACK | EARLY)).all() else "likely"


class LazyEpisodes(Episodes):
    """The Episodes of one endpoint, each made when it is asked for."""

    def __init__(self, rows: Column, gave_up: bool) -> None:
        since = rows[:, PROBE_SINCE]
        # Probes with the same last reception belong together.
        self._bounds = [0, *(np.flatnonzero(since[1:] != since[:-1]) + 1).tolist(), len(rows)]
        self._rows = rows
        self._gave_up = gave_up
        self._made: dict[int, Episode] = {}  # rules ask for the last again and again

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, LazyEpisodes) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def steady(self) -> Column | None:
        """See model.Episodes: (gaps, 6), nanoseconds since 1970 and frames; None if one is otherwise."""
        rows = self._rows
        if len(self) != len(rows) or rows[0, PROBE_SINCE] == NEVER:
            return None
        marks = rows[:, PROBE_MARKS]
        answer, gap = marks & ANSWER, marks & GAP_END
        # Beyond GAP_OPEN, GAP_ANSWERED and GAP_DATA are the ways to end badly.
        if answer.min() == ANSWER_NONE or answer.max() == ANSWER_RST or gap.max() > GAP_DATA:
            return None
        steady = rows[:, STEADY]
        still = np.flatnonzero(gap == GAP_OPEN)
        steady[still, 1] = np.maximum(rows[still, PROBE_TIME], rows[still, ANSWER_TIME])
        return steady

    def recovered(self) -> int:
        """See model.Episodes; as `_outcome`, without an Episode made."""
        marks = self._rows[:, PROBE_MARKS]
        first = self._bounds[:-1]
        lost = np.logical_or.reduceat(marks & ANSWER == ANSWER_NONE, first)
        ends = marks[np.array(self._bounds[1:]) - 1] & GAP_END
        return int((lost & ((ends == GAP_ANSWERED) | (ends == GAP_DATA))).sum())

    @overload
    def __getitem__(self, index: int) -> Episode: ...
    @overload
    def __getitem__(self, index: slice) -> list[Episode]: ...
    def __getitem__(self, index: int | slice) -> Episode | list[Episode]:
        if isinstance(index, slice):
            return list(self)[index]
        position = range(len(self))[index]
        if position not in self._made:
            rows = self._rows[self._bounds[position] : self._bounds[position + 1]].tolist()
            self._made[position] = _episode(rows, self._gave_up)
        return self._made[position]

    def __iter__(self) -> Iterator[Episode]:
        table = self._rows.tolist()
        for first, end in pairwise(self._bounds):
            yield _episode(table[first:end], self._gave_up)


def _episode(rows: list[list[int]], gave_up: bool) -> Episode:
    probes = tuple([_probe(row) for row in rows])
    last = rows[-1]
    start = rows[0][PROBE_SINCE] if rows[0][PROBE_SINCE] != NEVER else rows[0][PROBE_TIME]
    end = last[ANSWER_TIME] if last[PROBE_MARKS] & GAP_END != GAP_OPEN else max(last[PROBE_TIME], last[ANSWER_TIME])
    return Episode(start, end, _outcome(rows, gave_up), probes)


def _probe(row: list[int]) -> Probe:
    frame = row[ANSWER_FRAME]
    return Probe(row[PROBE_FRAME], row[PROBE_TIME], frame or None, row[ANSWER_TIME] if frame else None)


def _outcome(rows: list[list[int]], gave_up: bool) -> Outcome:
    gap = rows[-1][PROBE_MARKS] & GAP_END
    lost = any(row[PROBE_MARKS] & ANSWER == ANSWER_NONE for row in rows)
    if gap == GAP_PEER_RST:
        return Outcome.RESET
    if gap == GAP_OWN_RST:
        return Outcome.TIMED_OUT if gave_up else Outcome.CLOSED
    if gap in (GAP_ANSWERED, GAP_DATA):
        return Outcome.RECOVERED if lost else Outcome.ANSWERED
    if gap == GAP_OPEN:
        return Outcome.OPEN if lost else Outcome.ANSWERED
    return Outcome.CLOSED if lost else Outcome.ANSWERED
