"""Requests that a kernel acknowledged and no application replied to, and how much speaks for that."""

from __future__ import annotations

import numpy as np

from analyzer.model.columns import Facts, Tracks
from analyzer.tables.arrays import Column, Mask, are_among
from analyzer.tables.fields import (
    BEAT,
    BEAT_GAP_MASK,
    BEAT_GAPS,
    BEAT_KIND,
    BEAT_LAST,
    BEAT_PROTOCOL,
    BEAT_WAITS,
    BEATS_ANSWERED,
    BEATS_MASK,
    BEATS_SENT,
    BYTES,
    CLIENT_ASKED,
    CLIENT_IS_LOW,
    DREW,
    FIRST_WORD,
    HANDSHAKE,
    HAS_UNA,
    KEY_PORTS,
    KNOWN,
    LARGE_WORD,
    LAST_PROBE,
    LEFT,
    NO_REPLY,
    NXT,
    PROBE_BEFORE,
    PROBE_TIME,
    REQUEST_TIME,
    ROLES,
    SAW_SYN,
    SERVER_ASKED,
    SLOWEST_MASK,
    SLOWEST_REPLY,
    TURNS,
    TURNS_MASK,
    UNA,
    WENT_ON,
    WENT_ON_MASK,
    WORD,
    WORD_MASK,
)
from analyzer.tables.heartbeats import KINDS_ALONE

# A request is like those before it once so many were replied to, and waits for longer than a reply takes when it has
# waited so many times as long as the slowest.
REPLIES_BEFORE = 3
SLOWER = 8
# Who goes on so often without a reply does not wait for any.
WENT_ON_AT_MOST = 3
# So many heartbeats in a row without a reply, where there was one before.
UNHEARD = 2
MILLISECOND = 1_000_000
# Services that never reply (IANA): syslog, Graphite, StatsD, GELF, fluentd's forward, printers.
SILENT_PORTS = (514, 601, 6514, 2003, 2004, 8125, 9100, 12201, 24224)


def hung(facts: Facts, idle_after: int) -> Mask:
    """Connections whose last request waits in vain, while probes of the same connection are answered: (flows,).

    The last word of a client need not be a request: acknowledgements and farewells draw no reply. With a history of
    three replies the size tells, with less two answered probes must follow.
    """
    found = np.zeros(len(facts), bool)
    answered = np.flatnonzero((facts.answered > 0).any(axis=1))  # of many connections few
    found[answered] = _hung(facts, answered, idle_after)
    return found


def _hung(facts: Facts, streams: Column, idle_after: int) -> Mask:
    """The same of these streams alone."""
    flows = facts.tracks.flows
    known, unacknowledged, sent = (facts.tracks.endpoints(field, streams) for field in (KNOWN, UNA, NXT))
    handshake, asked_at = flows[streams, HANDSHAKE], flows[streams, REQUEST_TIME]
    roles = flows[streams, ROLES]
    turns, word = roles >> TURNS & TURNS_MASK, roles >> WORD & WORD_MASK
    went_on = roles >> WENT_ON & WENT_ON_MASK
    drew = roles >> DREW + word & 1 != 0
    left = (roles >> LEFT + word & 1 != 0) | (roles >> LEFT + (roles >> FIRST_WORD & WORD_MASK) & 1 != 0)
    usual = drew & (turns >= REPLIES_BEFORE) & (went_on <= WENT_ON_AT_MOST)
    first = (turns == 0) & (handshake & SAW_SYN != 0) & ~are_among(_service(flows, streams), SILENT_PORTS)
    # Where the server greets, a short word may be an answer to that.
    first &= (facts.tracks.endpoints(BYTES, streams)[:, 1] == 0) | (word == LARGE_WORD)
    likely = (first | (turns > 0)) & (went_on == 0) & _asked_twice(facts, streams)
    asked = (roles & CLIENT_ASKED != 0) & (roles & NO_REPLY == 0) & ~left
    acknowledged = (known[:, 0] & HAS_UNA != 0) & (sent[:, 0] == unacknowledged[:, 0])
    slowest = np.where(turns > 0, 1 << (roles >> SLOWEST_REPLY & SLOWEST_MASK), 0)
    waited = facts.end - asked_at > np.maximum(idle_after, SLOWER * np.minimum(slowest, 1 << 56))
    answers = ((facts.answered[streams] > 0) & (facts.last_probe[streams] > asked_at[:, None])).any(axis=1)
    return np.asarray(asked & acknowledged & waited & answers & (usual | likely))


def unheard_beats(facts: Facts, idle_after: int) -> Mask:
    """Endpoints whose last heartbeats were acknowledged, but drew no reply as those before did: (flows, 2)."""
    endpoints = facts.tracks.endpoints
    if not facts.beating.any():
        return facts.beating
    beat = endpoints(BEAT)
    sent, answered = beat >> BEATS_SENT & BEATS_MASK, beat >> BEATS_ANSWERED & BEATS_MASK
    alone = are_among(endpoints(BEAT_GAPS) >> BEAT_KIND, KINDS_ALONE) & (beat >> BEAT_PROTOCOL == 0)
    unheard = (beat & BEAT_WAITS != 0) & ~alone & (answered >= REPLIES_BEFORE) & (sent - answered >= UNHEARD)
    acknowledged = (endpoints(KNOWN) & HAS_UNA != 0) & (endpoints(NXT) == endpoints(UNA))
    waited = facts.listened(_unheard_since(facts.tracks, sent - answered))
    return np.asarray(facts.beating & unheard & acknowledged & (waited > idle_after))


def _unheard_since(tracks: Tracks, unanswered: Column) -> Column:
    """When the first heartbeat without a reply was sent, if several came in a row, else the last: (flows, 2)."""
    last, begun = tracks.endpoints(BEAT_LAST), tracks.flows[:, [REQUEST_TIME]]
    waits = tracks.flows[:, [ROLES]] & np.array([CLIENT_ASKED, SERVER_ASKED]) != 0
    shortest = (tracks.endpoints(BEAT_GAPS) & BEAT_GAP_MASK) * MILLISECOND
    # The last may be replied to yet. One that went without a reply before would make the row longer than it is.
    in_a_row = waits & (begun > 0) & (unanswered > UNHEARD) & (last - begun >= (unanswered - 2) * shortest)
    return np.where(in_a_row, np.minimum(begun, last), last)


def is_known(facts: Facts, stream: int) -> bool:
    """Whether requests as long as the last one were replied to often before."""
    roles = int(facts.tracks.flows[stream, ROLES])
    return bool(roles >> DREW + (roles >> WORD & WORD_MASK) & 1) and roles >> TURNS & TURNS_MASK >= REPLIES_BEFORE


def replies(facts: Facts, stream: int) -> int:
    """How often the server replied, as far as it was counted."""
    return int(facts.tracks.flows[stream, ROLES]) >> TURNS & TURNS_MASK


def _asked_twice(facts: Facts, streams: Column) -> Mask:
    """Whether the last two probes at least of either end came after the request, and the last was answered."""
    log = facts.tracks.probes
    last = facts.tracks.endpoints(LAST_PROBE, streams)
    if not len(log):
        return np.zeros(len(streams), bool)
    before = np.where(last > 0, log[last - 1, PROBE_BEFORE], 0)
    since = np.where(before > 0, log[before - 1, PROBE_TIME], 0)
    enough = (facts.answered[streams] >= 2) & (facts.trailing[streams] == 0)
    return np.asarray((enough & (since > facts.tracks.flows[streams, REQUEST_TIME][:, None])).any(axis=1))


def _service(flows: Column, streams: Column) -> Column:
    """The port of each connection's server."""
    ports = flows[streams, KEY_PORTS]
    return np.asarray(np.where(flows[streams, ROLES] & CLIENT_IS_LOW != 0, ports & 0xFFFF, ports >> 16))
