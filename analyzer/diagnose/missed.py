"""Which connections ended because heartbeats were missed, in columns; and what silence an end has said it allows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.diagnose.limits import NOT_YET
from analyzer.model.columns import Facts, Tracks
from analyzer.model.flows import SIDES, Flow, Said
from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import (
    ACKED_UNSEEN,
    BEAT,
    BEAT_LAST,
    BEAT_WAITS,
    BEATS_ANSWERED,
    BEATS_MASK,
    BEATS_SENT,
    CLIENT_ASKED,
    ENDPOINT_SIZE,
    EVENT_ENDPOINT,
    FIN_ACKED,
    FIN_TIME,
    HAS_UNA,
    HEAD_SIZE,
    KNOWN,
    LAST_DATA,
    NXT,
    REQUEST_TIME,
    RESET_SIDE,
    RESET_TIME,
    ROLES,
    SERVER_ASKED,
    UNA,
)
from analyzer.tables.heartbeats import CLOSING, INTERVAL, MISSED, MQTT_5_CONNECT, said
from analyzer.tcp import FIN, SECOND

# So many replies show that they are to be expected.
REPLIES_BEFORE = 3
# A broker that waits for one and a half intervals (MQTT) closes so long after the last heartbeat, but for jitter.
STARVED = 1.4
# Who waits for more intervals than these closes for another reason.
MOST_MISSED = 4
# How many of the intervals that were said an end may be silent, and which: MQTT's client, ZooKeeper's client, or both.
# MQTT 3.1.1 3.1.2.10; AMQP 0-9-1 4.2.7 and RFC 4271 6.5 name the silence itself, as ZooKeeper and RFC 5036 3.5.3 do.
ALLOWED = {"mqtt": (1.5, SIDES[:1]), "zookeeper": (1.0, SIDES[:1])}
ALLOWED_BOTH = (1.0, SIDES)


class Allowed(NamedTuple):
    """How long an end may be silent: so many of the intervals that were said; `sure`: no other word may have come."""

    interval: float
    factor: float
    said: Said
    sure: bool


def allowed(flow: Flow, side: str) -> Allowed | None:
    """What was said of this end's data; None where nothing was, or 0, which turns heartbeats off."""
    intervals = [one for one in flow.said if one.what == INTERVAL and one.seconds is not None]
    if not intervals:
        return None
    last = intervals[-1]
    factor, sides = ALLOWED.get(last.protocol, ALLOWED_BOTH)
    # A broker's word is the last one (MQTT 5.0 3.2.2.3.14). Of two offers the smaller one is taken (RFC 4271 4.2, RFC
    # 5036 3.5.3).
    offers = {one.by: one.seconds or 0.0 for one in intervals if one.protocol == last.protocol}
    interval = (last.seconds or 0.0) if last.protocol == "mqtt" else min(offers.values())
    if side not in sides or not interval:
        return None
    return Allowed(interval, factor, last, last.words != MQTT_5_CONNECT)


def said_goodbye(flow: Flow, row: list[int], closing: int, time: int) -> bool:
    """Whether an end gave another reason for the close, or the one that closed said something just before.

    `closing` is its side, and `row` the connection's in the flow table.
    """
    y = HEAD_SIZE + closing * ENDPOINT_SIZE
    beats = any(one.sender == SIDES[closing] for one in flow.heartbeats) and row[y + LAST_DATA] == row[y + BEAT_LAST]
    return (not beats and time - row[y + LAST_DATA] < SECOND) or any(
        one.what == CLOSING and one.time <= time for one in flow.said
    )


def heard(tracks: Tracks) -> Mask:
    """Endpoints of which the other end's host acknowledged all that they sent, their FINs too: (flows, 2).

    A host that has gone acknowledges nothing: then it is not the application that says nothing.
    """
    endpoints = tracks.endpoints
    left, known = endpoints(NXT) - endpoints(UNA) & 0xFFFFFFFF, endpoints(KNOWN)
    all_of_it = (known & FIN_ACKED != 0) | ((endpoints(FIN_TIME) == 0) & (left == 0))
    return np.asarray((known & HAS_UNA != 0) & all_of_it)


def is_whole(row: list[int], side: int) -> bool:
    """Whether the capture has all that this end is known to have sent."""
    return row[HEAD_SIZE + side * ENDPOINT_SIZE + KNOWN] & ACKED_UNSEEN == 0


def missed(facts: Facts) -> Mask:
    """Connections that may have ended so: (flows,)."""
    told = np.zeros(len(facts), bool)
    told[facts.sayings((*said(MISSED), *said(INTERVAL)))[:, EVENT_ENDPOINT] >> 1] = True
    if not facts.beating.any():
        return told
    tracks, beating = facts.tracks, facts.beating
    # Whom a device on the path reset, the peer has not closed.
    either = unreplied(tracks, beating) | (starved(tracks, beating) & ~facts.forged[:, None])
    return np.asarray(told | beating.all(axis=1) | either.any(axis=1))


def unreplied(tracks: Tracks, beating: Mask) -> Mask:
    """Endpoints of ended connections that spoke last, in vain: acknowledged heartbeats without a reply (flows, 2)."""
    flows, endpoints = tracks.flows, tracks.endpoints
    beat, known, fins = endpoints(BEAT), endpoints(KNOWN), endpoints(FIN_TIME)
    replied = beat >> BEATS_ANSWERED & BEATS_MASK
    spoke_last = flows[:, [ROLES]] & np.array([CLIENT_ASKED, SERVER_ASKED]) != 0
    left = endpoints(NXT) - endpoints(UNA) & 0xFFFFFFFF
    acknowledged = (known & HAS_UNA != 0) & (left <= (fins > 0) * FIN)
    ended = (flows[:, [RESET_TIME]] > 0) | (fins > 0).any(axis=1, keepdims=True)
    in_vain = (beat & BEAT_WAITS != 0) & (endpoints(BEAT_LAST) >= flows[:, [REQUEST_TIME]])
    return np.asarray(beating & (replied >= REPLIES_BEFORE) & spoke_last & acknowledged & ended & in_vain)


def _closed_by(tracks: Tracks) -> Column:
    """When each end closed the connection, before the other, by FIN or RST: (flows, 2), NOT_YET where it did not."""
    fins = tracks.endpoints(FIN_TIME)
    closed = np.where(fins > 0, fins, NOT_YET)
    for side in range(2):
        resets = tracks.flows[:, RESET_SIDE] == side + 1
        closed[:, side] = np.where(resets, np.minimum(closed[:, side], tracks.flows[:, RESET_TIME]), closed[:, side])
    return np.asarray(np.where(closed < closed[:, ::-1], closed, NOT_YET))


def starved(tracks: Tracks, beating: Mask) -> Mask:
    """Endpoints that alone sent heartbeats, then nothing for longer than any gap until the other closed: (flows, 2)."""
    endpoints = tracks.endpoints
    longest = tracks.longest_beat_gaps()
    closed = _closed_by(tracks)[:, ::-1]
    silent = closed - np.maximum(endpoints(BEAT_LAST), endpoints(LAST_DATA))
    often = endpoints(BEAT) >> BEATS_SENT & BEATS_MASK >= REPLIES_BEFORE
    whole = endpoints(KNOWN) & ACKED_UNSEEN == 0
    some = beating & ~beating[:, ::-1] & often & heard(tracks)[:, ::-1] & whole
    return np.asarray(some & (closed < NOT_YET) & (silent > STARVED * longest) & (silent < MOST_MISSED * longest))
