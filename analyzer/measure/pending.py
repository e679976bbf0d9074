"""A keepalive timer that was running when traffic came: it is not set anew, and what it shows is a limit alone."""

from __future__ import annotations

import numpy as np

from analyzer.measure.estimates import JITTER_S, Seconds, Setting, slot
from analyzer.model import Mask


def was_pending(gaps: Seconds, waits: Seconds, low: Seconds, high: Seconds, near: Seconds) -> Mask:
    """First probes after traffic that came when the timer set at the probe before was over, traffic or not.

    Linux sets it to the interval then, and traffic does not set it anew (net/ipv4/tcp_timer.c tcp_keepalive_timer):
    where the interval is the longer, such a wait lies anywhere between the idle time and it. `low` and `high` are
    answered rounds.
    """
    slack = slot(np.nan_to_num(high), worst=True) + near + 2 * JITTER_S
    with np.errstate(invalid="ignore"):
        mask: Mask = (gaps >= low - slack) & (gaps <= high + slack) & (waits < low - slack)
    return mask


def no_longer_than(setting: Setting, at_most: Seconds) -> Setting:
    """The setting where it is no longer than that; else nothing is known but that it is not."""
    with np.errstate(invalid="ignore"):
        wrong = setting.low > at_most
    return setting._replace(
        value=np.where(wrong, np.nan, setting.value),
        low=np.where(wrong, 0.0, setting.low),
        high=np.where(wrong, at_most, setting.high),
    )
