"""Answered rounds, from one probe to the next: so regular that they tell the setting by the timer's arithmetic."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from analyzer.measure.settings.timer import Seconds, Setting, slot
from analyzer.measure.settings.wheel import allows
from analyzer.tables.arrays import Column, Mask

# Where several whole seconds fit, one of these is meant if it alone is among them: defaults of systems and programs,
# and what people set.
USUAL = np.array([20, 25, 30, 40, 45, 50, 60, 75, 90, 100, 120, 150, 180, 240, 300, 600, 900, 1200, 1800, 3600, 7200])
MEANT = frozenset(USUAL.tolist())
# Of the rounds of one endpoint so many may be late for other reasons: one in five.
STRAYS = 5
# More whole seconds than these within the bounds, and only the usual ones are tried.
MANY = 40
# Timers are rounded up by an eighth at most (Linux kernel/time/timer.c).
LATEST = 1.15
ANY_INTERVAL = (0.0, np.inf)
SLACK_S = 0.016  # as wheel.allows() has it
HALF_SECOND, TICK_JITTER_S = 0.5, 0.03


class Rounds(NamedTuple):
    """Of each round its prober, how long after the probe before it the next came, and after the answer, in seconds."""

    prober: Column
    lengths: Seconds
    waits: Seconds  # at most
    off: Seconds  # how much shorter those may be, for the way there and back
    settled: Mask  # the round before was answered, too: its probe came when a timer fired that this pace had set

    def off_ticks(self, count: int) -> Mask:
        """Endpoints of which a round is no whole number of half seconds."""
        off = np.abs(self.lengths - np.round(self.lengths / HALF_SECOND) * HALF_SECOND) > TICK_JITTER_S
        mask = np.zeros(count, bool)
        mask[self.prober[off]] = True
        return mask

    def choose(self, setting: Setting, intvl: Setting) -> Seconds:
        """The whole seconds within the bounds that show rounds of just these lengths, if that is one number.

        Of several the usual one; nan where there are more, or none. Endpoints without such rounds keep what they have.
        """
        value = setting.value.copy()
        fits = (self.lengths >= setting.low[self.prober]) & (self.lengths <= LATEST * setting.high[self.prober])
        number = np.bincount(self.prober[fits], minlength=len(value))
        asked = np.flatnonzero((number > 0) & ~np.isnan(setting.low))
        fitting = self.where(fits)
        fitting = fitting.where(np.argsort(fitting.prober, kind="stable"))
        first = np.searchsorted(fitting.prober, np.arange(len(value) + 1)).tolist()
        allowed: dict[int, list[int]] = {}
        for (seconds, interval), endpoints in sorted(self._candidates(setting, intvl, asked).items()):
            rows = np.concatenate([np.arange(first[endpoint], first[endpoint + 1]) for endpoint in endpoints])
            strays = fitting.where(rows).strays(seconds, interval, len(value))
            for endpoint in endpoints:
                allowed.setdefault(endpoint, [])
                if strays[endpoint] <= number[endpoint] // STRAYS:
                    allowed[endpoint].append(seconds)
        for endpoint, choices in allowed.items():
            usual = [choice for choice in choices if choice in MEANT]
            value[endpoint] = choices[0] if len(choices) == 1 else usual[0] if len(usual) == 1 else np.nan
        return value

    def where(self, chosen: Mask | Column) -> Rounds:
        """Those that a mask, (rounds,), or their places choose."""
        columns: list[Any] = [column[chosen] for column in self]
        return Rounds(*columns)

    def strays(self, seconds: int, interval: tuple[float, float], count: int) -> Column:
        """How many rounds of each endpoint no timer of so many seconds shows, its interval within bounds: (count,)."""
        shown = allows(seconds, self.lengths, interval)
        if not shown.all():
            shown |= self._since_answer(seconds) | self._unsettled(seconds, count)
        return np.bincount(self.prober[~shown], minlength=count)

    def _since_answer(self, seconds: int) -> Mask:
        """Which of these rounds a timer of milliseconds shows that each answer sets anew (Windows, the BSDs)."""
        return np.asarray((seconds <= self.waits + SLACK_S) & (seconds >= self.waits - self.off - SLACK_S))

    def _unsettled(self, seconds: int, count: int) -> Mask:
        """Which of these rounds, beside others, began at any time: as long as that, or less than a slot longer."""
        late = self.lengths - seconds
        longest = float(slot(np.array(seconds * 1.0), worst=True)) + SLACK_S
        has_settled = np.zeros(count, bool)
        has_settled[self.prober[self.settled]] = True
        return np.asarray(has_settled[self.prober] & ~self.settled & (late >= -SLACK_S) & (late <= longest))

    @staticmethod
    def _candidates(
        setting: Setting, intvl: Setting, endpoints: Column
    ) -> dict[tuple[int, tuple[int, int]], list[int]]:
        """The endpoints that may have each whole number of seconds, and that with such bounds of the interval."""
        found: dict[tuple[int, tuple[int, int]], list[int]] = {}
        for endpoint in endpoints.tolist():
            shortest, longest = float(intvl.low[endpoint]), float(intvl.high[endpoint])
            if np.isnan(longest):
                shortest, longest = ANY_INTERVAL
            low, high = int(np.ceil(setting.low[endpoint])), int(np.floor(setting.high[endpoint]))
            choices = range(max(low, 1), high + 1)
            if len(choices) == 1 and choices[0] == setting.value[endpoint]:
                continue  # there is nothing to choose
            for seconds in choices if len(choices) <= MANY else USUAL[(low <= USUAL) & (high >= USUAL)].tolist():
                # In whole seconds: no other interval is tried, and so most endpoints of a program are one case.
                interval = math.ceil(shortest), int(min(longest, seconds))
                found.setdefault((seconds, interval), []).append(endpoint)
        return found
