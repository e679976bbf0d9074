"""What a connection's lane of the timeline shows, from its row of the flow table, its logs and its packets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analyzer.model.columns import Facts
from analyzer.model.flows import Flow
from analyzer.model.words import ProbeKind
from analyzer.report.charts.activity import Activity
from analyzer.report.charts.alike import Alike
from analyzer.report.charts.probes import UNANSWERED, Probes, probes_of
from analyzer.tables.arrays import Column
from analyzer.tables.fields import (
    EVENT_ENDPOINT,
    EVENT_KIND,
    EVENT_RESENT,
    EVENT_SINCE,
    EVENT_TIME,
    EVENT_ZERO_WINDOW,
    FIN_TIME,
    RESENT,
    RESENT_FIRST,
    RESENT_LAST,
    RESET_TIME,
    ZERO_SINCE,
)

MANY_RESENT = 2  # of one run: a single retransmission is ordinary


@dataclass(frozen=True)
class ShownLane:
    """One connection, times in nanoseconds."""

    flow: Flow
    severity: str  # of its verdict
    traffic: Column
    beats: Column  # heartbeats of its application, of either end
    probes: Probes
    window_probes: Probes
    fins: Sequence[int]
    resets: Sequence[int]
    resent: Sequence[tuple[int, int]]
    closed_window: Sequence[tuple[int, int]]
    unheard: Sequence[tuple[int, int]]  # from the first probe without a reply to when one came, or the end
    findings: Sequence[tuple[str, int]]  # the letter of a rule, and where its evidence begins
    alike: int = 1  # connections that would have the same lane

    @property
    def known_until(self) -> int | None:
        """When it ended; None when it is open."""
        return self.flow.ending.time


def make_lanes(
    facts: Facts,
    groups: Sequence[Alike],
    severity_of: Mapping[str, str],
    activity: Activity,
    beats: Activity,
    findings: dict[int, list[tuple[str, int]]],
) -> list[ShownLane]:
    """A lane for each of these groups, that of its first connection, in this order."""
    flows = [group.flow for group in groups]
    streams = np.array([flow.stream for flow in flows], np.int64)
    probes, window = probes_of(facts, streams), probes_of(facts, streams, ProbeKind.ZERO_WINDOW)
    fins, events = facts.tracks.endpoints(FIN_TIME), _events(facts, streams)
    return [
        ShownLane(
            flow=flow,
            unheard=unheard_of(probes.sent_by(flow.stream), flow.ending.time or facts.end),
            severity=severity_of[flow.verdict],
            traffic=activity.times(flow.stream),
            beats=beats.times(flow.stream),
            probes=probes.sent_by(flow.stream),
            window_probes=window.sent_by(flow.stream),
            fins=[time for time in fins[flow.stream].tolist() if time],
            resets=[time for time in (int(facts.tracks.flows[flow.stream, RESET_TIME]),) if time],
            resent=_runs(facts, events, flow.stream),
            closed_window=_closed(facts, events, flow.stream),
            findings=findings.get(flow.stream, []),
            alike=len(streams_alike),
        )
        for flow, streams_alike in groups
    ]


def _events(facts: Facts, streams: Column) -> Column:
    """The rows of the event log that belong to these connections."""
    events = facts.tracks.events
    return np.asarray(events[np.isin(events[:, EVENT_ENDPOINT] >> 1, streams)])


def _past(events: Column, stream: int, kind: int) -> list[tuple[int, int]]:
    mine = events[(events[:, EVENT_ENDPOINT] >> 1 == stream) & (events[:, EVENT_KIND] == kind)]
    return [(since, time) for since, time in mine[:, (EVENT_SINCE, EVENT_TIME)].tolist() if 0 < since < time]


def _runs(facts: Facts, events: Column, stream: int) -> list[tuple[int, int]]:
    """From when to when data was sent again and again."""
    columns = [
        facts.tracks.endpoints(field, slice(stream, stream + 1))[0] for field in (RESENT, RESENT_FIRST, RESENT_LAST)
    ]
    open_runs = [(int(first), int(last)) for count, first, last in zip(*columns, strict=True) if count >= MANY_RESENT]
    return _past(events, stream, EVENT_RESENT) + open_runs


def _closed(facts: Facts, events: Column, stream: int) -> list[tuple[int, int]]:
    """From when to when an end had no room."""
    since = facts.tracks.endpoints(ZERO_SINCE, slice(stream, stream + 1))[0]
    until = int(facts.ended[stream]) or facts.end
    return _past(events, stream, EVENT_ZERO_WINDOW) + [(int(one), until) for one in since if one]


def unheard_of(probes: Probes, end: int) -> list[tuple[int, int]]:
    """From when to when probers probed and got no reply: from the first such probe to a reply, or to the end."""
    found = []
    unanswered = probes.fate == UNANSWERED
    for prober in np.unique(probes.prober).tolist():
        mine = probes.prober == prober
        for since in np.unique(probes.since[mine & unanswered]).tolist():
            later = probes.since[mine & (probes.since > since)]
            first = int(probes.time[mine & (probes.since == since) & unanswered].min())
            answered = probes.time[mine & (probes.since == since) & ~unanswered & (probes.time > first)]
            until = answered.max() if len(answered) else later.min() if len(later) else end
            found.append((first, int(until)))
    return found
