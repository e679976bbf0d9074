"""The settings behind the probes of each endpoint: tcp_keepalive_time, _intvl and _probes, with bounds.

A keepalive timer of Linux fires late, by up to one slot of its wheel (kernel/time/timer.c, since 4.8): 75 s are seen
as 75.776 s or more. The wheel depends on CONFIG_HZ, which a capture does not tell; so a setting is what fits for one of
the usual values of it, and is a number of whole seconds, as the sockets' options and the sysctls are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analyzer.measure.settings.giving_up import counts, last_gaps, user_timeouts
from analyzer.measure.settings.pending import no_longer_than, was_pending
from analyzer.measure.settings.rounds import Rounds
from analyzer.measure.settings.samples import Samples, gather, setting_of, without_intervals
from analyzer.measure.settings.timer import JITTER_S, Seconds, Setting, slot, to_seconds
from analyzer.model.columns import Facts
from analyzer.model.flows import Estimate
from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import (
    ANSWER_TIME,
    EARLY,
    FINGERPRINT,
    GAP_ANSWERED,
    GAP_END,
    HANDSHAKE_RTT,
    MIN_RTT,
    NEVER,
    ONE_OCTET,
    OPTIONS_SEEN,
    PROBE_MARKS,
    PROBE_SINCE,
    PROBE_TIME,
    WITHOUT_TIMESTAMPS,
)
from analyzer.tcp import HAS_TIMESTAMPS, SHORTEST_TIMER_NS

# What a delayed acknowledgement may add to the shortest round trip that was seen (RFC 1122 4.2.3.2: at most 500 ms;
# Linux 40 to 200 ms, Windows 200 ms).
DELAYED_ACK_S = 0.2
LONGEST_PATH_S = 5.0
STREAMS_AT_A_TIME = 512
# The kernel counts in ticks what has passed (tcp_jiffies32): at 100 a second it may be short by one.
TICK_S = 0.01
# Timers that count half seconds fire up to one of these too soon; what a capture adds is left out.
EARLY_S = 0.48


class Known(NamedTuple):
    """What is known of the settings of one endpoint, in fields of model.Keepalive."""

    tcp_keepalive_time: Estimate | None
    tcp_keepalive_intvl: Estimate | None
    tcp_keepalive_probes: Estimate | None
    user_timeout_s: tuple[float, float] | None
    former_tcp_keepalive_time: Estimate | None


class Settings(NamedTuple):
    """The settings of all endpoints."""

    time: Setting
    intvl: Setting
    probes: Setting
    user_timeout: tuple[Seconds, Seconds]  # bounds
    former_time: Setting  # before it was changed

    def of(self, endpoint: int) -> Known:
        """Those of one endpoint."""
        above, most = (float(bound[endpoint]) for bound in self.user_timeout)
        return Known(
            tcp_keepalive_time=self.time.estimate(endpoint),
            tcp_keepalive_intvl=self.intvl.estimate(endpoint),
            tcp_keepalive_probes=self.probes.estimate(endpoint),
            user_timeout_s=None if math.isnan(most) else (round(max(above, 0.0), 3), round(most, 3)),
            former_tcp_keepalive_time=self.former_time.estimate(endpoint),
        )


def settings_in_turn(facts: Facts, rows: Column, first: Column, streams: Column) -> Iterator[tuple[Settings, int]]:
    """For each of these streams settings that hold its own, and its place among them: see `Settings.of`.

    They are estimated for some hundred connections at a time: all at once would fill memory, and one alone takes as
    long as a hundred. `rows` are keepalive rows of the log by endpoint (stream * 2 + side), first[i] to before
    first[i + 1].
    """
    for start in range(0, len(streams), STREAMS_AT_A_TIME):
        some = streams[start : start + STREAMS_AT_A_TIME]
        settings = estimate_settings(facts, some, *rows_of(rows, first, some))
        yield from ((settings, place) for place in range(len(some)))


def rows_of(rows: Column, first: Column, streams: Column) -> tuple[Column, Column]:
    """The rows of some streams alone, and where those of each of their endpoints begin: (2 * streams + 1,).

    `rows` are places in the probe log, gathered by endpoint (stream * 2 + side); `first` says of all connections where
    each endpoint's begin among them, and has their number at the end: (2 * flows + 1,).
    """
    begins, middles, ends = first[2 * streams], first[2 * streams + 1], first[2 * streams + 2]
    lengths = np.stack((middles - begins, ends - middles), axis=1)
    own = np.concatenate(([0], np.cumsum(lengths.reshape(-1))))
    return rows[np.arange(own[-1]) + np.repeat(begins - own[:-1:2], ends - begins)], own


def estimate_settings(facts: Facts, streams: Column, rows: Column, first: Column) -> Settings:
    """The settings of the endpoints of these streams: (2 * streams,), times in seconds.

    `rows` and `first` are theirs, as from `rows_of`. What Linux's timers do with a setting (net/ipv4/tcp_timer.c) is
    told in `wheel` and `pending`.
    """
    count = len(first) - 1
    log = facts.tracks.probes[rows]
    prober = np.repeat(np.arange(count), np.diff(first))
    time, since = log[:, PROBE_TIME], log[:, PROBE_SINCE]
    again = np.zeros(len(log), bool)
    again[1:] = prober[1:] == prober[:-1]
    in_run = again.copy()
    in_run[1:] &= since[1:] == since[:-1]
    known = ~in_run & (since != NEVER) & (time - since >= SHORTEST_TIMER_NS) & (log[:, PROBE_MARKS] & EARLY == 0)
    after_answer = again & known
    after_answer[1:] &= (since[1:] == log[:-1, ANSWER_TIME]) & (log[:-1, PROBE_MARKS] & GAP_END == GAP_ANSWERED)
    path, near = _path(facts, streams)
    runs = to_seconds(np.diff(time, prepend=0))
    gave_up, last_gap = last_gaps(facts, streams)
    interval = gather(np.concatenate((prober[in_run], gave_up)), np.concatenate((runs[in_run], last_gap)), count, near)
    # From the last thing that passed on the way to the prober to what it sent: the path there and back is no timer's.
    waits = to_seconds(time - since) - (path - near)[prober]
    bare = _without_timestamps(facts, streams, log, prober)
    answered = gather(prober[after_answer], waits[after_answer], count, near, unproven=bare, interval=interval)
    answered = without_intervals(answered, interval)
    fresh = known & ~after_answer
    gaps = np.where(again, runs, np.inf)
    pending = fresh & was_pending(gaps, answered.low[prober], answered.high[prober], near[prober])
    traffic = without_intervals(gather(prober[fresh & ~pending], waits[fresh & ~pending], count, near), interval)
    at_most = np.full(count, np.inf)
    np.minimum.at(at_most, prober[pending], waits[pending])
    intvl = _unless_multiples(setting_of(interval, near), runs[after_answer], prober[after_answer])
    rounds = _rounds(prober, runs, waits, near, after_answer)
    early = np.where(_ticks_by_halves(bare, log, prober) & ~rounds.off_ticks(count), EARLY_S, 0.0)
    return Settings(
        time=no_longer_than(_idle_time(traffic, answered, intvl, near, rounds, early), at_most + TICK_S),
        intvl=intvl,
        probes=counts(facts, streams, gave_up),
        user_timeout=user_timeouts(facts, streams, gave_up, path, near),
        former_time=_former(answered, near),
    )


def _rounds(prober: Column, runs: Seconds, waits: Seconds, near: Seconds, after_answer: Mask) -> Rounds:
    """The answered rounds among what led to each probe."""
    settled = np.concatenate(([False], after_answer[:-1]))
    mine = np.flatnonzero(after_answer)
    return Rounds(prober[mine], runs[mine], waits[mine], near[prober[mine]], settled[mine])


def _unless_multiples(intvl: Setting, rounds: Seconds, prober: Column) -> Setting:
    """The interval, unless rounds of several lengths, some of them shorter, show that probes were lost on the way.

    Then what was seen between two of a run may be several intervals, as one alone may always be. Rounds are no shorter
    than the interval (Linux), or all alike (where the answer sets the timer anew).
    """
    least, most = np.full(len(intvl.low), np.inf), np.full(len(intvl.low), -np.inf)
    np.minimum.at(least, prober, rounds)
    np.maximum.at(most, prober, rounds)
    with np.errstate(invalid="ignore"):
        unlike = (most > least + slot(least, worst=True) + 2 * JITTER_S) | (intvl.samples == 1)
        several = (least < intvl.low - JITTER_S) & unlike
    return intvl._replace(value=np.where(several, np.nan, intvl.value), low=np.where(several, 0.0, intvl.low))


def _path(facts: Facts, streams: Column) -> tuple[Seconds, Seconds]:
    """How long a segment takes from the point of capture to each endpoint and an answer back; how far that is off.

    Where only the whole handshake was timed, nothing is sure but that it is no longer than that.
    """
    rtt = facts.tracks.endpoints(MIN_RTT, streams)
    there = rtt[:, ::-1]
    whole = facts.tracks.flows[streams, HANDSHAKE_RTT][:, None] - np.maximum(rtt, 0)
    path = np.clip(to_seconds(np.where(there >= 0, there, whole)), 0.0, LONGEST_PATH_S)
    off = np.where(there >= 0, np.minimum(path, DELAYED_ACK_S), path)
    return path.reshape(-1), off.reshape(-1)


def _former(answered: Samples, near: Seconds) -> Setting:
    """tcp_keepalive_time before it was changed, from the rounds that were answered then."""
    assert answered.former is not None
    low, high, number = answered.former
    return setting_of(Samples(low, high, number), near)


def _without_timestamps(facts: Facts, streams: Column, log: Column, prober: Column) -> Mask:
    """Endpoints whose probes have no timestamps."""
    options = facts.tracks.endpoints(FINGERPRINT, streams) >> OPTIONS_SEEN
    bare = (options & HAS_TIMESTAMPS == 0).reshape(-1)
    bare[prober[log[:, PROBE_MARKS] & WITHOUT_TIMESTAMPS != 0]] = True
    return np.asarray(bare)


def _ticks_by_halves(bare: Mask, log: Column, prober: Column) -> Mask:
    """Of those, endpoints whose timers may count half seconds: not Windows, whose probes have a byte.

    The old BSD stacks, lwIP and what is made of them; they came before timestamps on probes, or do without.
    """
    halves = bare.copy()
    halves[prober[log[:, PROBE_MARKS] & ONE_OCTET != 0]] = False
    return halves


def _idle_time(
    traffic: Samples, answered: Samples, intvl: Setting, path: Seconds, rounds: Rounds, early: Seconds
) -> Setting:
    """tcp_keepalive_time, from the first probes after traffic and from those after an answered one.

    After an answered probe the next comes max(time, intvl) later, after traffic `time` later or, where a timer was
    pending, as late as that; so the shorter of the two bounds the setting, and tells it unless the interval may.
    A wait after traffic that is the longer one contradicts: then answers were not heard, or probes were lost.
    """
    with np.errstate(invalid="ignore"):
        before = np.where(answered.changed, np.nan, traffic.low)  # traffic before the setting changed tells nothing
        traffic = traffic._replace(low=before, high=np.where(np.isnan(before), np.nan, traffic.high))
        by_traffic = np.isnan(answered.low) | (
            traffic.high + slot(traffic.high, worst=True) + path + 2 * JITTER_S < answered.low
        )
        contradicts = traffic.low - early > answered.high + slot(answered.high, worst=True) + path + 2 * JITTER_S
        chosen = Samples(
            np.where(by_traffic, traffic.low, np.fmin(answered.low, traffic.low)),
            np.where(by_traffic, traffic.high, answered.high),
            np.where(by_traffic, traffic.number, answered.number),
        )
        chosen = chosen._replace(high=np.fmax(chosen.low, chosen.high))
        setting = setting_of(chosen, path, np.where(by_traffic, early, 0.0))
        # Rounds as long as the interval itself may come from any shorter idle time.
        hidden = ~np.isnan(intvl.low) & (intvl.high >= setting.low) & np.isnan(traffic.low)
    value = np.where(by_traffic, setting.value, rounds.choose(setting, intvl))
    vague = answered.vague | contradicts
    most = np.fmax(setting.high, np.fmax(traffic.high, answered.high) + JITTER_S)
    return Setting(
        value=np.where(hidden | vague, np.nan, value),
        low=np.where(hidden | vague, 0.0, setting.low),
        high=np.where(vague, most, setting.high),
        samples=setting.samples,
    )
