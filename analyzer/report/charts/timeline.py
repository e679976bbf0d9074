"""The timeline of an analysis: lanes, findings told below them, and an overview where connections are very many."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from string import ascii_uppercase
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.model.findings import SEVERITIES, URGENT, Finding
from analyzer.model.words import Handshake
from analyzer.report.charts import lanes, notes, overview, probes, style
from analyzer.report.charts.activity import Activity
from analyzer.report.charts.alike import Alike, grouped
from analyzer.report.charts.axis import Span, time_axis
from analyzer.report.charts.gather import activity_of, empty_figure, named, span_of
from analyzer.report.charts.lanes import ShownLane
from analyzer.report.charts.style import BLACK, BLUE, GREY, ORANGE, PALE, RED, SKY, Mark, plot_marks, write
from analyzer.tables.arrays import Column
from analyzer.tcp import SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analyzer.report.analysed import Analysed
    from analyzer.report.charts.style import Figure

AXIS_IN = 0.95  # tick labels, axis label and legend of one chart
TITLE_IN = 0.5
LANE_IN = 0.3  # inches from lane to lane
LABEL = 46  # characters
# Segments closer than this part of the axis are one bar.
MERGED = 1 / 300
NARROWEST = 1 / 500
MARKS_APART = 1 / 120
BELOW = 0.33  # of a lane: where heartbeats stand, beside probes and traffic
WORDS = {"high": BLACK, "medium": BLACK, "low": GREY, "info": GREY}
NOT_MADE = (Handshake.NO_ANSWER, Handshake.REFUSED)
UNHEARD, CLOSED = "probing, no reply", "window closed"
LOOKED_AT = 20  # times as many connections as lanes are looked at, whether they are alike
APART = 1 / 12  # of the axis: connections whose moments are closer may share a lane


def timeline(analysis: Analysed, streams: list[int], limit: int, utc: bool) -> Figure:
    """See Charts.timeline."""
    if not streams:
        return empty_figure()
    span = span_of(analysis.facts, streams, utc)
    ordered = analysis.worst_first(streams)
    groups, many = _groups(analysis, ordered, span, limit)
    services = _services(analysis, ordered) if many else []
    busiest = [_service(analysis, group) for group in services[: min(limit, overview.SERVICES)]]
    listed = {group.flow.stream for group in groups}
    flags = [one for one in analysis.findings if one.stream in listed]
    letters = _letters(flags)
    shown = _lanes(analysis, groups, span, flags, letters)
    told = [(letter, _heading(rule, flags, len(groups) < len(streams))) for rule, letter in letters.items()]
    heights = [
        *([overview.height_of(busiest) + AXIS_IN] if many else []),
        *([height_of(shown) + AXIS_IN] if shown else []),
        *([notes.height_of(told)] if told else []),
    ]
    figure = style.new_figure(sum(heights) + TITLE_IN)
    parts = list(figure.subplots(len(heights), squeeze=False, height_ratios=heights)[:, 0])
    _draw(parts, analysis, services, busiest, shown, told, span)
    return figure


def in_lanes(analysis: Analysed, streams: list[int], limit: int) -> list[int]:
    """The connections that have a lane: those whose packets a timeline needs."""
    span = span_of(analysis.facts, streams, utc=True)
    groups, _ = _groups(analysis, analysis.worst_first(streams), span, limit)
    return [group.flow.stream for group in groups]


def _groups(analysis: Analysed, ordered: list[int], span: Span, limit: int) -> tuple[list[Alike], bool]:
    """The worst of these connections, those alike together, and whether there are too many for a lane each."""
    apart = round(APART * span.length * SECOND)
    if len(ordered) <= limit * LOOKED_AT:
        groups = grouped(analysis.flows_of(ordered), apart)
        if len(groups) <= limit:
            return groups, False
    urgent = [stream for stream in ordered if analysis.severity_of(stream) in URGENT][: limit * LOOKED_AT]
    return grouped(analysis.flows_of(urgent), apart)[:limit], True


def _draw(
    parts: list[Axes],
    analysis: Analysed,
    services: list[list[int]],
    busiest: list[overview.Service],
    shown: list[lanes.ShownLane],
    told: list[tuple[str, str]],
    span: Span,
) -> None:
    facts, name = analysis.facts, named(analysis)
    if services:
        axes = parts.pop(0)
        overview.draw_overview(axes, facts, busiest, span)
        count = sum(map(len, services))
        more = len(services) - len(busiest)
        note = f"; the worst {len(busiest)} of {len(services)} services" if more > 0 else ""
        style.title(axes, f"{count} connections of {name}", f"how many were open at each time{note}")
    if shown:
        axes = parts.pop(0)
        draw_timeline(axes, shown, span, capture_end=facts.end)
        count = sum(lane.alike for lane in shown)
        one = f"{count} connection{'s' * (count > 1)}"
        style.title(axes, f"The {one} in the worst state" if services else f"{one} of {name}")
    if told:
        notes.draw_notes(parts.pop(0), told)


def _lanes(
    analysis: Analysed, groups: list[Alike], span: Span, flags: Sequence[Finding], letters: dict[str, str]
) -> list[lanes.ShownLane]:
    first_frames = {id(one): one.evidence.frames[0] for one in flags if one.evidence.frames}
    starts = {group.flow.stream: group.flow.start for group in groups}
    beats = Activity(list(starts), span.start, span.end)
    activity = activity_of(analysis, list(starts), span, list(first_frames.values()), answers=True, beats=beats)
    placed: dict[int, list[tuple[str, int]]] = {}
    for one in flags:
        assert one.stream is not None
        time = activity.times_of.get(first_frames.get(id(one), 0), starts[one.stream])
        placed.setdefault(one.stream, []).append((letters[one.rule], time))
    return lanes.make_lanes(analysis.facts, groups, analysis.severities, activity, beats, placed)


def _letters(flags: Sequence[Finding]) -> dict[str, str]:
    """A letter for each rule, the most severe first."""
    worst: dict[str, int] = {}
    for one in flags:
        worst[one.rule] = max(worst.get(one.rule, 0), SEVERITIES.index(one.severity))
    ordered = sorted(worst, key=lambda rule: -worst[rule])
    return dict(zip(ordered, [*ascii_uppercase, *(f"A{letter}" for letter in ascii_uppercase)], strict=False))


def _heading(rule: str, flags: Sequence[Finding], folded: bool) -> str:
    """What a letter means: the rule, and what was found of the first connection; `folded` where lanes are left out."""
    mine = [one for one in flags if one.rule == rule]
    more = f" and {len(mine) - 1} more lane{'s' * (len(mine) > 2)}" if len(mine) > 1 else ""
    where = f"stream {mine[0].stream}{', for example' if folded and not more else more}"
    return f"{mine[0].severity.upper()} {rule} ({where}): {mine[0].summary}."


def _services(analysis: Analysed, ordered: list[int]) -> list[list[int]]:
    """These connections by service, those with the worst first."""
    rank = {stream: place for place, stream in enumerate(ordered)}
    groups: list[list[int]] = [group.tolist() for group in analysis.by_service(np.sort(np.array(ordered, np.int64)))]
    return sorted(groups, key=lambda group: min(rank[stream] for stream in group))


def _service(analysis: Analysed, group: list[int]) -> overview.Service:
    bad = [stream for stream in group if analysis.severity_of(stream) == "high"]
    name = str(analysis.flow(group[0]).server)
    streams, troubled = np.array(group, np.int64), np.array(bad, np.int64)
    return overview.Service(name, streams, analysis.verdict_counts(group), troubled)


class Row(NamedTuple):
    """A row of the chart: the name of a service above its lanes, or a lane; one that is alone has it beside it."""

    service: str
    lane: ShownLane | None
    alone: bool = False


def rows_of(lanes: Sequence[ShownLane]) -> list[Row]:
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


def height_of(lanes: Sequence[ShownLane]) -> float:
    """Inches that the lanes take."""
    return LANE_IN * (len(rows_of(lanes)) + 1)


def draw_timeline(axes: Axes, lanes: Sequence[ShownLane], span: Span, *, capture_end: int) -> None:
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
            times = f"  x {row.lane.alike}" if row.lane.alike > 1 else ""
            name = f"#{flow.stream}  {style.shortened(str(flow.client), LABEL)}{times}"
            _outside(axes, 0, y + 0.2 * row.alone, name)
            _draw_lane(axes, y, row.lane, span, capture_end)
    if span.start <= capture_end <= span.end:
        style.end_of_capture(axes, span.x(capture_end))
    style.legend(axes)


def _outside(axes: Axes, side: float, y: float, text: str, **how: object) -> None:
    """Text beside the axes: 0 is left of them, 1 right."""
    place = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "annotation_clip": False}
    aligned = {"va": "center", "ha": "right" if side == 0 else "left", "fontsize": style.SMALL, "parse_math": False}
    axes.annotate(style.clean(text), (side, y), (-6 if side == 0 else 6, 0), **(place | aligned | how))  # type: ignore[arg-type]


def _draw_lane(axes: Axes, y: float, lane: ShownLane, span: Span, capture_end: int) -> None:
    flow = lane.flow
    weight = "bold" if lane.severity == "high" else "normal"
    _outside(axes, 1, y, flow.verdict, fontweight=weight, color=WORDS[lane.severity])
    end = capture_end if lane.known_until is None else max(lane.known_until, flow.end)
    axes.plot(span.x(np.array([flow.start, end])), [y, y], color=GREY, linewidth=1.0, zorder=2, label="idle")
    for since, until in lane.unheard:
        place = span.x(np.array([since, until]))
        axes.plot(place, [y, y], color=RED, linewidth=2.4, linestyle=(0, (2, 1)), zorder=2.5, label=UNHEARD)
    _bars(axes, y, 0.36, _merged(lane.traffic, span), span, facecolor=SKY, edgecolor=BLUE, label="traffic")
    _bars(axes, y, 0.5, lane.resent, span, facecolor="white", edgecolor=RED, hatch="/////", label="retransmissions")
    _bars(axes, y, 0.5, lane.closed_window, span, facecolor="none", edgecolor=ORANGE, hatch="\\\\\\\\", label=CLOSED)
    _begin(axes, y, lane, span)
    _marks(axes, y + BELOW, style.HEARTBEAT, lane.beats, span)
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


def _begin(axes: Axes, y: float, lane: ShownLane, span: Span) -> None:
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


def _flags(axes: Axes, y: float, lane: ShownLane, span: Span) -> None:
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
