"""Linux's keepalive timer (net/ipv4/tcp_timer.c tcp_keepalive_timer()): what settings make of a silence.

The first probe is sent `idle` seconds after the last data or ACK received, the next ones `interval` apart. At each of
these timers the kernel decides: without TCP_USER_TIMEOUT it gives up once `count` probes are unanswered; with it, once
the silence has lasted as long and one probe at least is unanswered, whatever the count. So a peer is given up at
`idle + k * interval`: k is the count, or the first at which the user timeout is over. The BSDs, macOS and lwIP give up
at the same time. Timers are never early; each is late by up to one slot of the timer wheel (`settings/timer.py`).
"""

from __future__ import annotations

import math

import numpy as np

from analyzer.measure.settings.timer import slot
from analyzer.model.advice import Candidate, Delay


def gives_up(settings: Candidate) -> Delay:
    """Seconds from the last packet received until a prober whose peer is dead gives up.

    The latest is that of a last packet that replied to a probe: the timer runs for `interval` then, which may be longer
    than `idle`.
    """
    due, limit = probes_sent(settings), settings.user_timeout
    if limit is None:
        return Delay(_tick(settings, due), _tick(settings, due), _late(settings, due))
    # Late timers may find it over some intervals sooner.
    first = next(tick for tick in range(1, due + 1) if _late(settings, tick) >= limit)
    earliest = _tick(settings, due) if first == due else max(_tick(settings, first), limit)
    return Delay(_tick(settings, due), earliest, _late(settings, due))


def probes_sent(settings: Candidate) -> int:
    """How many probes a dead peer gets before it is given up."""
    if settings.user_timeout is None:
        return settings.count
    return max(1, math.ceil(round((settings.user_timeout - settings.idle) / settings.interval, 9)))


def first_probe(settings: Candidate) -> Delay:
    """Seconds from the last packet received to the first probe."""
    return Delay(settings.idle, settings.idle, longest_silence(settings).latest)


def longest_silence(settings: Candidate) -> Delay:
    """The longest silence on an idle connection whose probes are answered.

    The timer runs for `interval` after each probe, so that answered probes are no closer than that.
    """
    return on_time(max(settings.idle, settings.interval))


def on_time(seconds: float) -> Delay:
    """When a timer of so many seconds fires."""
    return Delay(seconds, seconds, seconds + float(slot(np.array(seconds), worst=True)))


def _tick(settings: Candidate, number: int) -> float:
    return settings.idle + number * settings.interval


def _late(settings: Candidate, number: int) -> float:
    return longest_silence(settings).latest + number * on_time(settings.interval).latest
