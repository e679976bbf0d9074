"""A keepalive timer that was running when traffic came: it is not set anew, and what it shows is a limit alone."""

from __future__ import annotations

import numpy as np

from analyzer.measure.settings.timer import JITTER_S, Seconds, Setting, slot
from analyzer.tables.arrays import Mask


def was_pending(gaps: Seconds, low: Seconds, high: Seconds, near: Seconds) -> Mask:
    """First probes after traffic that may have come when the timer set at the probe before was over, traffic or not.

    Linux sets it to the interval then, and traffic does not set it anew (net/ipv4/tcp_timer.c tcp_keepalive_timer):
    where the interval is the longer, such a wait lies anywhere between the idle time and it. `gaps` are those between
    two probes; `low` and `high` are answered rounds. All are in seconds, (probes,), nan or inf where there is none.
    """
    slack = slot(np.nan_to_num(high), worst=True) + near + 2 * JITTER_S
    with np.errstate(invalid="ignore"):
        mask: Mask = (gaps >= low - slack) & (gaps <= high + slack)
    return mask


def no_longer_than(setting: Setting, at_most: Seconds) -> Setting:
    """The setting where it is no longer than that; else nothing is known but that it is not.

    Rounds longer than a wait that was seen may be the interval's: then they bound nothing from below.
    """
    with np.errstate(invalid="ignore"):
        wrong = np.where(np.isnan(setting.value), setting.high, setting.value) > at_most
    return setting._replace(
        value=np.where(wrong, np.nan, setting.value),
        low=np.where(wrong, 0.0, setting.low),
        high=np.where(setting.high > at_most, at_most, setting.high),
    )
