"""Samples of one endpoint's timer: which of them one setting explains, and the whole seconds that it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.measure.settings.rounds import USUAL
from analyzer.measure.settings.timer import JITTER_S, Seconds, Setting, slot
from analyzer.tables.arrays import Column, Mask
from analyzer.tcp import SECOND, SHORTEST_TIMER_NS

SHORTEST_S = SHORTEST_TIMER_NS / SECOND


class Samples(NamedTuple):
    """Shortest and longest of one endpoint's samples that belong together, in seconds (nan: none), and how many."""

    low: Seconds
    high: Seconds
    number: Column
    changed: Mask | bool = False  # there were others before
    vague: Mask | bool = False  # of three kinds and more: probes were lost before the point of capture
    former: tuple[Seconds, Seconds, Column] | None = None  # those: the same three columns


def gather(
    prober: Column,
    values: Seconds,
    count: int,
    path: Seconds,
    *,
    unproven: Mask | None = None,
    interval: Samples | None = None,
) -> Samples:
    """Those samples of each endpoint that one setting explains: the shortest, or those of the setting it has now.

    `unproven` tells whose answers no timestamp shows to have been heard, `interval` what tcp_keepalive_intvl may be.
    `prober` and `values` (seconds) have a row per sample; the rest has one per endpoint, (count,), as what is returned.
    """
    usable = values >= SHORTEST_S
    prober, values = prober[usable], values[usable]
    low = np.full(count, np.inf)
    np.minimum.at(low, prober, values)
    high, number = _among(prober, values, low, path)
    changed, vague = np.zeros((2, count), bool)
    former = np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, np.int64)
    if unproven is not None:
        for endpoint in np.flatnonzero(np.bincount(prober, minlength=count) > number):
            mine, there = values[prober == endpoint], float(path[endpoint])
            *now, began = _present(mine, there)
            if not began and interval is not None:
                vague[endpoint] = number[endpoint] == 1 or not _is_no_run(mine, float(interval.high[endpoint]), there)
                if not vague[endpoint]:
                    continue
            if began and unproven[endpoint] and mine[:began].min() > now[1]:
                # A shorter setting, or answers that were lost behind the point of capture: no timestamp tells.
                *now, began = *_present(mine[:began], there)[:3], 0
                vague[endpoint] = True
            low[endpoint], high[endpoint], number[endpoint] = now
            vague[endpoint] |= not began and _kinds(mine, there) > 2
            if began:
                changed[endpoint] = True
                former[0][endpoint], former[1][endpoint], former[2][endpoint], _ = _present(mine[:began], there)
    low[number == 0] = np.nan
    return Samples(low, high, number, changed, vague, former)


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


def _is_no_run(values: Seconds, interval: float, path: float) -> bool:
    """Whether the shortest samples are longer than the interval: then the others are longer by probes that were lost.

    Answers that were lost behind the point of capture would have shown the interval. One sample alone tells nothing:
    it may be longer, too.
    """
    return bool(values.min() > interval + float(slot(np.array(interval), worst=True)) + path + 2 * JITTER_S)


def _kinds(values: Seconds, path: float) -> int:
    """How many settings it would take to explain all of an endpoint's samples."""
    kinds, left = 0, np.sort(values)
    while len(left):
        kinds += 1
        left = left[left > left[0] + float(slot(left[:1], worst=True)[0]) + path + 2 * JITTER_S]
    return kinds


def without_intervals(samples: Samples, interval: Samples) -> Samples:
    """The shortest of samples that lie an interval apart: the others are longer by it, for lost probes."""
    with np.errstate(invalid="ignore"):
        apart = samples.high - samples.low >= interval.low - 2 * JITTER_S
    return samples._replace(high=np.where(apart, samples.low, samples.high))


def setting_of(samples: Samples, path: Seconds, early: Seconds | float = 0.0) -> Setting:
    """The whole seconds that explain samples, if that is one number; and bounds that hold whatever explains them.

    `early` is how much sooner than set a timer may fire. Samples that no setting explains, too far apart for a timer,
    bound it from above alone.
    """
    high = samples.low + JITTER_S + early
    low = np.maximum(samples.high - slot(samples.high, worst=True) - path - JITTER_S, 0)
    low = np.where(low > high, 0.0, low)
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
    usual = USUAL[:, None] * 1.0
    fitting = (usual >= low) & (usual <= high) & _explains(usual, latest)
    alone = fitting.sum(axis=0) == 1
    return np.where(np.isnan(value) & alone, (usual * fitting).sum(axis=0), value)


def _explains(seconds: Seconds, latest: Seconds) -> Mask:
    """Whether a timer of so many seconds fires as late as this, at one of the usual rates of ticks."""
    return np.asarray(seconds + slot(seconds, worst=True) >= latest)
