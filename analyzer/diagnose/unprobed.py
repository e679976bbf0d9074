"""How long a connection may be silent without a keepalive probe before that says something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyzer.diagnose.groups import service_and_path_keys
from analyzer.model.columns import Facts
from analyzer.model.flows import Flow
from analyzer.tables.arrays import Column, Mask, are_among, distinct
from analyzer.tables.fields import END_TIME
from analyzer.tcp import LATE_PART, SECOND

if TYPE_CHECKING:
    from analyzer.diagnose.context import Context

# The longest idle time that a program, runtime or server has by default (Redis, MongoDB, Elasticsearch:
# `keepalive profiles`), but for those that leave it at the system's two hours; and how late its timer may be.
USUAL_NS = 300 * SECOND + 300 * SECOND // LATE_PART
CLEARLY_LONGER = 1.5


def silences(facts: Facts, streams: Column) -> Column:
    """How long each of these was silent at the end, as far as somebody listened."""
    return facts.listened(facts.tracks.flows[streams, END_TIME])


def overdue(context: Context, streams: Column) -> Mask:
    """Which of these have been silent for longer than any usual keepalive is.

    Where another connection of the same client to the same service shows its idle time, that is what is usual there.
    Where the kernel of an end says that keepalive is off, no probe is waited for.
    """
    limits = np.full(len(streams), USUAL_NS)
    facts, asked = context.facts, context.facts.probes.sum(axis=1)
    probed = np.flatnonzero(asked)
    if len(streams) and len(probed):
        probed = probed[np.argsort(-asked[probed], kind="stable")]  # those that show most first
        keys, of_probed = service_and_path_keys(facts, streams), service_and_path_keys(facts, probed)
        order = np.argsort(of_probed, kind="stable")
        beside = are_among(keys, of_probed)
        first = order[np.searchsorted(of_probed[order], keys[beside])]  # which of the probed shows most there
        shown = distinct(first)
        usual = [_limit(_idle_time(flow)) for flow in context.flows(probed[shown].tolist())]
        limits[beside] = np.array(usual, np.int64)[np.searchsorted(shown, first)]
    return np.asarray((silences(facts, streams) > limits) | facts.keepalive_off[streams])


def _limit(idle: float | None) -> int:
    """What is clearly longer than this idle time, in nanoseconds."""
    return USUAL_NS if idle is None else round(idle * SECOND * CLEARLY_LONGER)


def _idle_time(flow: Flow) -> float | None:
    """The idle time of a connection's keepalive, in seconds, at most; None where that is not known."""
    times = [entry.tcp_keepalive_time for entry in flow.keepalive]
    highs = [one.high if one.value is None else one.value for one in times if one is not None]
    return max((high for high in highs if high is not None), default=None)
