"""Heartbeats that applications send over a connection: of a protocol that is known, or by their rhythm alone."""

from __future__ import annotations

import numpy as np

from analyzer.layout import (
    BEAT,
    BEAT_GAP_MASK,
    BEAT_GAPS,
    BEAT_KIND,
    BEAT_LONGEST,
    BEAT_PROTOCOL,
    BEATS_ANSWERED,
    BEATS_IN_RHYTHM,
    BEATS_MASK,
    BEATS_SENT,
    ENDPOINT_SIZE,
    EVENT_BEAT,
    HEAD_SIZE,
)
from analyzer.model import SIDES, Column, Facts, Heartbeat, Mask, Tracks
from analyzer.wire import HEARTBEAT_PROTOCOLS

PERIODIC = "periodic"
# One PING is a command like any other; two are the beginning of a rhythm.
FEWEST = 2
# How far apart the gaps of a rhythm may lie, where nothing but the rhythm tells: a twentieth, and what a busy
# application adds.
UNEVEN = 20
SLACK_MS = 50
# What comes faster is rather what the application is for.
SHORTEST_MS = 2000
# Gaps that differ more than this come from heartbeats that other traffic put off: the shortest is the period then.
PUT_OFF = 1.5


def beating(tracks: Tracks) -> Mask:
    """Endpoints that send heartbeats: (flows, 2)."""
    return np.concatenate([_beating(some) for _, some in tracks.parts()])


def _beating(tracks: Tracks) -> Mask:
    beat, gaps = tracks.endpoints(BEAT), tracks.endpoints(BEAT_GAPS)
    sent = beat >> BEATS_SENT & BEATS_MASK
    shortest, longest = gaps & BEAT_GAP_MASK, gaps >> BEAT_LONGEST
    rhythm = (
        (sent >= BEATS_IN_RHYTHM) & (shortest >= SHORTEST_MS) & (longest - shortest <= shortest // UNEVEN + SLACK_MS)
    )
    return np.asarray(np.where(protocol_of(beat) > 0, (sent >= FEWEST) & (longest > 0), rhythm))


def protocol_of(beat: Column) -> Column:
    """1 + index of wire.HEARTBEAT_PROTOCOLS; 0 where only a rhythm tells."""
    return beat >> (BEAT_KIND + BEAT_PROTOCOL)


def make_heartbeats(facts: Facts, stream: int, head: list[int]) -> tuple[Heartbeat, ...]:
    """The heartbeats of one connection, from its row of the flow table."""
    found = []
    for side in range(2):
        if not facts.beating[stream, side]:
            continue
        x = HEAD_SIZE + side * ENDPOINT_SIZE
        beat = head[x + BEAT]
        sent = beat >> BEATS_SENT & BEATS_MASK
        protocol = beat >> (BEAT_KIND + BEAT_PROTOCOL)
        found.append(
            Heartbeat(
                protocol=HEARTBEAT_PROTOCOLS[protocol - 1] if protocol else PERIODIC,
                sender=SIDES[side],
                period_s=_period(head[x + BEAT_GAPS]),
                sent=sent,
                answered=beat >> BEATS_ANSWERED & BEATS_MASK,
                frames=facts.event_frames(stream, EVENT_BEAT, side),
            )
        )
    return tuple(found)


def _period(gaps: int) -> float:
    shortest, longest = gaps & BEAT_GAP_MASK, gaps >> BEAT_LONGEST
    if longest > PUT_OFF * shortest:
        return shortest / 1000
    return (shortest + longest) / 2000
