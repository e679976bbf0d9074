"""Connections that one end closes at a limit: of the time without data, or of their age; with FIN or with RST."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.diagnose.groups import by_service
from analyzer.diagnose.hops import OTHER
from analyzer.model.columns import Facts
from analyzer.model.words import How
from analyzer.tables.arrays import Column, Mask, Narrow, are_among
from analyzer.tables.fields import (
    BEAT_LAST,
    FIN_FRAME,
    FIN_TIME,
    FIRST_TIME,
    HANDSHAKE,
    LAST_DATA,
    RESET_ABORT,
    RESET_FRAME,
    RESET_SIDE,
    RESET_TIME,
    RESET_WHY,
    SAW_SYN,
)
from analyzer.tcp import SECOND

SHORTEST_NS = 4 * SECOND
SHORTEST_AGE_NS = 5 * SECOND
# Of a FIN at an age, which needs no reason: only what is as long as a limit that somebody sets.
SHORTEST_ORDERLY_NS = 30 * SECOND
# Several must agree, within so much of their shortest and so much besides.
FEWEST = 3
SHARE = 0.01
SLACK_NS = 250_000_000
# Where the other measure is to differ: by so much more.
APART = 4
NOT_YET = np.iinfo(np.int64).max


class Limit(NamedTuple):
    """Connections of one service that one side closed at one limit."""

    streams: Column
    side: int
    of: int  # how many that side closed after a while
    measured: Column  # nanoseconds: time without data, or age
    idle: Column  # time without data
    frames: Column  # of the FIN or RST
    resets: Mask
    foreign: Mask  # an RST with a hop limit that its sender does not have


class Closings(NamedTuple):
    """By connection, how one side closed it of its own accord; times in nanoseconds."""

    time: Column  # 0: not closed by one side of its own accord
    side: Column
    frame: Column
    reset: Mask
    idle: Column  # time without data; 0 where heartbeats were further apart than that, and nobody closed meanwhile
    age: Column  # 0 where the beginning was not captured


def idle_limits(facts: Facts, closings: Closings, hops: Narrow) -> list[Limit]:
    """Where the time without data is the same, and nothing of that service was idle for longer.

    `hops`, (flows,), is what `reset_hops` gives.
    """
    found = []
    for group, side in _by_side(facts, closings, closings.idle >= SHORTEST_NS):
        idle = closings.idle[group]
        at_limit = group[idle >= idle.max() - SHARE * idle.max() - SLACK_NS]
        if 2 * len(at_limit) >= len(group) and not _by_age(closings, at_limit):
            found.append(_limit(hops, closings, at_limit, side, len(group), closings.idle))
    return found


def age_limits(facts: Facts, closings: Closings, hops: Narrow) -> list[Limit]:
    """Where the age is the same, though they began at different times, and the time without data is not."""
    found = []
    for group, side in _by_side(facts, closings, closings.age >= SHORTEST_AGE_NS):
        age = closings.age[group]
        at_limit = group[age >= age.max() - SHARE * age.max() - SLACK_NS]
        if 2 * len(at_limit) >= len(group) and _by_age(closings, at_limit):
            found.append(_limit(hops, closings, at_limit, side, len(group), closings.age))
    return found


def _limit(hops: Narrow, closings: Closings, streams: Column, side: int, of: int, measured: Column) -> Limit:
    resets = closings.reset[streams]
    return Limit(
        streams=streams,
        side=side,
        of=of,
        measured=measured[streams],
        idle=closings.idle[streams],
        frames=closings.frame[streams],
        resets=resets,
        foreign=resets & (hops[streams] == OTHER),
    )


def _by_side(facts: Facts, closings: Closings, chosen: Mask) -> list[tuple[Column, int]]:
    services = by_service(facts, np.flatnonzero(chosen & (closings.time > 0)))
    groups = [(service[closings.side[service] == side], side) for service in services for side in range(2)]
    return [(group, side) for group, side in groups if len(group)]


def _by_age(closings: Closings, group: Column) -> bool:
    """Whether it is their age that is the same rather than the time without data, or the moment."""
    age, idle, time = closings.age[group], closings.idle[group], closings.time[group]
    if len(group) < FEWEST or age.min() < SHORTEST_AGE_NS:
        return False
    if not closings.reset[group].all() and (
        age.min() < SHORTEST_ORDERLY_NS or age.min() % SECOND > SLACK_NS + SHARE * SECOND
    ):
        return False
    spread = int(np.ptp(age))
    apart = APART * spread + SLACK_NS
    differs = np.ptp(idle) > apart or not idle.any()
    return bool(spread <= SHARE * age.min() + SLACK_NS and differs and np.ptp(time) > apart)


def all_closings(facts: Facts) -> Closings:
    """Who closed each connection first, how, and after how long."""
    parts = [_closings(part) for part in facts.parts()]
    return Closings(*[np.concatenate(columns) for columns in zip(*parts, strict=True)])


def _closings(facts: Facts) -> Closings:
    flows, endpoints = facts.tracks.flows, facts.tracks.endpoints
    fin, data = endpoints(FIN_TIME), endpoints(LAST_DATA).max(axis=1)
    first = np.where(fin > 0, fin, NOT_YET)
    own = (flows[:, RESET_SIDE] > 0) & (flows[:, RESET_WHY] == RESET_ABORT)
    reset = own & (flows[:, RESET_TIME] < first.min(axis=1))
    side = np.where(reset, flows[:, RESET_SIDE] - 1, np.argmin(first, axis=1)).clip(0, 1)
    here = np.arange(len(facts))
    time = np.where(reset, flows[:, RESET_TIME], fin[here, side])
    apart = facts.tracks.longest_beat_gaps().max(axis=1)
    # A word of another kind just before the end is a farewell: that, and no limit, is why.
    spoke, beats = endpoints(LAST_DATA), endpoints(BEAT_LAST)
    said_farewell = (data - beats.max(axis=1) > SECOND) & (time - data < SECOND)
    said_farewell |= (facts.beating & (spoke > beats) & (time[:, None] - spoke < SECOND)).any(axis=1)
    apart[~facts.beating.any(axis=1) | said_farewell] = 0
    ended = are_among(facts.how, (How.FIN, How.HALF_CLOSED, How.RST)) & (time > 0) & (data > 0) & (data <= time)
    begun = ended & (flows[:, HANDSHAKE] & SAW_SYN != 0)
    return Closings(
        time=np.where(ended, time, 0),
        side=side,
        frame=np.where(reset, flows[:, RESET_FRAME], endpoints(FIN_FRAME)[here, side]),
        reset=reset,
        idle=np.where(ended & (apart <= time - data + SLACK_NS), time - data, 0),
        age=np.where(begun, time - flows[:, FIRST_TIME], 0),
    )
