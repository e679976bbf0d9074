"""What a prober that gave up shows: its count of probes, or a TCP_USER_TIMEOUT that may have ended the run instead."""

from __future__ import annotations

import numpy as np

from analyzer.measure.settings.timer import JITTER_S, Seconds, Setting, to_seconds
from analyzer.model.columns import Facts
from analyzer.model.words import Why
from analyzer.tables.arrays import Column
from analyzer.tables.fields import LAST_PROBE, NEVER, PROBE_SINCE, PROBE_TIME, RESET_TIME


def last_gaps(facts: Facts, streams: Column) -> tuple[Column, Seconds]:
    """Endpoints that gave up by their keepalive timer, and the seconds from their last probe to their RST.

    Both have one entry per giving up; an endpoint is (place in `streams`) * 2 + side.
    """
    why = facts.why[streams]
    ended = np.flatnonzero(why == Why.KEEPALIVE_EXHAUSTED)
    side = facts.by[streams][ended] - 1
    gap = facts.tracks.flows[streams][ended, RESET_TIME] - facts.last_probe[streams][ended, side]
    return ended * 2 + side, to_seconds(gap)


def counts(facts: Facts, streams: Column, gave_up: Column) -> Setting:
    """A run that ended in the prober's RST is as long as its count, unless TCP_USER_TIMEOUT cut it short.

    (2 * streams,), of which those in `gave_up` (see `last_gaps`) alone are known: at least that many, and just as many
    where the run began within the capture.
    """
    trailing = facts.trailing[streams].reshape(-1)
    least, length = np.full((2, len(trailing)), np.nan)
    least[gave_up] = trailing[gave_up]
    last = facts.tracks.endpoints(LAST_PROBE, streams).reshape(-1)[gave_up] - 1
    whole = gave_up[facts.tracks.probes[last, PROBE_SINCE] != NEVER]  # else it may have begun before the capture
    length[whole] = least[whole]
    return Setting(length, least, np.full(len(length), np.nan), (~np.isnan(least)).astype(np.int64))


def user_timeouts(
    facts: Facts, streams: Column, gave_up: Column, path: Seconds, near: Seconds
) -> tuple[Seconds, Seconds]:
    """What TCP_USER_TIMEOUT would have been, if it ended a run: passed at the RST, not yet at the timer before.

    Linux looks at each probe timer whether the silence has lasted as long (net/ipv4/tcp_timer.c tcp_keepalive_timer()).
    Given and returned in seconds by endpoint, (2 * streams,): how much it exceeds, and is at most; nan where unknown.
    """
    above, most = np.full((2, len(path)), np.nan)
    last = facts.tracks.endpoints(LAST_PROBE, streams).reshape(-1)[gave_up] - 1
    log = facts.tracks.probes[last]
    whole = log[:, PROBE_SINCE] != NEVER
    endpoints, log = gave_up[whole], log[whole]
    reset = facts.tracks.flows[streams][endpoints >> 1, RESET_TIME]
    heard = to_seconds(log[:, PROBE_SINCE]) + path[endpoints]
    # A first probe is sent whatever the time: only a timer that found one unanswered gives up.
    first = facts.trailing[streams].reshape(-1)[endpoints] == 1
    above[endpoints] = np.where(first, 0, to_seconds(log[:, PROBE_TIME]) - heard - near[endpoints] - JITTER_S)
    most[endpoints] = to_seconds(reset) - heard + near[endpoints] + JITTER_S
    return above, most
