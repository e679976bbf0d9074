"""Who sent the rows of the probe log: above PROBER_SHIFT a row's number holds stream * 2 + side."""

from __future__ import annotations

import numpy as np

from analyzer.tables.arrays import Column, Short
from analyzer.tables.fields import PROBE_WHO, PROBER_SHIFT


def probers(log: Column, rows: Column | slice = slice(None)) -> Short:
    """Who sent each row of the log, or each of these rows: stream * 2 + side."""
    who = log[rows, PROBE_WHO]
    prober = np.empty(len(who), np.int32)
    np.right_shift(who, PROBER_SHIFT, out=prober, casting="unsafe")
    return prober


def move_to(log: Column, streams: Column) -> None:
    """Write the stream of each row anew."""
    log[:, PROBE_WHO] += (2 * (streams - (probers(log) >> 1))) << PROBER_SHIFT


def swap_sides(log: Column, rows: Column) -> None:
    """Have these rows be sent by the other side."""
    log[rows, PROBE_WHO] ^= 1 << PROBER_SHIFT
