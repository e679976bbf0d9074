"""Heartbeats that applications send over a connection: of a protocol that is known, or by their rhythm alone."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from analyzer.model.columns import MILLI, Facts, Tracks
from analyzer.model.flows import SIDES, Heartbeat
from analyzer.tables.arrays import Column, Mask, are_among
from analyzer.tables.fields import (
    BEAT,
    BEAT_GAP_MASK,
    BEAT_GAPS,
    BEAT_KIND,
    BEAT_LAST,
    BEAT_LENGTH,
    BEAT_LONGEST,
    BEAT_PROTOCOL,
    BEAT_REPLY,
    BEATS_ANSWERED,
    BEATS_IN_RHYTHM,
    BEATS_MASK,
    BEATS_ODD,
    BEATS_ODD_MASK,
    BEATS_SENT,
    BEATS_UNEVEN,
    BYTES,
    EVENT_BEAT,
    EVENT_COUNT,
    EVENT_TIME,
    KEY_PORTS,
)
from analyzer.tables.heartbeats import (
    BEFORE_USE,
    BITTORRENT,
    BITTORRENT_PORTS,
    HEARTBEAT_PROTOCOLS,
    KIND_NAMES,
    KIND_TLS,
    SSH_PORTS,
    SSH_SIZES,
    TLS_SIZES,
    UNANSWERED,
)

Word = TypeVar("Word", int, Column)
PERIODIC = "periodic"
# One PING is a command like any other; two are the beginning of a rhythm.
FEWEST = 2
# What comes faster than every two seconds, but for its jitter, is rather what the application is for.
SHORTEST_MS = 1800
# Where data of one length comes at one pace, but other lengths come in their place, or for a reply, more often than
# this, they are requests, most of which find no news.
MOST_ODD = 8
# Heartbeats that draw no reply are no longer than this, TLS, a VPN or SSH around them.
LONGEST_ALONE = 96
# S7 (over ISO-on-TCP) and Modbus: one short question and answer, over and over, is all that they say.
POLLED = (102, 502)
REDIS_PORT = 6379
# MQTT, NATS, AMQP, Redis: heartbeats there have bytes of their own, and what else comes at a pace is messages or polls.
NAMED = (1883, 4222, 5672, REDIS_PORT)
# Gaps that differ more than this come from heartbeats that other traffic put off: the shortest is the period then.
PUT_OFF = 1.5
# So many gaps have a median, which is nearly the shortest where most of them are put off by nothing.
FEWEST_GAPS, NEARLY = 3, 1.1
# Where most gaps are as long as the usual one, a shorter one is not the pace.
ALIKE = 0.1
# Few of so many are late where the usual gap is hardly longer than the shortest, the mean little, and the longest is.
ENOUGH, ON_TIME, LATE = 8, 1.02, 1.05


def beating(tracks: Tracks) -> Mask:
    """Endpoints that send heartbeats: (flows, 2)."""
    beat, gaps = tracks.endpoints(BEAT), tracks.endpoints(BEAT_GAPS)
    sent = beat >> BEATS_SENT & BEATS_MASK
    shortest, longest = gaps & BEAT_GAP_MASK, gaps >> BEAT_LONGEST & BEAT_GAP_MASK
    # As the kernel's is_settled.
    uneven = ((longest - shortest) * BEATS_UNEVEN - 1) // np.maximum(shortest, 1)
    uneven = np.where(beat >> BEAT_REPLY & 0xFF != 0, (uneven + 1) // 2, uneven)
    even = longest <= PUT_OFF * shortest
    rhythm = (sent >= BEATS_IN_RHYTHM + np.maximum(uneven, 0)) & (shortest >= SHORTEST_MS)
    rhythm &= (gaps >> BEATS_ODD & BEATS_ODD_MASK) * MOST_ODD <= sent
    return np.asarray(
        np.where(
            protocol_of(beat) > 0,
            (sent >= FEWEST) & (longest > 0) & (even | ~are_among(protocol_of(beat), BEFORE_USE)),
            rhythm & ~_payload(tracks, beat, sent) & ~_polls(tracks),
        )
    )


def _payload(tracks: Tracks, beat: Column, sent: Column) -> Mask:
    """Data at one pace that never draws a reply, and may be what the connection is for, such as readings of a sensor.

    It keeps something else alive only where both ends said something else, too.
    """
    length, carried = beat >> BEAT_LENGTH & 0xFF, tracks.endpoints(BYTES)
    says_more = (carried > sent * length) & (carried[:, ::-1] > 0)
    kind = tracks.endpoints(BEAT_GAPS) >> BEAT_KIND
    unknown = (kind == 0) | (kind == KIND_TLS)
    return np.asarray((beat >> BEATS_ANSWERED & BEATS_MASK == 0) & unknown & ~(says_more & (length <= LONGEST_ALONE)))


def _polls(tracks: Tracks) -> Mask:
    """Connections to services whose readings or messages come at an even pace, and whose heartbeats have names."""
    ports = tracks.flows[:, [KEY_PORTS]]
    polled, named = (are_among(ports >> 16, these) | are_among(ports & 0xFFFF, these) for these in (POLLED, NAMED))
    return np.asarray(polled | (named & (tracks.endpoints(BEAT_GAPS) >> BEAT_KIND != KIND_TLS)))


def protocol_of(beat: Word) -> Word:
    """1 + index of HEARTBEAT_PROTOCOLS; 0 where only a rhythm tells."""
    return beat >> BEAT_PROTOCOL


def make_heartbeats(facts: Facts, stream: int) -> tuple[Heartbeat, ...]:
    """The heartbeats of one connection."""
    found = []
    for side in range(2):
        if not facts.beating[stream, side]:
            continue
        beat = facts.tracks.endpoint(BEAT, stream, side)
        sent = beat >> BEATS_SENT & BEATS_MASK
        protocol, guess = _protocol(facts, stream, side, beat)
        found.append(
            Heartbeat(
                protocol=protocol,
                guess=guess,
                sender=SIDES[side],
                period_s=_period(facts, stream, side),
                sent=sent,
                answered=0 if protocol in UNANSWERED else beat >> BEATS_ANSWERED & BEATS_MASK,
                frames=facts.event_frames(stream, EVENT_BEAT, side),
            )
        )
    return tuple(found)


def _protocol(facts: Facts, stream: int, side: int, beat: int) -> tuple[str, str]:
    """Its name, by the bytes of each or by what bytes of a rhythm usually are; else a guess by the sizes of both."""
    packed = int(facts.tracks.flows[stream, KEY_PORTS])
    ports = (packed >> 16, packed & 0xFFFF)
    if protocol := beat >> BEAT_PROTOCOL:
        name = HEARTBEAT_PROTOCOLS[protocol - 1]
        return ("redis" if name == "nats" and REDIS_PORT in ports else name), ""  # redis.io: inline commands
    kind = facts.tracks.endpoint(BEAT_GAPS, stream, side) >> BEAT_KIND
    name = KIND_NAMES[kind - 1] if kind else ""
    sizes = beat >> BEAT_LENGTH & 0xFF, beat >> BEAT_REPLY & 0xFF
    if name == "tls":
        found = (TLS_SIZES.get((*sizes, port)) for port in (*ports, 0))
        return PERIODIC, next(filter(None, found), "")
    if not name:
        return PERIODIC, "ssh" if sizes in SSH_SIZES and not set(ports).isdisjoint(SSH_PORTS) else ""
    if name == "erlang" and not set(ports).isdisjoint(BITTORRENT_PORTS):
        return BITTORRENT, ""
    return name, ""


def _period(facts: Facts, stream: int, side: int) -> float:
    """The time between two, in seconds: of all that were counted the mean, where that keeps their pace.

    One that was lost on its way and sent again shifts nothing; one that is missing makes a gap of two periods. Where
    few are late, as after a reply that was lost, the usual gap is the period.
    """
    endpoint = facts.tracks.endpoint
    shortest, longest = _range(endpoint(BEAT_GAPS, stream, side))
    events = facts.events_of_kind(stream, EVENT_BEAT, side)
    times = events[:, EVENT_TIME]
    gaps = np.diff(times) / MILLI
    usual = float(np.median(gaps)) if len(gaps) >= FEWEST_GAPS else (shortest + longest) / 2
    if longest > PUT_OFF * shortest:  # other data puts them off, some are missing, or one came for another reason
        alike = len(gaps) >= FEWEST_GAPS and 2 * np.count_nonzero(np.abs(gaps - usual) <= usual * ALIKE) > len(gaps)
        return round((usual if alike or usual <= NEARLY * shortest else shortest) / 1000, 4)
    counted = int(events[0, EVENT_COUNT]) if len(times) else BEATS_MASK
    number = (endpoint(BEAT, stream, side) >> BEATS_SENT & BEATS_MASK) - counted
    if number < FEWEST_GAPS:
        return round(usual / 1000, 4)
    lasted = (endpoint(BEAT_LAST, stream, side) - int(times[0])) / MILLI
    number = max(number, math.ceil(lasted / (longest + 1)))  # some were missing
    mean = lasted / number
    few_late = number >= ENOUGH and usual <= ON_TIME * shortest and mean - shortest <= (longest - shortest) / 3
    on_pace = shortest <= mean <= longest + 1 and not (few_late and longest > LATE * shortest)
    return round((mean if on_pace else usual) / 1000, 4)


def _range(gaps: int) -> tuple[int, int]:
    """The shortest and the longest time between two that keep the pace, in milliseconds."""
    return gaps & BEAT_GAP_MASK, gaps >> BEAT_LONGEST & BEAT_GAP_MASK
