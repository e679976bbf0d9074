"""The timeline of very many connections: of each service how many were open, and how many of those in trouble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyzer.model.columns import Facts
from analyzer.report.charts import probes, style
from analyzer.report.charts.axis import Numbers, Span, time_axis
from analyzer.report.charts.style import BLACK, GREY, ORANGE, PALE, plot_marks, write
from analyzer.tables.arrays import Column
from analyzer.tables.fields import FIRST_TIME

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SERVICES = 20
ROW_IN = 0.5
POINTS = 200
FULL = 0.8  # of a row's height
TICKS = 1 / 200


@dataclass(frozen=True)
class Service:
    """The connections of one server's address and port."""

    name: str
    streams: Column
    counts: dict[str, int]  # by verdict, the most urgent first
    troubled: Column  # those of the streams whose verdict is urgent


def height_of(services: Sequence[Service]) -> float:
    """Inches that the rows take."""
    return ROW_IN * len(services) + 0.3


def draw_overview(axes: Axes, facts: Facts, services: Sequence[Service], span: Span) -> None:
    """Connections open at each time, by service, the worst first; hatched are those that ended, or will end, badly."""
    time_axis(axes, span)
    axes.set_ylim(len(services) - 0.8, -1.0)
    axes.set_yticks([])
    style.bare(axes)
    axes.spines["left"].set_visible(False)
    for y, service in enumerate(services):
        _draw_service(axes, y, facts, service, span)
    style.legend(axes)


def _draw_service(axes: Axes, y: int, facts: Facts, service: Service, span: Span) -> None:
    x = np.linspace(0, span.length, POINTS)
    every, bad = (_open_at(facts, some, span, x) for some in (service.streams, service.troubled))
    scale = FULL / max(every.max(), 1)
    axes.fill_between(x, y, y - every * scale, step="post", facecolor=PALE, edgecolor=GREY, linewidth=0.6, label="open")
    if bad.any():
        axes.fill_between(
            x, y, y - bad * scale, step="post", facecolor=ORANGE, edgecolor=BLACK, hatch="/////", linewidth=0.6,
            label="of these, a problem now or later",
        )  # fmt: skip
    lost = probes.probes_of(facts, service.streams)
    times = np.sort(span.x(lost.time[lost.fate == probes.UNANSWERED]))
    times = times[np.diff(np.round(times / span.length / TICKS), prepend=-1) > 0]
    plot_marks(axes, style.UNANSWERED._replace(size=3.5), times, np.full(len(times), y + 0.03))
    _name(axes, y, service, int(every.max()))


def _name(axes: Axes, y: int, service: Service, most: int) -> None:
    count = len(service.streams)
    place = {"transform": axes.get_yaxis_transform(), "clip_on": False}
    write(axes, -0.008, y - 0.5, style.shortened(service.name, 46), ha="right", fontweight="bold", **place)
    connections = "1 connection" if count == 1 else f"{count} connections, at most {most} at once"
    write(axes, -0.008, y - 0.18, connections, ha="right", color=GREY, **place)
    words = [f"{number} {word}" for word, number in service.counts.items() if number][:3]
    more = sum(1 for number in service.counts.values() if number) - len(words)
    words += [f"… {more} more"] if more > 0 else []
    for line, text in enumerate(words):
        write(axes, 1.008, y - 0.72 + 0.24 * line, text, ha="left", **(place | {"fontsize": 6.0}))


def _open_at(facts: Facts, streams: Column, span: Span, x: Numbers) -> Column:
    """How many of these connections were open at each place."""
    begun = np.sort(span.x(facts.tracks.flows[streams, FIRST_TIME]))
    over = facts.ended[streams]
    ended = np.sort(span.x(over[over > 0]))
    return np.searchsorted(begun, x, side="right") - np.searchsorted(ended, x, side="left")
