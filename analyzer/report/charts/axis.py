"""Time axes, for two seconds as well as for two days: times of day in a zone that is named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from analyzer.model.quantities import duration
from analyzer.report.charts.style import SMALL, clean
from analyzer.report.times import clock, zone
from analyzer.tcp import SECOND

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
else:
    Numbers = Any

MINUTE, HOUR, DAY = 60, 3600, 86_400
# Seconds from one tick to the next that a reader can count in.
STEPS = (
    *(digit * 10**power for power in (-6, -5, -4, -3, -2, -1) for digit in (1, 2, 5)),
    *(1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE),
    *(HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY),
    *(years * 365 * DAY for years in (1, 2, 5, 10, 20, 50, 100)),
)
MOST_TICKS, MOST_FRACTIONS = 10, 6  # labels with fractions of seconds are longer
SHORTEST_S = 1e-3  # of an axis: one packet has no duration


class Span(NamedTuple):
    """From when to when an axis goes, in nanoseconds, and in whose time it is labelled; x counts seconds."""

    start: int
    end: int
    utc: bool = False

    def x(self, times: Any) -> Any:
        """Where a time, or an array of times, lies: exact to the nanosecond within a day."""
        return (times - self.start) / SECOND

    @property
    def length(self) -> float:
        """Seconds, at least those of an axis."""
        return max((self.end - self.start) / SECOND, SHORTEST_S)


def step_of(length: float) -> float:
    """Seconds from tick to tick on an axis of this length."""
    fits = (step for step in STEPS if length / step <= (MOST_FRACTIONS if step < 1 else MOST_TICKS))
    return next(fits, STEPS[-1])


def ticks(span: Span) -> list[tuple[float, str]]:
    """Where the ticks are, and what they say; the date is said where it begins."""
    step = step_of(span.length)
    offset = _offset(span.start, span.utc)
    step_ns = round(step * SECOND)
    first = -(-(span.start + offset) // step_ns) * step_ns - offset
    found = []
    day = ""
    for time in range(first, span.start + round(span.length * SECOND) + 1, step_ns):
        today = clock(time, span.utc, "%Y-%m-%d")
        if step >= DAY:
            label = today
        else:
            label = _time_of_day(time, step, span.utc) + (f"\n{today}" if today != day else "")
        found.append((span.x(time), label))
        day = today
    return found


def _time_of_day(time: int, step: float, utc: bool) -> str:
    if step >= MINUTE:
        return clock(time, utc, "%H:%M")
    whole = clock(time, utc, "%H:%M:%S")
    if step >= 1:
        return whole
    digits = next(digits for digits in range(1, 10) if round(step * 10**digits, 6) >= 1)
    return f"{whole}.{time % SECOND:09}"[: len(whole) + 1 + digits]


def _offset(time: int, utc: bool) -> int:
    """How far the zone's clocks were ahead of UTC then."""
    if utc:
        return 0
    ahead = datetime.fromtimestamp(time // SECOND, UTC).astimezone().utcoffset()
    return round(ahead.total_seconds()) * SECOND if ahead is not None else 0


def zone_of(span: Span) -> str:
    """The zone's name; both names where clocks were changed meanwhile."""
    return "/".join(dict.fromkeys((zone(span.start, span.utc), zone(span.end, span.utc))))


def time_axis(axes: Axes, span: Span) -> None:
    """Make x the time of day; a little room is left at both ends."""
    axes.set_xlim(-0.01 * span.length, 1.01 * span.length)
    marks = ticks(span)
    axes.set_xticks([x for x, _ in marks], [label for _, label in marks])
    axes.set_xlabel(clean(f"time of day, {zone_of(span)}"), fontsize=SMALL, parse_math=False, loc="right")
    axes.tick_params(axis="x", labelsize=SMALL)
    axes.grid(axis="x", color="#ececec", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)


def seconds_axis(axes: Axes, top: float) -> None:
    """Make y a time that passes, from 0 to `top` seconds, in units that suit."""
    step = step_of(top)
    places = [place * step for place in range(int(top / step) + 1)]
    axes.set_ylim(0, top)
    axes.set_yticks(places, [_span_of_time(place, step) for place in places])


def _span_of_time(seconds: float, step: float) -> str:
    if not seconds:
        return "0"
    if step >= 1:
        return duration(round(seconds) * SECOND).replace(".0 s", " s")
    return f"{seconds:.6g} s"
