"""Episodes: the probes of one endpoint, gathered by the idle gap that each was sent in."""

from __future__ import annotations

from analyzer.layout import (
    ANSWER,
    ANSWER_FRAME,
    ANSWER_NONE,
    ANSWER_RST,
    ANSWER_TIME,
    EARLY,
    GAP_ANSWERED,
    GAP_DATA,
    GAP_END,
    GAP_END_TIME,
    GAP_OPEN,
    GAP_OWN_RST,
    GAP_PEER_RST,
    HELD_BACK,
    NEVER,
    ONE_OCTET,
    ONE_SIDED,
    PROBE_FLAGS,
    PROBE_FRAME,
    PROBE_ICMP,
    PROBE_SINCE,
    PROBE_TIME,
)
from analyzer.model import SIDES, Column, Episode, Keepalive, Outcome, Probe


def make_keepalive(side: int, rows: Column, gave_up: bool) -> Keepalive:
    """The keepalive probes of one endpoint, from its rows of the probe log in order.

    `gave_up` says that the connection ended by this endpoint's keepalive timer.
    """
    answer = rows[:, ANSWER]
    flags = rows[:, PROBE_FLAGS]
    return Keepalive(
        sender=SIDES[side],
        probes=len(rows),
        answered=int(((answer != ANSWER_NONE) & (answer != ANSWER_RST)).sum()),
        unanswered=int((answer == ANSWER_NONE).sum()),
        reset=int((answer == ANSWER_RST).sum()),
        icmp=int(((answer == ANSWER_NONE) & (rows[:, PROBE_ICMP] > 0)).sum()),
        probe_length=int((flags & ONE_OCTET).any()),
        confidence=_confidence(flags),
        episodes=make_episodes(rows, gave_up),
    )


def _confidence(flags: Column) -> str:
    """How sure it is that these are keepalive probes: as sure as of the best of them."""
    if (flags & (ONE_SIDED | HELD_BACK | EARLY) == 0).any():
        return "certain"
    if (flags & (HELD_BACK | EARLY) == 0).any():
        return "likely"
    return "possible"


def make_episodes(rows: Column, gave_up: bool) -> tuple[Episode, ...]:
    """One Episode per idle gap of the prober: probes with the same last reception belong together."""
    episodes = []
    first = 0
    table = rows.tolist()
    for i in range(1, len(table) + 1):
        if i == len(table) or table[i][PROBE_SINCE] != table[first][PROBE_SINCE]:
            episodes.append(_episode(table[first:i], gave_up))
            first = i
    return tuple(episodes)


def _episode(rows: list[list[int]], gave_up: bool) -> Episode:
    probes = tuple(
        Probe(row[PROBE_FRAME], row[PROBE_TIME], row[ANSWER_FRAME] or None, row[ANSWER_TIME] or None) for row in rows
    )
    last = rows[-1]
    start = rows[0][PROBE_SINCE] if rows[0][PROBE_SINCE] != NEVER else rows[0][PROBE_TIME]
    end = last[GAP_END_TIME] if last[GAP_END] != GAP_OPEN else max(last[PROBE_TIME], last[ANSWER_TIME])
    return Episode(start, end, _outcome(rows, gave_up), probes)


def _outcome(rows: list[list[int]], gave_up: bool) -> Outcome:
    gap = rows[-1][GAP_END]
    lost = any(row[ANSWER] == ANSWER_NONE for row in rows)
    if gap == GAP_PEER_RST:
        return Outcome.RESET
    if gap == GAP_OWN_RST:
        return Outcome.TIMED_OUT if gave_up else Outcome.CLOSED
    if gap in (GAP_ANSWERED, GAP_DATA):
        return Outcome.RECOVERED if lost else Outcome.ANSWERED
    if gap == GAP_OPEN:
        return Outcome.OPEN if lost else Outcome.ANSWERED
    return Outcome.CLOSED if lost else Outcome.ANSWERED
