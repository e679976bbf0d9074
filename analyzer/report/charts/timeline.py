"""The timeline: a lane per connection, grouped by service, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.model.words import Handshake
from analyzer.report.charts import probes, style
from analyzer.report.charts.axis import Span, time_axis
from analyzer.report.charts.lanes import Lane
from analyzer.report.charts.style import BLACK, BLUE, GREY, ORANGE, PALE, RED, SKY, Mark, plot_marks, write
from analyzer.tables.arrays import Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LANE_IN = 0.3  # inches from lane to lane
LABEL = 46  # characters
# Segments closer than this part of the axis are one bar.
MERGED = 1 / 300
NARROWEST = 1 / 500
MARKS_APART = 1 / 250
WORDS = {"high": BLACK, "medium": BLACK, "low": GREY, "info": GREY}
NOT_MADE = (Handshake.NO_ANSWER, Handshake.REFUSED)
UNHEARD, CLOSED = "asked, nothing heard", "window closed"


class Row(NamedTuple):
    """A row of the chart: the name of a service above its lanes, or a lane; one that is alone has it beside it."""

    service: str
    lane: Lane | None
    alone: bool = False


def rows_of(lanes: Sequence[Lane]) -> list[Row]:
    """The lanes under the names of their services: services, and lanes in each, in the order given."""
    order: dict[str, int] = {}
    for lane in lanes:
        order.setdefault(str(lane.flow.server), len(order))
    ordered = sorted(lanes, key=lambda lane: order[str(lane.flow.server)])
    found = []
    for service, group in groupby(ordered, key=lambda lane: str(lane.flow.server)):
        some = list(group)
        found += [Row(service, lane, len(some) == 1) for lane in some]
        if len(some) > 1:
            found.insert(-len(some), Row(service, None))
    return found


def height_of(lanes: Sequence[Lane]) -> float:
    """Inches that the lanes take."""
    return LANE_IN * (len(rows_of(lanes)) + 1)


def draw_timeline(axes: Axes, lanes: Sequence[Lane], span: Span, *, capture_end: int) -> None:
    """Who was alive, who asked, who did not answer, and when that was noticed; `lanes` worst first."""
    rows = rows_of(lanes)
    time_axis(axes, span)
    axes.set_ylim(len(rows) - 0.3, -0.8)
    axes.set_yticks([])
    style.bare(axes)
    axes.spines["left"].set_visible(False)
    for y, row in enumerate(rows):
        if row.lane is None or row.alone:
            axes.axhline(y - 0.5, color=PALE, linewidth=0.6, zorder=0)
            _outside(axes, 0, y - 0.2 if row.alone else y + 0.1, style.shortened(row.service, LABEL), fontweight="bold")
        if row.lane is not None:
            flow = row.lane.flow
            _outside(axes, 0, y + 0.2 * row.alone, f"#{flow.stream}  {style.shortened(str(flow.client), LABEL)}")
            _draw_lane(axes, y, row.lane, span, capture_end)
    if span.start <= capture_end <= span.end:
        style.end_of_capture(axes, span.x(capture_end))
    style.legend(axes)


def _outside(axes: Axes, side: float, y: float, text: str, **how: object) -> None:
    """Text beside the axes: 0 is left of them, 1 right."""
    place = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "annotation_clip": False}
    aligned = {"va": "center", "ha": "right" if side == 0 else "left", "fontsize": style.SMALL, "parse_math": False}
    axes.annotate(style.clean(text), (side, y), (-6 if side == 0 else 6, 0), **(place | aligned | how))  # type: ignore[arg-type]


def _draw_lane(axes: Axes, y: float, lane: Lane, span: Span, capture_end: int) -> None:
    flow = lane.flow
    weight = "bold" if lane.severity == "high" else "normal"
    _outside(axes, 1, y, flow.verdict, fontweight=weight, color=WORDS[lane.severity])
    end = capture_end if lane.known_until is None else max(lane.known_until, flow.end)
    axes.plot(span.x(np.array([flow.start, end])), [y, y], color=GREY, linewidth=1.0, zorder=2, label="open, idle")
    for since, until in lane.unheard:
        place = span.x(np.array([since, until]))
        axes.plot(place, [y, y], color=RED, linewidth=2.4, linestyle=(0, (2, 1)), zorder=2.5, label=UNHEARD)
    _bars(axes, y, 0.36, _merged(lane.traffic, span), span, facecolor=SKY, edgecolor=BLUE, label="traffic")
    _bars(axes, y, 0.5, lane.resent, span, facecolor="white", edgecolor=RED, hatch="/////", label="retransmissions")
    _bars(axes, y, 0.5, lane.closed_window, span, facecolor="none", edgecolor=ORANGE, hatch="\\\\\\\\", label=CLOSED)
    _begin(axes, y, lane, span)
    for mark, fate in (
        (style.ANSWERED, probes.ANSWERED),
        (style.UNANSWERED, probes.UNANSWERED),
        (style.RESET_BY, probes.RESET),
    ):
        _marks(axes, y, mark, lane.probes.time[lane.probes.fate == fate], span)
    _marks(axes, y, style.WINDOW_PROBE, lane.window_probes.time, span)
    _marks(axes, y, style.FIN, np.array(lane.fins, np.int64), span)
    _marks(axes, y, style.RST, np.array(lane.resets, np.int64), span)
    _flags(axes, y, lane, span)


def _begin(axes: Axes, y: float, lane: Lane, span: Span) -> None:
    """How it began, or that it had begun before the capture did."""
    x = span.x(np.array([lane.flow.start]))
    if lane.flow.handshake is Handshake.NOT_CAPTURED:
        plot_marks(axes, Mark("open before the capture began", "<", GREY, 5.0), x, [y])
    else:
        plot_marks(axes, style.NEVER_MADE if lane.flow.handshake in NOT_MADE else style.HANDSHAKE, x, [y])


def _marks(axes: Axes, y: float, mark: Mark, times: Column, span: Span) -> None:
    """Marks, each place once: a long connection has more probes than the axis has points."""
    times = times[(times >= span.start) & (times <= span.end)]
    x = span.x(times)
    if len(x) > 1:
        x = x[np.diff(np.round(x / span.length / MARKS_APART), prepend=-1) > 0]
    plot_marks(axes, mark, x, np.full(len(x), y))


def _flags(axes: Axes, y: float, lane: Lane, span: Span) -> None:
    """The findings, a flag with a letter each, side by side where they are of one moment."""
    room = 0.013 * span.length
    places = sorted((min(max(span.x(time), 0), span.length), letter) for letter, time in lane.findings)
    at = -room
    for place, letter in places:
        at = max(place, at + room)
        write(axes, at, y - 0.38, letter, ha="center", fontweight="bold", color="white", fontsize=6, zorder=8, bbox={
            "boxstyle": "round,pad=0.18", "facecolor": BLACK, "edgecolor": "white", "linewidth": 0.5,
        })  # fmt: skip


def _merged(times: Column, span: Span) -> list[tuple[int, int]]:
    """Runs of segments with no gap that could be seen between them."""
    if not len(times):
        return []
    cuts = np.flatnonzero(np.diff(times) > span.length * 1e9 * MERGED) + 1
    return [(int(run[0]), int(run[-1])) for run in np.split(times, cuts)]


def _bars(
    axes: Axes, y: float, height: float, runs: Sequence[tuple[int, int]], span: Span, *, label: str, **how: str
) -> None:
    """Bars from time to time, none too narrow to be seen."""
    least = NARROWEST * span.length
    bars = [(span.x(first), max(span.x(last) - span.x(first), least)) for first, last in runs]
    if bars:
        axes.broken_barh(bars, (y - height / 2, height), zorder=3, linewidth=0.5, label=label, **how)  # type: ignore[arg-type]
