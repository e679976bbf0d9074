"""The ladder of one connection: which frames decide, and what is said of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analyzer.report.charts import style
from analyzer.report.charts.gather import empty_figure, most_telling, named
from analyzer.report.charts.rungs import PLAIN, Remark, Rungs, kind_of, remark_text, rows_of, rungs_of, words_of
from analyzer.report.charts.segments import Segment
from analyzer.report.charts.style import BLACK, BLUE, GREEN, GREY, ORANGE, RED, write
from analyzer.report.times import clock, clock_with_fraction
from analyzer.tcp import SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analyzer.report.analysed import Analysed
    from analyzer.report.charts.style import Figure

TITLE_IN = 0.6
MARGINS = style.Margins(left=0.1, right=0.1, top=TITLE_IN - 0.1, bottom=0.1)
ROW_IN = 0.3
CLIENT_X, SERVER_X = 0.25, 0.7
HEAD = 0.003  # of the width, from the middle of an arrow's head to its tip
MOST_REMARK, MOST_CLOSING = 56, 185  # characters that there is room for
LOST_AT = 0.8  # of the way
# Colour, line and width of each kind's arrow.
ARROWS = {
    "": (BLACK, "-", 1.0),
    "probe": (BLUE, (0, (5, 2)), 1.3),
    "lost": (RED, (0, (5, 2)), 1.3),
    "answer": (GREEN, "-", 1.3),
    "end": (BLACK, "-", 2.4),
    "icmp": (ORANGE, (0, (1, 1)), 1.6),
}


def ladder(analysis: Analysed, streams: list[int], utc: bool) -> Figure:
    """See Charts.ladder; raises UsageError where the packets cannot be read a second time."""
    if not streams:
        return empty_figure()
    stream = most_telling(analysis, streams)
    rungs = rungs_of(analysis, stream)
    figure = style.new_figure(height_of(rungs.segments, len(rungs.closing)) + TITLE_IN, margins=MARGINS)
    axes = figure.subplots()
    draw_ladder(axes, rungs, frame_text=analysis.frame_text, utc=utc)
    chosen = f", the worst of {len(streams)}" if len(streams) > 1 else ""
    below = f"{len(rungs.segments)} of {rungs.total} segments; not to scale; seq and ack relative to the first"
    style.title(axes, f"Stream {stream} of {named(analysis)}{chosen}: {rungs.flow.verdict}", below)
    return figure


def height_of(segments: Sequence[Segment], notes: int) -> float:
    """Inches that the diagram takes."""
    return ROW_IN * (len(rows_of(segments)) + 2.5 + notes)


def draw_ladder(axes: Axes, rungs: Rungs, *, frame_text: Callable[[int], str], utc: bool = False) -> None:
    """Who sent what when, from top to bottom, not to scale."""
    flow, segments, remarks, closing = rungs.flow, rungs.segments, rungs.remarks, rungs.closing
    rows = rows_of(segments)
    bottom = len(rows) + 0.2
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom + len(closing), -1.6)
    for x, name, endpoint in ((CLIENT_X, "client", flow.client), (SERVER_X, "server", flow.server)):
        write(axes, x, -0.95, f"{name}\n".strip(), ha="center", fontweight="bold")
        write(axes, x, -0.45, style.shortened(str(endpoint), 48), ha="center")
        axes.plot([x, x], [-0.1, bottom], color=GREY, linewidth=1.0, zorder=1)
    first = segments[0].time if segments else 0
    day = clock(first, utc, "%Y-%m-%d")
    write(axes, 0.0, -0.45, f"frame   {day}", ha="left", color=GREY)
    for y, row in enumerate(rows, start=1):
        if row.segment is None:
            _draw_words(axes, y - 0.4, row.text)
            continue
        segment = row.segment
        when = f"{clock_with_fraction(segment.time, utc)}  +{(segment.time - first) / SECOND:.6f} s"
        write(axes, 0.0, y - 0.35, frame_text(segment.frame), ha="left", fontweight="bold")
        write(axes, 0.045, y - 0.35, when, ha="left", color=GREY)
        _draw_arrow(axes, y - 0.35, segment, remarks.get(segment.frame, PLAIN))
    for place, text in enumerate(closing):
        told = style.shortened(text, MOST_CLOSING)
        write(axes, 0.0, bottom + 0.4 + place * 0.75, told, ha="left", fontweight="normal" if place else "bold")


def _draw_words(axes: Axes, y: float, text: str) -> None:
    """Words between the lifelines, which are broken there."""
    for x in (CLIENT_X, SERVER_X):
        axes.plot([x, x], [y - 0.3, y + 0.3], color="white", linewidth=3, linestyle=(0, (1, 1)), zorder=2)
    write(axes, (CLIENT_X + SERVER_X) / 2, y, text, ha="center", color=GREY, style="italic")


def _draw_arrow(axes: Axes, y: float, segment: Segment, remark: Remark) -> None:
    kind = kind_of(segment, remark)
    colour, line, width = ARROWS[kind]
    start, end = (CLIENT_X, SERVER_X) if segment.side == 0 else (SERVER_X, CLIENT_X)
    if segment.icmp:  # what a router sends back to whoever sent the quoted segment
        start, end = (CLIENT_X + SERVER_X) / 2, start
    lost = kind == "lost"
    tip = start + (end - start) * LOST_AT if lost else end
    # Lines with a mark for a head: each arrow of matplotlib's own is cut to its ends anew whenever it is drawn.
    axes.plot([start, tip], [y, y], color=colour, linestyle=line, linewidth=width, zorder=3, clip_on=False)
    if not lost:
        head, inside = (">", -HEAD) if end > start else ("<", HEAD)
        axes.plot([tip + inside], [y], color=colour, marker=head, markersize=5 + width, zorder=3, clip_on=False)
    if lost:
        style.plot_marks(axes, style.UNANSWERED._replace(size=8), [tip], [y])
    background = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
    write(
        axes,
        (CLIENT_X + SERVER_X) / 2,
        y - 0.27,
        words_of(segment),
        ha="center",
        fontsize=6.5,
        zorder=4,
        bbox=background,
    )
    text = style.shortened(remark_text(segment, remark), MOST_REMARK)
    write(axes, SERVER_X + 0.02, y, text, ha="left", fontweight="bold" if kind in ("lost", "end") else "normal")
