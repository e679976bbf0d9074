"""The settings behind the probes of each endpoint: tcp_keepalive_time, _intvl and _probes, with bounds.

A keepalive timer of Linux fires late, by up to one slot of its wheel (kernel/time/timer.c, since 4.8): 75 s are seen
as 75.776 s or more. The wheel depends on CONFIG_HZ, which a capture does not tell; so a setting is what fits for one of
the usual values of it, and is a number of whole seconds, as the sockets' options and the sysctls are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from analyzer.layout import (
    ANSWER_TIME,
    EARLY,
    GAP_ANSWERED,
    GAP_END,
    HANDSHAKE_RTT,
    MIN_RTT,
    NEVER,
    PROBE_MARKS,
    PROBE_SINCE,
    PROBE_TIME,
)
from analyzer.measure.estimates import HZ, JITTER_S, NANO, Seconds, Setting, slot, to_seconds
from analyzer.measure.giving_up import counts, last_gaps, user_timeouts
from analyzer.measure.pending import no_longer_than, was_pending
from analyzer.model import Column, Facts, Keepalive, Mask

# No keepalive timer is shorter; a tenth is left for what the path takes away.
SHORTEST_NS = 900_000_000
# What a delayed acknowledgement may add to the shortest round trip that was seen (RFC 1122 4.2.3.2: at most 500 ms;
# Linux 40 to 200 ms, Windows 200 ms).
DELAYED_ACK_S = 0.2
LONGEST_PATH_S = 5.0
STREAMS_AT_A_TIME = 512
# Where several whole seconds fit, one of these is meant if it alone is among them: defaults of systems and programs,
# and what people set.
USUAL = np.array([20, 25, 30, 40, 45, 50, 60, 75, 90, 100, 120, 150, 180, 240, 300, 600, 900, 1200, 1800, 3600, 7200])


class Samples(NamedTuple):
    """Shortest and longest of one endpoint's samples that belong together, in seconds (nan: none), and how many."""

    low: Seconds
    high: Seconds
    number: Column
    changed: Mask | bool = False  # there were others before
    former: tuple[Seconds, Seconds, Column] | None = None  # those: the same three columns


class Settings(NamedTuple):
    """The settings of all endpoints."""

    time: Setting
    intvl: Setting
    probes: Setting
    user_timeout: tuple[Seconds, Seconds]  # bounds
    former_time: Setting  # before it was changed

    def user_timeout_of(self, endpoint: int) -> tuple[float, float] | None:
        """The bounds of one endpoint's."""
        above, most = (float(bound[endpoint]) for bound in self.user_timeout)
        return None if np.isnan(most) else (round(max(above, 0.0), 3), round(most, 3))


class SettingsOnDemand:
    """The settings of each endpoint, told for some hundred connections at a time: all at once would fill memory."""

    def __init__(self, facts: Facts, rows: Column, first: Column) -> None:
        """`rows` are keepalive rows of the log by endpoint (stream * 2 + side), first[i] to before first[i + 1]."""
        self._facts, self._rows, self._first = facts, rows, first
        self._expected: Column | None = None
        self._streams = np.zeros(0, np.int64)
        self._settings: Settings | None = None

    def expect(self, streams: Sequence[int]) -> None:
        """Say which streams are asked for next, in order; before that it is all of them."""
        self._expected = np.array(streams, np.int64)

    def apply(self, keepalive: Keepalive, stream: int, side: int) -> Keepalive:
        """The keepalive of an endpoint with what is known of its settings."""
        within = int(np.searchsorted(self._streams, stream))
        if self._settings is None or within == len(self._streams) or self._streams[within] != stream:
            self._streams = self._next(stream)
            self._settings = self._estimate()
            within = 0
        endpoint = 2 * within + side
        return replace(
            keepalive,
            tcp_keepalive_time=self._settings.time.estimate(endpoint),
            tcp_keepalive_intvl=self._settings.intvl.estimate(endpoint),
            tcp_keepalive_probes=self._settings.probes.estimate(endpoint),
            user_timeout_s=self._settings.user_timeout_of(endpoint),
            former_tcp_keepalive_time=self._settings.former_time.estimate(endpoint),
        )

    def _next(self, stream: int) -> Column:
        """This stream and those expected after it."""
        if self._expected is None:
            return np.arange(stream, min(stream + STREAMS_AT_A_TIME, len(self._facts)))
        place = int(np.searchsorted(self._expected, stream))
        following = self._expected[place : place + STREAMS_AT_A_TIME]
        return following if len(following) and following[0] == stream else np.array([stream])

    def _estimate(self) -> Settings:
        return estimate_settings(self._facts, self._streams, *rows_of(self._rows, self._first, self._streams))


def rows_of(rows: Column, first: Column, streams: Column) -> tuple[Column, Column]:
    """The rows of some streams alone, and where those of each of their endpoints begin."""
    begins, middles, ends = first[2 * streams], first[2 * streams + 1], first[2 * streams + 2]
    lengths = np.stack((middles - begins, ends - middles), axis=1)
    own = np.concatenate(([0], np.cumsum(lengths.reshape(-1))))
    return rows[np.arange(own[-1]) + np.repeat(begins - own[:-1:2], ends - begins)], own


def estimate_settings(facts: Facts, streams: Column, rows: Column, first: Column) -> Settings:
    """The settings of the endpoints of these streams; `rows` and `first` are theirs."""
    count = len(first) - 1
    log = facts.tracks.probes[rows]
    prober = np.repeat(np.arange(count), np.diff(first))
    time, since = log[:, PROBE_TIME], log[:, PROBE_SINCE]
    again = np.zeros(len(log), bool)
    again[1:] = prober[1:] == prober[:-1]
    in_run = again.copy()
    in_run[1:] &= since[1:] == since[:-1]
    known = ~in_run & (since != NEVER) & (time - since >= SHORTEST_NS) & (log[:, PROBE_MARKS] & EARLY == 0)
    after_answer = again & known
    after_answer[1:] &= (since[1:] == log[:-1, ANSWER_TIME]) & (log[:-1, PROBE_MARKS] & GAP_END == GAP_ANSWERED)
    path, near = _path(facts, streams)
    runs = to_seconds(np.diff(time, prepend=0))
    gave_up, last_gap = last_gaps(facts, streams)
    interval = _samples(
        np.concatenate((prober[in_run], gave_up)), np.concatenate((runs[in_run], last_gap)), count, near
    )
    # From the last thing that passed on the way to the prober to what it sent: the path there and back is no timer's.
    waits = to_seconds(time - since) - (path - near)[prober]
    answered = _samples(prober[after_answer], waits[after_answer], count, near, latest=True)
    fresh = known & ~after_answer
    gaps = np.where(again, runs, np.inf)
    pending = fresh & was_pending(gaps, waits, answered.low[prober], answered.high[prober], near[prober])
    traffic = _samples(prober[fresh & ~pending], waits[fresh & ~pending], count, near)
    at_most = np.full(count, np.inf)
    np.minimum.at(at_most, prober[pending], waits[pending])
    intvl = _setting(interval, near)
    return Settings(
        time=no_longer_than(_idle_time(traffic, answered, intvl, near), at_most + JITTER_S),
        intvl=intvl,
        probes=counts(facts, streams, gave_up),
        user_timeout=user_timeouts(facts, streams, gave_up, path, near),
        former_time=_former(answered, near),
    )


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


def _samples(prober: Column, values: Seconds, count: int, path: Seconds, *, latest: bool = False) -> Samples:
    """Those samples of each endpoint that one setting explains: the shortest, or with `latest` the present ones."""
    usable = values >= SHORTEST_NS / NANO
    prober, values = prober[usable], values[usable]
    low = np.full(count, np.inf)
    np.minimum.at(low, prober, values)
    high, number = _among(prober, values, low, path)
    changed = np.zeros(count, bool)
    former = np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, np.int64)
    if latest:
        total = np.bincount(prober, minlength=count)
        for endpoint in np.flatnonzero(total > number):
            mine = values[prober == endpoint]
            *now, began = _present(mine, float(path[endpoint]))
            low[endpoint], high[endpoint], number[endpoint] = now
            if began:
                changed[endpoint] = True
                former[0][endpoint], former[1][endpoint], former[2][endpoint], _ = _present(
                    mine[:began], float(path[endpoint])
                )
    low[number == 0] = np.nan
    return Samples(low, high, number, changed, former)


def _former(answered: Samples, near: Seconds) -> Setting:
    """tcp_keepalive_time before it was changed, from the rounds that were answered then."""
    assert answered.former is not None
    low, high, number = answered.former
    return _setting(Samples(low, high, number), near)


def _among(prober: Column, values: Seconds, low: Seconds, path: Seconds) -> tuple[Seconds, Column]:
    """Of the samples that fit the shortest of their endpoint: the longest, and how many."""
    fits = values <= low[prober] + slot(low[prober], worst=True) + path[prober] + 2 * JITTER_S
    high = np.full(len(low), np.nan)
    np.fmax.at(high, prober[fits], values[fits])
    return high, np.bincount(prober[fits], minlength=len(low))


def _present(values: Seconds, path: float) -> tuple[float, float, int, int]:
    """The last of an endpoint's samples that belong together, and where they begin if those before are others.

    Two kinds, one after the other, are a setting that changed. Otherwise the longest: two kinds in any order come from
    answers that passed the point of capture and were lost behind it, and the shorter ones are the interval then.
    """
    slack = float(slot(values[-1:], worst=True)[0]) + path + 2 * JITTER_S
    same = np.abs(values - values[-1]) <= slack
    began = len(values) - int(np.argmin(same[::-1])) if not same.all() else 0
    changed = len(values) - began >= 2 and not same[:began].any()
    if not changed:
        longest = values.max()
        same = values >= longest - float(slot(longest[None], worst=True)[0]) - path - 2 * JITTER_S
        began = 0
    chosen = values[began:][same[began:]]
    return float(chosen.min()), float(chosen.max()), len(chosen), began if changed else 0


def _setting(samples: Samples, path: Seconds) -> Setting:
    """The whole seconds that explain samples, if that is one number; and bounds that hold whatever explains them."""
    high = samples.low + JITTER_S
    low = np.maximum(samples.high - slot(samples.high, worst=True) - path - JITTER_S, 0)
    value = np.full(len(high), np.nan)
    seen = np.flatnonzero(~np.isnan(high))
    if len(seen):
        value[seen] = _whole(low[seen], high[seen], samples.high[seen] - path[seen] - JITTER_S)
    return Setting(value, low, high, samples.number)


def _whole(low: Seconds, high: Seconds, latest: Seconds) -> Seconds:
    """The one number of whole seconds from `low` to `high` whose timer fires as late as `latest`; nan for several."""
    top = np.floor(high)
    below = top - 1
    single = (below < low) | ~_explains(below, latest)
    value = np.where(single & (top >= low) & (top >= 1) & _explains(top, latest), top, np.nan)
    usual = [
        np.where((one >= low) & (one <= high) & _explains(one, latest), one, np.nan) for one in USUAL[:, None] * 1.0
    ]
    fitting = np.array([np.broadcast_to(one, top.shape) for one in usual])
    alone = (~np.isnan(fitting)).sum(axis=0) == 1
    return np.where(np.isnan(value) & alone, np.nansum(fitting, axis=0), value)


def _explains(seconds: Seconds, latest: Seconds) -> Mask:
    """Whether a timer of so many seconds fires as late as this, at one of the usual rates of ticks."""
    mask: Mask = np.any([seconds + slot(seconds, hz=rate) >= latest for rate in HZ], axis=0)
    return mask


def _idle_time(traffic: Samples, answered: Samples, intvl: Setting, path: Seconds) -> Setting:
    """tcp_keepalive_time, from the first probes after traffic and from those after an answered one.

    After an answered probe the next comes max(time, intvl) later, after traffic `time` later or, where a timer was
    pending, as late as that; so the shorter of the two bounds the setting, and tells it unless the interval may.
    """
    with np.errstate(invalid="ignore"):
        before = np.where(answered.changed, np.nan, traffic.low)  # traffic before the setting changed tells nothing
        traffic = traffic._replace(low=before, high=np.where(np.isnan(before), np.nan, traffic.high))
        by_traffic = np.isnan(answered.low) | (
            traffic.high + slot(traffic.high, worst=True) + path + 2 * JITTER_S < answered.low
        )
        chosen = Samples(
            np.where(by_traffic, traffic.low, np.fmin(answered.low, traffic.low)),
            np.where(by_traffic, traffic.high, answered.high),
            np.where(by_traffic, traffic.number, answered.number),
        )
        setting = _setting(Samples(chosen.low, np.fmax(chosen.low, chosen.high), chosen.number), path)
        # Rounds as long as the interval itself may come from any shorter idle time.
        hidden = ~np.isnan(intvl.low) & (intvl.high >= setting.low) & np.isnan(traffic.low)
    value = np.where(hidden, np.nan, setting.value)
    return Setting(value, np.where(hidden, 0.0, setting.low), setting.high, setting.samples)
