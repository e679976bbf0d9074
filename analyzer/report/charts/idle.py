"""The idle timers of one connection: of each end that probed, or of both where none did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.knowledge.matching import middleboxes
from analyzer.model.flows import SIDES, Estimate, Flow, Keepalive
from analyzer.report.charts import probes, style
from analyzer.report.charts.axis import Span, seconds_axis, time_axis
from analyzer.report.charts.gather import activity_of, empty_figure, most_telling, named, span_of
from analyzer.report.charts.probes import probes_of
from analyzer.report.charts.saw import Line, Saw, counted_down, counted_up, height_at
from analyzer.report.charts.style import BLACK, BLUE, BROWN, GREY, SKY, plot_marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analyzer.report.analysed import Analysed
    from analyzer.report.charts.style import Figure

HEIGHT_IN = 4.2
# Around it: labels of the height, names of its levels, the title, labels of time and the legend.
MARGINS = style.Margins(left=1.1, right=2.6, top=0.55, bottom=1.0, between=0.6)
MOST_DEADLINES = 10
DUE = ":"
CLOSE = 0.04  # of the height: names of lines that are closer do not fit beside them
TOP = 1.18  # of what is drawn


def idle(analysis: Analysed, streams: list[int], countdown: bool, utc: bool) -> Figure:
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
            below += "; no probe"
        elif countdown and counted_down(saw) is None:
            below += "; counted up: tcp_keepalive_time is not known"
        style.title(axes, f"Idle timer of the {who}, {end}", below)
    return figure


def _saws(analysis: Analysed, flow: Flow, utc: bool) -> list[Saw]:
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


class Level(NamedTuple):
    """A horizontal line with its name, and bounds where it has some."""

    seconds: float
    name: str
    colour: str
    style: str
    low: float | None = None
    high: float | None = None


def draw_idle(axes: Axes, saw: Saw, span: Span, *, countdown: bool = False) -> None:
    """Time since this end last received something, against time; with `countdown` the time until its timer fires."""
    line = counted_down(saw) if countdown else None
    down = line is not None
    times, heights = line if line is not None else counted_up(saw)
    time_axis(axes, span)
    style.bare(axes)
    name = "until the timer fires" if down else "since the last received segment"
    axes.set_ylabel(f"time {name}", fontsize=style.SMALL)
    _draw_line(axes, (times, heights), span)
    on_line = np.zeros(len(saw.probes.time)) if down else height_at(saw, saw.probes.time)
    for mark, fate in (
        (style.ANSWERED, probes.ANSWERED),
        (style.UNANSWERED, probes.UNANSWERED),
        (style.RESET_BY, probes.RESET),
    ):
        chosen = saw.probes.fate == fate
        plot_marks(axes, mark, span.x(saw.probes.time[chosen]), on_line[chosen])
    levels = _settings(saw) if not down else _settings(saw)[:1]
    reach = max([*heights.tolist(), *(level.seconds for level in levels), 1e-3])
    top = TOP * min(reach, max(4 * max(heights.max(initial=0.0), 1e-3), 1e-3))
    if not down:
        levels += [level for level in _middleboxes() if level.seconds <= top]
    seconds_axis(axes, top)
    _draw_levels(axes, [level for level in levels if level.seconds <= top], top)
    _draw_end(axes, saw, span, down=down)
    style.legend(axes)


def _draw_line(axes: Axes, line: Line, span: Span) -> None:
    x = span.x(line[0])
    axes.fill_between(x, 0, line[1], facecolor=SKY, alpha=0.25, linewidth=0, zorder=1)
    axes.plot(x, line[1], color=BLUE, linewidth=1.2, zorder=3, label="idle timer")


def _draw_end(axes: Axes, saw: Saw, span: Span, *, down: bool) -> None:
    ending = saw.flow.ending
    if ending.time is None:
        style.end_of_capture(axes, span.x(saw.end))
        return
    mark = style.RST if ending.how.name in ("RST", "REFUSED") else style.FIN
    label = f"{mark.name} by {ending.by}" if ending.by in (*SIDES, "middlebox") else mark.name
    x = span.x(np.array([ending.time]))
    axes.axvline(x[0], color=BLACK, linewidth=1.0, zorder=2)
    if ending.how.name in ("RST", "REFUSED", "FIN"):
        plot_marks(axes, mark._replace(name=label), x, [0.0] if down else height_at(saw, np.array([ending.time])))


def _settings(saw: Saw) -> list[Level]:
    """The inferred idle time, and when the probes after it are due."""
    found = []
    time, intvl, count = saw.tcp_keepalive_time, saw.tcp_keepalive_intvl, saw.tcp_keepalive_probes
    idle = _likely(time)
    if time is not None and idle is not None:
        found.append(Level(idle, f"tcp_keepalive_time {idle:g} s", BLACK, "-", time.low, time.high))
    pause = _likely(intvl)
    if idle is None or pause is None or not (saw.probes.fate == probes.UNANSWERED).any():
        return found
    number = _likely(count)
    asked = int(number) if number is not None else _longest_run(saw)
    for place in range(1, min(asked, MOST_DEADLINES)):
        found.append(Level(idle + place * pause, f"probe {place + 1} due", GREY, DUE))
    if number is not None:
        found.append(
            Level(
                idle + asked * pause, f"gives up after {asked} probe{'s' * (asked > 1)}, {pause:g} s apart", BLACK, "--"
            )
        )
    return found


def _likely(estimate: Estimate | None) -> float | None:
    """The value, or the middle of the bounds."""
    if estimate is None or estimate.value is not None:
        return None if estimate is None else estimate.value
    if estimate.low is None or estimate.high is None:
        return None
    return (estimate.low + estimate.high) / 2


def _longest_run(saw: Saw) -> int:
    """The most probes that were sent in one silence."""
    return int(np.unique(saw.probes.since, return_counts=True)[1].max())


def _middleboxes() -> list[Level]:
    """Idle timeouts that are met again and again, the shortest first."""
    known = sorted((box.idle_timeout_s, box.drawn_as) for box in middleboxes() if box.drawn_as)
    return [Level(seconds, f"idle timeout of {who}: {seconds} s", BROWN, "-.") for seconds, who in known]


def _draw_levels(axes: Axes, levels: Sequence[Level], top: float) -> None:
    """Lines across, named at the right, where names do not touch each other."""
    for level in levels:
        axes.axhline(level.seconds, color=level.colour, linestyle=level.style, linewidth=0.9, zorder=2)
        if level.low is not None and level.high is not None and level.high > level.low:
            style.bounds(axes, level.low, min(level.high, top))
    named = _told_together([level for level in levels if level.name], top)
    style.name_levels(axes, [(level.seconds / top, level.name, level.colour) for level in named])


def _told_together(levels: Sequence[Level], top: float) -> list[Level]:
    """The levels to name: of deadlines that lie close to each other the middle one, for all."""
    due = [level for level in levels if level.style == DUE]
    if len(due) < 2 or (due[1].seconds - due[0].seconds) / top > CLOSE:
        return list(levels)
    middle = due[len(due) // 2]._replace(name=f"probes 2 to {len(due) + 1} due")
    return [*(level for level in levels if level.style != DUE), middle]
