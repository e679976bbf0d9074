"""The verdict of every connection: one table, of which the first row that fits stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from analyzer.diagnose.hung import hung, unheard_beats
from analyzer.diagnose.silence import Silence
from analyzer.model.columns import Facts
from analyzer.model.words import How, Why
from analyzer.tables.arrays import Column, Mask, Narrow, are_among
from analyzer.tables.fields import (
    ADVANCE_TIME,
    BEAT,
    BEAT_PROTOCOL,
    END_TIME,
    FIN_ACKED,
    FIN_TIME,
    FINGERPRINT,
    HAS_UNA,
    KNOWN,
    LAST_TIME,
    MIN_RTT,
    NXT,
    PACKETS,
    RESENT,
    RESENT_FIRST,
    RESET_ABORT,
    RESET_GIVEN_UP,
    RESET_REPLY_TO_ACK,
    RESET_WHY,
    SENT_FIN,
    UNA,
    ZERO_SINCE,
)
from analyzer.tcp import LATE_PART

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Sent three times again without an acknowledgement, and still trying when the capture ends.
STILL_RESENDING = 3
# With fewer an RST may be an application's that had waited long enough.
GAVE_UP_RESENDING = 2
# No device on the path forgets a connection sooner.
FORGETTABLE_NS = 2_000_000_000
WRAP = 1 << 32  # sequence numbers


class Verdict(NamedTuple):
    """A word, how urgent it is (as a finding's severity), what it means, and which connections it fits."""

    word: str
    severity: str
    meaning: str
    fits: Callable[[Facts, int], Mask]


def _is_open(facts: Facts) -> Mask:
    return are_among(facts.how, (How.OPEN, How.HALF_CLOSED))


def _peer(column: NDArray[Any]) -> Column:
    """An endpoint column as each endpoint's peer sees it."""
    return column[:, ::-1]


def _either(column: Mask) -> Mask:
    """Connections of which it holds for one endpoint or both."""
    return np.asarray(column.any(axis=1))


def _quiet(facts: Facts, idle_after: int) -> Mask:
    """Connections without a packet for longer than `idle_after` at the end of the capture."""
    quiet: Mask = facts.listened(facts.tracks.flows[:, END_TIME]) > idle_after
    return quiet


def _by_sender_of_reset(facts: Facts, column: NDArray[Any]) -> Column:
    """An endpoint column where it is of the end that reset the connection."""
    return np.asarray(column[np.arange(len(facts)), np.maximum(facts.by - 1, 0)])


def _lost_state(facts: Facts, idle_after: int) -> Mask:
    closed = _by_sender_of_reset(facts, facts.tracks.endpoints(KNOWN)) & SENT_FIN != 0
    challenged = (facts.how == How.RST) & (facts.tracks.flows[:, RESET_WHY] == RESET_REPLY_TO_ACK)
    answered = are_among(facts.why, (Why.REPLY_TO_PROBE, Why.REPLY_TO_DATA))
    # A lone ACK and its RST are no connection that anybody lost: a scan looks the same.
    was_seen = _by_sender_of_reset(facts, facts.tracks.endpoints(FINGERPRINT)) != 0
    known = was_seen | facts.reset.any(axis=1)
    # A peer that had closed has lost nothing: it is the other end that should have.
    return np.asarray((answered | challenged) & known & ~closed & ~facts.forged)


def _waiting(facts: Facts) -> Mask:
    """Endpoints of open connections whose last two probes at least had their time, and no answer: (flows, 2)."""
    rtt = np.maximum(facts.tracks.endpoints(MIN_RTT), 0)
    # As timers are late, by then the next probe may have been due.
    patience = np.maximum(facts.interval - facts.interval // LATE_PART, rtt + rtt // 4)
    early = patience - facts.listened(facts.last_probe)
    # Those whose answer may still come are not unanswered yet: where the round trip is long, several.
    pending = np.where(early > 0, 1 + early // np.maximum(facts.interval, 1), 0)
    peer_seen = _peer(facts.tracks.endpoints(PACKETS)) > 0
    return np.asarray((facts.trailing - pending >= 2) & peer_seen & _is_open(facts)[:, None])


def _peer_lives(facts: Facts) -> Mask:
    """Endpoints whose peer has sent something since the last probe but one, which it did not answer: (flows, 2)."""
    peer_last = _peer(facts.tracks.endpoints(LAST_TIME))
    return np.asarray((facts.interval > 0) & (peer_last > facts.last_probe - facts.interval))


def _dead_peer(facts: Facts, idle_after: int) -> Mask:
    # One probe alone, of a peer that the capture does not hold, may have been answered out of sight.
    shown = (facts.trailing >= 2) | (_peer(facts.tracks.endpoints(PACKETS)) > 0)
    prober = np.arange(2) == np.maximum(facts.by - 1, 0)[:, None]
    given_up = (facts.why == Why.KEEPALIVE_EXHAUSTED) & _either(shown & prober)
    return np.asarray(given_up | _either(_waiting(facts) & ~_peer_lives(facts)))


def _middlebox_drop(facts: Facts, idle_after: int) -> Mask:
    return _either(_waiting(facts) & _peer_lives(facts))


def _dropped(facts: Facts, places: Narrow) -> Column:
    """Streams whose data after a silence was sent in vain, while their peer was heard on another connection."""
    silence, streams = Silence(facts), np.flatnonzero(places == PLACES["retransmission_timeout"])
    stuck = streams[silence.last_gap[streams] >= FORGETTABLE_NS] if len(streams) else streams
    return stuck[silence.alive_elsewhere[stuck]] if len(stuck) else stuck


def _retransmission_timeout(facts: Facts, idle_after: int) -> Mask:
    endpoints = facts.tracks.endpoints
    # Where no acknowledgement was captured, new data shows that there were some: a stuck sender sends none.
    stuck = (_peer(endpoints(PACKETS)) > 0) | (endpoints(ADVANCE_TIME) <= endpoints(RESENT_FIRST))
    resending = _either((endpoints(RESENT) >= STILL_RESENDING) & stuck) & _is_open(facts)
    return np.asarray((facts.how == How.TIMEOUT) | resending | gave_up_resending(facts))


def gave_up_resending(facts: Facts) -> Mask:
    """Connections whose RST ended a run of retransmissions of its own sender, which nothing acknowledged: (flows,)."""
    resent = _by_sender_of_reset(facts, facts.tracks.endpoints(RESENT))
    own = are_among(facts.tracks.flows[:, RESET_WHY], (RESET_ABORT, RESET_GIVEN_UP)) & ~facts.forged
    return np.asarray((facts.how == How.RST) & own & (facts.why == Why.NONE) & (resent >= GAVE_UP_RESENDING))


def _close_wait_leak(facts: Facts, idle_after: int) -> Mask:
    known = facts.tracks.endpoints(KNOWN)
    closed = (known & (SENT_FIN | FIN_ACKED)) == (SENT_FIN | FIN_ACKED)
    since = np.maximum(facts.tracks.endpoints(FIN_TIME), _peer(facts.tracks.endpoints(ADVANCE_TIME)))
    leaks = (facts.how == How.HALF_CLOSED) & _either(closed & (facts.listened(since) > idle_after))
    # Until the other end's keepalive probe met a peer whose FIN-WAIT-2 was over (Linux tcp_fin_timeout).
    met = (facts.why == Why.REPLY_TO_PROBE) & (_by_sender_of_reset(facts, known) & SENT_FIN != 0)
    return np.asarray(leaks | met)


def _zero_window_stall(facts: Facts, idle_after: int) -> Mask:
    shut = facts.tracks.endpoints(ZERO_SINCE) > 0
    waiting = _peer(facts.zero_window_probes) > 0
    return _is_open(facts) & _either(shut & waiting)


def _app_hung(facts: Facts, idle_after: int) -> Mask:
    return np.asarray((facts.how == How.OPEN) & (hung(facts, idle_after) | _either(unheard_beats(facts, idle_after))))


def _lossy_path(facts: Facts, idle_after: int) -> Mask:
    return _is_open(facts) & _either(facts.unanswered > facts.trailing)


def _unprotected(facts: Facts, idle_after: int) -> Mask:
    endpoints = facts.tracks.endpoints
    asked = (facts.probes.sum(axis=1) > 0) | _either(facts.beating | (endpoints(BEAT) >> BEAT_PROTOCOL > 0))
    # No TCP is silent with data on its way: the capture holds the beginning of such a connection alone.
    in_flight = _either((endpoints(KNOWN) & HAS_UNA != 0) & ((endpoints(NXT) - endpoints(UNA)) & (WRAP - 1) != 0))
    known = facts.keepalive_on  # by its kernel, though no probe was due yet
    return np.asarray((facts.how == How.OPEN) & _quiet(facts, idle_after) & ~asked & ~in_flight & ~known)


VERDICTS: tuple[Verdict, ...] = (
    Verdict("refused", "low", "an RST answered the SYN", lambda facts, _: facts.how == How.REFUSED),
    Verdict(
        "no_answer",
        "low",
        "the handshake never completed: the SYN or the SYN-ACK got no reply",
        lambda facts, _: facts.how == How.NO_ANSWER,
    ),
    Verdict(
        "middlebox_reset",
        "high",
        "a device on the network path reset the connection in the peer's name",
        lambda facts, _: facts.forged,
    ),
    Verdict(
        "lost_state",
        "high",
        "the peer answered a probe or data with RST: it no longer knows the connection",
        _lost_state,
    ),
    Verdict(
        "dead_peer",
        "high",
        "keepalive probes got no reply: the prober gave up, or the capture ends after at least two",
        _dead_peer,
    ),
    Verdict(
        "middlebox_drop",
        "high",
        "the path dropped packets of the connection: probes, or data after an idle period, got no reply although the "
        "peer was alive",
        _middlebox_drop,
    ),
    Verdict(
        "retransmission_timeout",
        "high",
        "data or a FIN was retransmitted and never acknowledged, until the sender gave up or the capture ends",
        _retransmission_timeout,
    ),
    Verdict(
        "close_wait_leak",
        "medium",
        "one side closed; the other had not closed after --idle-after, or when its probe got an RST",
        _close_wait_leak,
    ),
    Verdict(
        "zero_window_stall", "medium", "the receiver stopped reading, and its window stayed closed", _zero_window_stall
    ),
    Verdict(
        "app_hung",
        "medium",
        "a request or heartbeat was acknowledged but got no reply for longer than --idle-after, while the kernel "
        "replies",
        _app_hung,
    ),
    Verdict(
        "aborted",
        "low",
        "one side reset a connection that it still knew, usually its application",
        lambda facts, _: facts.how == How.RST,
    ),
    Verdict("closed", "info", "both sides closed the connection with FIN", lambda facts, _: facts.how == How.FIN),
    Verdict("lossy_path", "medium", "some probes got no reply, but later ones did", _lossy_path),
    Verdict(
        "unprotected",
        "medium",
        "open, silent for longer than --idle-after at the end of the capture, without a probe: a leak and a quiet "
        "connection look the same",
        _unprotected,
    ),
    Verdict(
        "healthy",
        "info",
        "open, with traffic or answered probes",
        lambda facts, _: np.ones(len(facts), bool),
    ),
)


PLACES = {verdict.word: place for place, verdict in enumerate(VERDICTS)}


def judge(facts: Facts, idle_after: int) -> Narrow:
    """The verdict of every connection, as its place in VERDICTS: (flows,); `idle_after` in nanoseconds."""
    places = np.concatenate(
        [_judge(replace(part, tracks=part.tracks.in_columns()), idle_after) for part in facts.parts()]
    )
    places[_dropped(facts, places)] = PLACES["middlebox_drop"]
    return places


def _judge(facts: Facts, idle_after: int) -> Narrow:
    """The same by what each connection shows alone."""
    places = np.full(len(facts), len(VERDICTS) - 1, np.int8)
    for place in reversed(range(len(VERDICTS) - 1)):
        places[VERDICTS[place].fits(facts, idle_after)] = place
    return places
