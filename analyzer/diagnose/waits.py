"""How long probers had waited: the first probe of each silence, in columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analyzer.model.columns import Facts
from analyzer.model.words import ProbeKind
from analyzer.tables.arrays import Column, Mask, Short
from analyzer.tables.fields import NEVER, PROBE_BEFORE, PROBE_SINCE, PROBE_TIME
from analyzer.tcp import SECOND

OFTEN_NS = 2_200_000_000  # two seconds, late by as much as a timer may be
# net.ipv4.tcp_keepalive_time 7200 (RFC 1122 4.2.3.6), and how late its timer may be at 100 ticks a second.
DEFAULT_NS = 7_200 * SECOND
LATENESS_NS = 328 * SECOND
# A row of the log is a cache line: so many are asked for all their columns before the next.
ROWS_AT_A_TIME = 1 << 14


class Waits(NamedTuple):
    """First probes of silences: by whom (stream * 2 + side), after how long (nanoseconds), in which row of the log."""

    endpoints: Short
    waited: Column
    rows: Column

    def chosen(self, which: Mask) -> Waits:
        """Some of them."""
        return Waits(self.endpoints[which], self.waited[which], self.rows[which])


class TellingWaits(NamedTuple):
    """Those that say something by themselves: of probers that never waited longer than OFTEN_NS; of two hours."""

    often: Waits
    default: Waits


def telling_waits(facts: Facts) -> TellingWaits:
    """Find them. Nearly each row of a log is a first probe: all at once would take as much memory as the log."""
    patient = np.zeros(2 * len(facts), bool)
    often, default = [], []
    for waits in _first_probes(facts):
        quick = waits.waited <= OFTEN_NS
        patient[waits.endpoints[~quick]] = True
        often.append(waits.chosen(quick))
        default.append(waits.chosen((waits.waited >= DEFAULT_NS - SECOND) & (waits.waited <= DEFAULT_NS + LATENESS_NS)))
    quick_ones = _joined(often)
    return TellingWaits(quick_ones.chosen(~patient[quick_ones.endpoints]), _joined(default))


def _first_probes(facts: Facts) -> Iterator[Waits]:
    """The keepalive probes that follow no other in their silence, of some thousand rows of the log at a time."""
    log = facts.tracks.probes
    since_of_all = log[:, PROBE_SINCE].copy()
    for start in range(0, max(len(log), 1), ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        since, before = since_of_all[part], log[part, PROBE_BEFORE]
        first = (before == 0) | (since_of_all[before - 1] != since)
        rows = np.flatnonzero(first & (facts.probe_kind[part] == ProbeKind.KEEPALIVE) & (since != NEVER))
        yield Waits(facts.prober[part][rows], log[part][rows, PROBE_TIME] - since[rows], rows + start)


def _joined(parts: list[Waits]) -> Waits:
    endpoints, waited, rows = zip(*parts, strict=True)
    return Waits(np.concatenate(endpoints), np.concatenate(waited), np.concatenate(rows))
