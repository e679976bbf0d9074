"""How long probers had waited: the first probe of each silence, in columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.model.columns import Facts
from analyzer.model.words import ProbeKind
from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import NEVER, PROBE_BEFORE, PROBE_FRAME, PROBE_SINCE, PROBE_TIME


class Waits(NamedTuple):
    """First probes of silences: by whom (stream * 2 + side), after how long (nanoseconds), in which frame, when."""

    endpoints: Column
    waited: Column
    frames: Column
    times: Column

    def chosen(self, which: Mask) -> Waits:
        """Some of them."""
        return Waits(*[column[which] for column in self])


def first_probes(facts: Facts) -> Waits:
    """The rows of the log that are keepalive probes and follow no other in their silence."""
    log = facts.tracks.probes
    since, before = log[:, PROBE_SINCE].copy(), log[:, PROBE_BEFORE]
    first = (before == 0) | (since[before - 1] != since)
    rows = np.flatnonzero(first & (facts.probe_kind == ProbeKind.KEEPALIVE) & (since != NEVER))
    times = log[rows, PROBE_TIME]
    return Waits(facts.prober[rows].astype(np.int64), times - since[rows], log[rows, PROBE_FRAME], times)
