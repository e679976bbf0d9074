"""The timer wheel of Linux: how far apart answered probes of a given setting really are.

A timer of `d` ticks lies on the level n of the wheel whose slots are 8**n ticks wide, n being the largest with
d >= 63 * 8**(n - 1), and fires at the next slot's border (kernel/time/timer.c, since 4.8). The keepalive timer is set
to tcp_keepalive_intvl with each probe; when it fires and less than tcp_keepalive_time has passed since the answer, it
is set to the rest (net/ipv4/tcp_timer.c tcp_keepalive_timer()). So answered rounds come in few lengths only.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from analyzer.measure.settings.timer import LEVEL, SLOTS, Seconds
from analyzer.tables.arrays import Column, Mask

# Kernels are built with one of these: 250 is most distributions', 1000 Fedora's and, of late, Debian's, 300 Arch's.
TICK_RATES = (100, 250, 300, 1000)
# Every interval up to this is tried; of longer ones those that people set.
EVERY_INTERVAL_S = 120
INTERVALS_S = (150, 180, 200, 240, 300, 600, 900, 1200, 1800, 3600, 7200)
# Ticks at which a first probe is imagined: borders of all slots, and what lies between them.
PHASES = (0, 37, 300, 2500)
ROUNDS = 4
# Where each level begins, and how wide its slots are.
LEVELS_BEGIN = SLOTS * LEVEL ** np.arange(8)
SLOTS_WIDE = LEVEL ** np.arange(9)
# What a busy machine and a capture's clock add to a tick.
JITTER_S = 0.008


def allows(seconds: float, rounds: Seconds, interval: tuple[float, float]) -> Mask:
    """Which of these answered rounds a tcp_keepalive_time of so many seconds shows at some rate of ticks.

    The mask is as long as `rounds`, in seconds; `interval` bounds tcp_keepalive_intvl. Timers that keep milliseconds
    (Windows, the BSDs) show it as it is.
    """
    lengths = _lengths(int(seconds), interval)
    place = np.searchsorted(lengths, rounds - JITTER_S)
    near = lengths[np.minimum(place, len(lengths) - 1)]
    return np.asarray((np.abs(near - rounds) <= JITTER_S) | (np.abs(rounds - seconds) <= 2 * JITTER_S))


def _lengths(seconds: int, interval: tuple[float, float]) -> Seconds:
    """The lengths of rounds that a setting shows, in order."""
    return _lengths_of(seconds, int(np.ceil(interval[0])), int(min(interval[1], seconds)))


@lru_cache(1 << 12)
def _lengths_of(seconds: int, shortest: int, longest: int) -> Seconds:
    choices = [*range(1, min(seconds, EVERY_INTERVAL_S) + 1), *INTERVALS_S]
    intervals = np.array([choice for choice in choices if shortest <= choice <= longest], np.int64)
    if not len(intervals):
        return np.array([np.inf])
    rates = np.repeat(np.array(TICK_RATES, np.int64), len(intervals))[:, None]
    ticks = _rounds(seconds * rates, np.tile(intervals, len(TICK_RATES))[:, None] * rates)
    return np.sort(ticks / rates, axis=None)


def _rounds(idle: Column, interval: Column) -> Column:
    """The lengths in ticks of answered rounds, by row for each of these settings, from each phase."""
    now = np.broadcast_to(np.array(PHASES, np.int64), (len(idle), len(PHASES)))
    waits = np.broadcast_to(interval, now.shape)
    found = []
    for _ in range(ROUNDS):
        first = _fires(now, waits)
        rest = idle - (first - now)
        then = np.where(rest <= 0, first, _fires(first, np.maximum(rest, 1)))
        found.append(then - now)
        now = then
    return np.concatenate(found[1:], axis=1)  # the first is not set by a timer before it


def _fires(now: Column, wait: Column) -> Column:
    """When a timer set now to wait so many ticks fires."""
    slot = SLOTS_WIDE[np.searchsorted(LEVELS_BEGIN, wait, side="right")]
    expires = now + wait
    return np.asarray(np.where(slot == 1, expires, (expires // slot + 1) * slot))
