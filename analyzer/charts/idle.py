"""The idle timers of one connection: of each end that probed, or of both where none did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyzer.model.columns import SIDES, Flow, Keepalive
from analyzer.report.charts import style
from analyzer.report.charts.gather import activity_of, empty_figure, most_telling, named, span_of
from analyzer.report.charts.idle import draw_idle
from analyzer.report.charts.probes import probes_of
from analyzer.report.charts.saw import Saw, counted_down

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.report.charts.style import Figure

HEIGHT_IN = 4.2
# Around it: labels of the height, names of its levels, the title, labels of time and the legend.
MARGINS = style.Margins(left=0.8, right=2.6, top=0.55, bottom=1.0, between=0.6)


def idle(analysis: Analysis, streams: list[int], countdown: bool, utc: bool) -> Figure:
    """See Charts.idle."""
    if not streams:
        return empty_figure()
    stream = most_telling(analysis, streams)
    saws = _saws(analysis, analysis.flow(stream), utc)
    span = span_of(analysis.facts, [stream], utc)
    figure = style.new_figure(HEIGHT_IN * len(saws), margins=MARGINS)
    for axes, saw in zip(figure.subplots(len(saws), squeeze=False)[:, 0], saws, strict=True):
        draw_idle(axes, saw, span, countdown=countdown)
        flow, other = saw.flow, (len(streams) - 1)
        who, end = SIDES[saw.side], (flow.client, flow.server)[saw.side]
        chosen = f", the worst of {other + 1}" if other else ""
        below = f"stream {stream} of {named(analysis)}{chosen}: {flow.client} to {flow.server}, {flow.verdict}"
        if not len(saw.probes.time):
            below += "; it sent no probe"
        elif countdown and counted_down(saw) is None:
            below += "; counted up: tcp_keepalive_time is not known"
        style.title(axes, f"Idle timer of the {who}, {end}", below)
    return figure


def _saws(analysis: Analysis, flow: Flow, utc: bool) -> list[Saw]:
    """One of each end that probed."""
    facts, stream = analysis.facts, flow.stream
    span = span_of(facts, [stream], utc)
    activity = activity_of(analysis, [stream], span, answers=False)
    probes = probes_of(facts, np.array([stream]))
    entries: dict[str, Keepalive] = {entry.sender: entry for entry in flow.keepalive}
    sides = [side for side in range(2) if SIDES[side] in entries] or [0]
    found = []
    for side in sides:
        entry = entries.get(SIDES[side])
        found.append(
            Saw(
                flow=flow,
                side=side,
                received=activity.times(stream, 1 - side),
                sent=activity.times(stream, side),
                probes=probes.sent_by(stream, side),
                end=flow.ending.time or facts.end,
                tcp_keepalive_time=entry.tcp_keepalive_time if entry else None,
                tcp_keepalive_intvl=entry.tcp_keepalive_intvl if entry else None,
                tcp_keepalive_probes=entry.tcp_keepalive_probes if entry else None,
            )
        )
    return found
