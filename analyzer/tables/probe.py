"""What rows of the probe log say, in columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analyzer.tables.arrays import Column
from analyzer.tables.fields import (
    PROBE_WHO,
    PROBER_SHIFT,
)


def probers(log: Column) -> NDArray[np.int32]:
    """Who sent each row of the log: stream * 2 + side."""
    prober = np.empty(len(log), np.int32)
    np.right_shift(log[:, PROBE_WHO], PROBER_SHIFT, out=prober, casting="unsafe")
    return prober
