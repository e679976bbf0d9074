"""The timeline of an analysis: lanes, findings told below them, and an overview where connections are very many."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np

from analyzer.model.findings import SEVERITIES, URGENT, Finding
from analyzer.report.charts import lanes, notes, overview, style
from analyzer.report.charts import timeline as lane_chart
from analyzer.report.charts.axis import Span
from analyzer.report.charts.gather import activity_of, empty_figure, named, span_of

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.report.charts.style import Axes, Figure

AXIS_IN = 0.95  # tick labels, axis label and legend of one chart
TITLE_IN = 0.5


def timeline(analysis: Analysis, streams: list[int], limit: int, utc: bool) -> Figure:
    """See Charts.timeline."""
    if not streams:
        return empty_figure()
    span = span_of(analysis.facts, streams, utc)
    many = len(streams) > limit
    ordered = analysis.worst_first(streams)
    listed = [s for s in ordered if not many or analysis.severities[analysis.verdicts[s]] in URGENT]
    listed = listed[:limit]
    services = _services(analysis, ordered) if many else []
    flags = [one for one in analysis.findings if one.stream is not None and one.stream in set(listed)]
    letters = _letters(flags)
    shown = _lanes(analysis, listed, span, flags, letters)
    told = [(letter, _heading(rule, flags)) for rule, letter in letters.items()]
    heights = [
        *([overview.height_of(services) + AXIS_IN] if many else []),
        *([lane_chart.height_of(shown) + AXIS_IN] if shown else []),
        *([notes.height_of(told)] if told else []),
    ]
    figure = style.new_figure(sum(heights) + TITLE_IN)
    parts = list(figure.subplots(len(heights), squeeze=False, height_ratios=heights)[:, 0])
    _draw(parts, analysis, services, shown, told, span)
    return figure


def _draw(
    parts: list[Axes],
    analysis: Analysis,
    services: list[overview.Service],
    shown: list[lanes.Lane],
    told: list[tuple[str, str]],
    span: Span,
) -> None:
    facts, name = analysis.facts, named(analysis)
    if services:
        axes = parts.pop(0)
        overview.draw_overview(axes, facts, services, span)
        count = sum(len(service.streams) for service in services)
        more = len(services) - overview.SERVICES
        note = f"; the worst {overview.SERVICES} of {len(services)} services" if more > 0 else ""
        style.title(axes, f"{count} connections of {name}", f"how many were open at each time{note}")
    if shown:
        axes = parts.pop(0)
        lane_chart.draw_timeline(axes, shown, span, capture_end=facts.end)
        plural = "s" * (len(shown) > 1)
        style.title(axes, f"The {len(shown)} worst" if services else f"{len(shown)} connection{plural} of {name}")
    if told:
        notes.draw_notes(parts.pop(0), told)


def _lanes(
    analysis: Analysis, streams: list[int], span: Span, flags: Sequence[Finding], letters: dict[str, str]
) -> list[lanes.Lane]:
    first_frames = {id(one): one.evidence.frames[0] for one in flags if one.evidence.frames}
    activity = activity_of(analysis, streams, span, list(first_frames.values()), answers=True)
    flows = list(analysis.flows_of(streams))
    starts = {flow.stream: flow.start for flow in flows}
    placed: dict[int, list[tuple[str, int]]] = {}
    for one in flags:
        assert one.stream is not None
        time = activity.times_of.get(first_frames.get(id(one), 0), starts[one.stream])
        placed.setdefault(one.stream, []).append((letters[one.rule], time))
    return lanes.make_lanes(analysis.facts, flows, analysis.severities, activity, placed)


def _letters(flags: Sequence[Finding]) -> dict[str, str]:
    """A letter for each rule, the most severe first."""
    worst: dict[str, int] = {}
    for one in flags:
        worst[one.rule] = max(worst.get(one.rule, 0), SEVERITIES.index(one.severity))
    ordered = sorted(worst, key=lambda rule: -worst[rule])
    return dict(zip(ordered, [*ascii_uppercase, *(f"A{letter}" for letter in ascii_uppercase)], strict=False))


def _heading(rule: str, flags: Sequence[Finding]) -> str:
    """What a letter means: the rule, and what was found of the first connection."""
    mine = [one for one in flags if one.rule == rule]
    more = f", and of {len(mine) - 1} more" if len(mine) > 1 else ""
    return f"{mine[0].severity.upper()} {rule} (stream {mine[0].stream}{more}): {mine[0].summary}."


def _services(analysis: Analysis, ordered: list[int]) -> list[overview.Service]:
    """The services of these connections, those with the worst first."""
    rank = {stream: place for place, stream in enumerate(ordered)}
    found = []
    for group in analysis.context.by_service(np.sort(np.array(ordered, np.int64))):
        mine = group.tolist()
        counts = analysis.verdict_counts(mine)
        bad = [s for s in mine if analysis.severities[analysis.verdicts[s]] == "high"]
        name = str(analysis.flow(mine[0]).server)
        found.append(
            (min(rank[stream] for stream in mine), overview.Service(name, group, counts, np.array(bad, np.int64)))
        )
    return [service for _, service in sorted(found, key=lambda pair: pair[0])]
