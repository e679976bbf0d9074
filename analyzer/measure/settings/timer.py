"""Settings as columns: what is likeliest, and bounds that hold the truth, by endpoint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from analyzer.model.flows import Estimate
from analyzer.tables.arrays import Column
from analyzer.tcp import SECOND

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Seconds = NDArray[np.float64]
else:
    Seconds = Any
# What a capture's clock, a busy machine and a jiffy may add or take away.
JITTER_S = 0.02
# Timer interrupts a second: Debian and Ubuntu have 250, or 1000 of late; small and old machines 100.
HZ = (100, 250, 1000)
SLOTS, LEVEL = 63, 8  # kernel/time/timer.c LVL_SIZE - 1, 1 << LVL_CLK_SHIFT


class Setting(NamedTuple):
    """A setting by endpoint (stream * 2 + side): nan where it is not known."""

    value: Seconds
    low: Seconds
    high: Seconds
    samples: Column

    def estimate(self, endpoint: int) -> Estimate | None:
        """That of one endpoint."""
        low, high = _known(self.low[endpoint]), _known(self.high[endpoint])
        if low is None and high is None:
            return None
        return Estimate(_known(self.value[endpoint]), low, high, int(self.samples[endpoint]))


def _known(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(float(seconds), 3)


def to_seconds(nanoseconds: Column) -> Seconds:
    """Times in nanoseconds as seconds, in their shape."""
    return np.asarray(nanoseconds / SECOND)


def slot(seconds: Seconds, *, worst: bool = False, hz: int = HZ[0]) -> Seconds:
    """How late a timer of so many seconds may fire: one slot of the wheel's level that it is in."""
    if worst:
        slots = slot(seconds, hz=HZ[0])
        for rate in HZ[1:]:
            slots = np.maximum(slots, slot(seconds, hz=rate))
        return slots
    with np.errstate(invalid="ignore", divide="ignore"):
        level = np.ceil(np.log(np.maximum(seconds * hz / SLOTS, 1e-9)) / np.log(LEVEL))
    return np.asarray(LEVEL ** np.clip(level, 0, 8) / hz)
