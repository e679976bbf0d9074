"""The keepalive timers of this host's sockets as their kernel counts them down, and what happened when they fired."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analyzer.model.sockets import Course, Sample, Timer
from analyzer.report.charts import style
from analyzer.report.charts.axis import Span, time_axis
from analyzer.report.charts.style import BLUE, GREEN, GREY, RED, Mark, plot_marks
from analyzer.tcp import SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analyzer.report.charts.style import Figure

LANE_IN, LEAST_IN = 1.7, 1.1
MOST_LANES = 8
# By what Firing.answered is.
MARKS = (
    (Mark("probe, answered", "o", GREEN, 6.0, filled=True), True),
    (Mark("probe, no reply yet", "X", RED, 7.5, filled=True), False),
    (Mark("fired, traffic since: armed for the rest", "|", GREY, 8.0), None),
)
OTHERS = {
    Timer.RETRANSMIT: "data waits for its acknowledgement",
    Timer.PERSIST: "the peer's window is closed",
    Timer.NONE: "no timer",
}


def saw_tooth(courses: Sequence[Course], utc: bool) -> Figure:
    """A lane for each socket: seconds that its timer has left, over the time of day; at most MOST_LANES of them."""
    shown = list(courses[:MOST_LANES])
    with style.styled():
        figure = style.new_figure(LEAST_IN + LANE_IN * max(len(shown), 1))
        lanes = figure.subplots(max(len(shown), 1), 1, sharex=True, squeeze=False)[:, 0]
        times = [one.time for course in shown for one in course.samples] or [0.0]
        span = Span(round(min(times) * SECOND), round(max(times) * SECOND), utc)
        for axes, course in zip(lanes, shown, strict=False):
            _lane(axes, course, span)
        more = f", {len(courses) - len(shown)} more not shown" if len(courses) > len(shown) else ""
        first = lanes[0]
        below = f"{len(shown)} socket{'s' * (len(shown) != 1)}{more}; the kernel's own count, as ss -o shows it"
        style.title(first, "Keepalive timers counting down", below)
        time_axis(lanes[-1], span)
        happened = {firing.answered for course in shown for firing in course.firings}
        for mark, answered in MARKS:  # in the legend, whichever lane they are in
            plot_marks(lanes[-1], mark, [math.nan] * (answered in happened), [math.nan] * (answered in happened))
        style.legend(lanes[-1], columns=4)
    return figure


def _lane(axes: Axes, course: Course, span: Span) -> None:
    x = [(one.time * SECOND - span.start) / SECOND for one in course.samples]
    style.bare(axes)
    axes.plot(x, [_left(one) for one in course.samples], color=BLUE, linewidth=1.2, zorder=3)
    top = max((one.left or 0 for one in course.samples if one.timer is Timer.KEEPALIVE), default=0.0) or 1.0
    axes.set_ylim(0, top * 1.12)
    axes.set_ylabel("seconds left", fontsize=style.SMALL)
    _others(axes, course.samples, x)
    for mark, answered in MARKS:
        at = [firing.time - span.start / SECOND for firing in course.firings if firing.answered is answered]
        plot_marks(axes, mark, at, [0.0] * len(at))
    owner = f", {course.socket.owners[0]}" if course.socket.owners else ""
    where = f"{course.socket.netns}: " if course.socket.netns else ""
    words = f"{where}{course.socket.local} to {course.socket.peer}{owner}"
    style.write(axes, 1.0, 1.0, words, transform=axes.transAxes, va="bottom", ha="right")


def _left(one: Sample) -> float:
    """Nothing where another timer runs, or none."""
    return one.left if one.timer is Timer.KEEPALIVE and one.left is not None else math.nan


def _others(axes: Axes, samples: Sequence[Sample], x: Sequence[float]) -> None:
    """A grey field wherever another timer runs, or none, and which."""
    start = 0
    for place in range(1, len(samples) + 1):
        if place < len(samples) and samples[place].timer is samples[start].timer:
            continue
        if samples[start].timer in OTHERS:
            axes.axvspan(x[start], x[place - 1], facecolor=style.PALE, alpha=0.5, zorder=0)
            if x[place - 1] - x[start] > 0.1 * (x[-1] - x[0]):
                middle = (x[start] + x[place - 1]) / 2
                style.write(axes, middle, axes.get_ylim()[1] / 2, OTHERS[samples[start].timer], ha="center")
        start = place
