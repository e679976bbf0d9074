"""How each connection began and ended, in columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from analyzer.measure.settings.timers import PACE, SLACK_NS
from analyzer.measure.settings.unheard import UnheardRuns
from analyzer.model.columns import Tracks
from analyzer.model.words import Handshake, How, Why
from analyzer.tables.arrays import Column, Mask, Narrow, Short, are_among
from analyzer.tables.fields import (
    ADVANCE_TIME,
    FIN_FRAME,
    FIN_TIME,
    FINGERPRINT,
    HANDSHAKE,
    HAS_UNA,
    KNOWN,
    LAST_TIME,
    OLDER_LIFE,
    OPENING,
    PACKETS,
    RESENT,
    RESENT_GAP,
    RESENT_LAST,
    RESET_ABORT,
    RESET_GIVEN_UP,
    RESET_REPLY_TO_DATA,
    RESET_REPLY_TO_PROBE,
    RESET_SIDE,
    RESET_TIME,
    RESET_WHY,
    SAW_ACK,
    SAW_REFUSAL,
    SAW_SERVER_SYN,
    SAW_SYN,
    SAW_SYN_ACK,
    SENT_FIN,
    SENT_SYN,
    STATE,
)
from analyzer.tcp import SHORTEST_TIMER_NS, State

# A sender that was resending with doubled gaps (RFC 6298 5.5) and then misses its turn by this much has given up.
FELL_SILENT = 2.5
# One retransmission may be a tail loss probe or a fast one, whose gap is no timer's; the timer is 1 s at first
# (RFC 6298 2.1), and may be 200 ms (Linux TCP_RTO_MIN).
MANY = 2
LONG_ENOUGH_NS = 1_000_000_000

Listening = Callable[[Column], Column]


class Endings(NamedTuple):
    """Columns of model.Facts about the beginning and the end."""

    handshake: Narrow
    how: Narrow
    by: Narrow
    why: Narrow
    ended: Column


def settled(endings: Endings, tracks: Tracks, reset: Short, unheard: UnheardRuns) -> Endings:
    """The same once it is known which connections gave up on answers, and whose RSTs answered a stranger."""
    gave_up = unheard.endpoints >> 1
    endings.why[gave_up[endings.how[gave_up] == How.RST]] = Why.KEEPALIVE_EXHAUSTED
    endings.why[_replies_to_strangers(tracks, endings, reset)] = Why.NONE
    return endings


def _replies_to_strangers(tracks: Tracks, endings: Endings, reset: Short) -> Column:
    """RSTs that look as if they answered a probe, of one that nothing else was heard of: the ACK may be a scan's."""
    streams = np.flatnonzero(endings.why == Why.REPLY_TO_PROBE)
    side = np.maximum(endings.by[streams] - 1, 0)
    seen = tracks.endpoints(FINGERPRINT, streams)[np.arange(len(streams)), side] != 0
    return np.asarray(streams[~seen & ~reset[streams].any(axis=1)])


def measure_endings(
    tracks: Tracks, listening: Listening, trailing: Short, interval: Column, last_probe: Column
) -> Endings:
    """Handshake and ending of these connections, as far as each tells alone.

    `listening` says for how long the capture went on after a time; the rest is of model.Facts.
    """
    flows = tracks.flows
    handshake = _handshakes(tracks)
    reset_side = flows[:, RESET_SIDE]
    fin = (tracks.endpoints(KNOWN) & SENT_FIN) != 0
    fin_time = tracks.endpoints(FIN_TIME)
    both_fins = fin.all(axis=1) & ((reset_side == 0) | (fin_time.max(axis=1) < flows[:, RESET_TIME]))
    silent = _fell_silent(tracks, listening)
    made = ~are_among(handshake, (int(Handshake.NO_ANSWER), int(Handshake.REFUSED)))
    conditions = [
        handshake == Handshake.REFUSED,
        (handshake == Handshake.NO_ANSWER) | _left_half_open(tracks, handshake, listening),
        both_fins & ~silent.any(axis=1),
        reset_side > 0,
        silent.any(axis=1),
        fin.any(axis=1),
    ]
    words = [How.REFUSED, How.NO_ANSWER, How.FIN, How.RST, How.TIMEOUT, How.HALF_CLOSED]
    how = np.select(conditions, [int(word) for word in words], int(How.OPEN))
    fin_frame = tracks.endpoints(FIN_FRAME)
    # Clocks are coarse: of two FINs with one time, the one captured first.
    client_first = (fin_time[:, 0] < fin_time[:, 1]) | (
        (fin_time[:, 0] == fin_time[:, 1]) & (fin_frame[:, 0] < fin_frame[:, 1])
    )
    first_fin = np.where(fin[:, 0] & (~fin[:, 1] | client_first), 1, 2)
    who_silent = np.where(silent[:, 0], 1, 2)
    by = np.select(
        [are_among(how, (How.REFUSED, How.RST)), are_among(how, (How.FIN, How.HALF_CLOSED)), how == How.TIMEOUT],
        [reset_side, first_fin, who_silent],
        0,
    )
    last_resent = tracks.endpoints(RESENT_LAST).max(axis=1)
    ended = np.select(
        [are_among(how, (How.REFUSED, How.RST)), how == How.FIN, how == How.TIMEOUT],
        [flows[:, RESET_TIME], fin_time.max(axis=1), last_resent],
        0,
    )
    reasons = _reasons(tracks, trailing, interval, last_probe)
    why = np.where(made & (how == How.RST), reasons, int(Why.NONE))
    handshakes, hows, bys, whys = (column.astype(np.int8) for column in (handshake, how, by, why))
    return Endings(handshakes, hows, bys, whys, ended)


def _fell_silent(tracks: Tracks, listening: Listening) -> Mask:
    """Endpoints that resent data or FIN, were not acknowledged, and missed their next turn: (flows, 2)."""
    resent = tracks.endpoints(RESENT)
    patience = np.maximum(FELL_SILENT * tracks.endpoints(RESENT_GAP) + SLACK_NS, LONG_ENOUGH_NS)
    quiet = listening(tracks.endpoints(RESENT_LAST)) > patience
    alive = (tracks.flows[:, [RESET_SIDE]] == 0) & (tracks.endpoints(PACKETS)[:, ::-1] > 0)
    given_up = (resent >= MANY) & (tracks.endpoints(ADVANCE_TIME) <= tracks.endpoints(RESENT_LAST))
    silent: Mask = given_up & quiet & alive
    return silent


def _gave_up_resending(tracks: Tracks) -> Mask:
    """Connections whose RST came when its sender had sent the same again and again, and nothing else since: (flows,).

    Windows resets a connection when its TcpMaxDataRetransmissions are used up; an application that waits for an
    answer may lose its patience before.
    """
    flows = tracks.flows
    index, side = np.arange(len(flows)), np.maximum(flows[:, RESET_SIDE] - 1, 0)
    resent, gap, last, sent = (
        tracks.endpoints(field)[index, side] for field in (RESENT, RESENT_GAP, RESENT_LAST, ADVANCE_TIME)
    )
    waited = flows[:, RESET_TIME] - last
    due = (resent > MANY) | (waited >= gap - gap // 4)
    long_enough = flows[:, RESET_TIME] - sent > LONG_ENOUGH_NS
    return np.asarray((resent >= MANY) & (sent <= last) & due & long_enough)


def _left_half_open(tracks: Tracks, handshake: Column, listening: Listening) -> Mask:
    """Connections whose SYN-ACK nothing acknowledged: nobody wanted them any more, or ever did (a scan, a flood)."""
    half_open = tracks.endpoints(STATE)[:, 1] == int(State.SYN_RECEIVED)
    waited = listening(tracks.endpoints(LAST_TIME)[:, 1]) > LONG_ENOUGH_NS
    silent = (tracks.flows[:, RESET_SIDE] == 0) & (tracks.endpoints(KNOWN) & SENT_FIN == 0).all(axis=1)
    mask: Mask = half_open & waited & silent & (handshake == Handshake.PARTIAL)
    return mask


def _handshakes(tracks: Tracks) -> Column:
    seen = tracks.flows[:, HANDSHAKE]

    def has(bit: int) -> Mask:
        mask: Mask = (seen & bit) != 0
        return mask

    packets, known = tracks.endpoints(PACKETS), tracks.endpoints(KNOWN)
    lone = has(SAW_SYN) & ~has(SAW_SYN_ACK)
    # What a server says of an older connection is no answer.
    unheard = (packets[:, 1] == 0) | (has(OLDER_LIFE) & (tracks.endpoints(FINGERPRINT)[:, 1] == 0))
    # A client that acknowledges has had its answer, whether or not this capture has it.
    acknowledged = known[:, 1] & HAS_UNA != 0
    conditions = [
        has(SAW_SYN) & has(SAW_SERVER_SYN),
        has(SAW_SYN) & has(SAW_SYN_ACK) & has(SAW_ACK),
        lone & has(SAW_REFUSAL),
        lone & unheard & ~acknowledged & (known[:, 0] & SENT_SYN != 0),
        seen & OPENING == 0,
    ]
    words = [
        Handshake.SIMULTANEOUS,
        Handshake.COMPLETE,
        Handshake.REFUSED,
        Handshake.NO_ANSWER,
        Handshake.NOT_CAPTURED,
    ]
    return np.select(conditions, [int(word) for word in words], int(Handshake.PARTIAL))


def _reasons(tracks: Tracks, trailings: Short, intervals: Column, last_probes: Column) -> Column:
    """Why the first RST of each connection was sent."""
    flows = tracks.flows
    why = flows[:, RESET_WHY]
    side = np.maximum(flows[:, RESET_SIDE] - 1, 0)
    index = np.arange(len(flows))
    trailing, interval = trailings[index, side], intervals[index, side]
    waited = flows[:, RESET_TIME] - last_probes[index, side]
    on_time = np.where(
        trailing >= 2, np.abs(waited - interval) <= PACE * interval + SLACK_NS, waited >= SHORTEST_TIMER_NS
    )
    given_up = (why == RESET_GIVEN_UP) & (trailing >= 1) & on_time
    return np.select(
        [
            given_up,
            why == RESET_REPLY_TO_PROBE,
            why == RESET_REPLY_TO_DATA,
            are_among(why, (RESET_ABORT, RESET_GIVEN_UP)) & ~_gave_up_resending(tracks),
        ],
        [int(Why.KEEPALIVE_EXHAUSTED), int(Why.REPLY_TO_PROBE), int(Why.REPLY_TO_DATA), int(Why.ABORT)],
        int(Why.NONE),
    )
