"""The gaps between probes of all connections that are shown, with their settings and known defaults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.model.flows import Estimate
from analyzer.model.quantities import duration
from analyzer.report.charts import probes, style
from analyzer.report.charts.axis import Numbers, Span, time_axis
from analyzer.report.charts.gather import empty_figure, named, span_of
from analyzer.report.charts.probes import UNANSWERED, Gaps, gaps_of, probes_of
from analyzer.report.charts.style import BLACK, GREEN, GREY, RED, Mark, plot_marks
from analyzer.tables.arrays import Column, Mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analyzer.model.flows import Estimate, HostSettings, Keepalive
    from analyzer.report.analysed import Analysed
    from analyzer.report.charts.style import Figure

HEIGHT_IN = 5.2
ASKED = 200  # connections whose settings are looked at, of very many
MOST_SETTINGS = 6
NAMES = ("tcp_keepalive_time", "tcp_keepalive_intvl", "former_tcp_keepalive_time")
PROGRAMS = 1  # named of those with one default
# By fate, and by whether an unanswered probe went before: what shows tcp_keepalive_intvl is filled.
MARKS = (
    (probes.ANSWERED, False, Mark("answered, first probe of an idle period", "o", GREEN, 5.0)),
    (probes.ANSWERED, True, Mark("answered, after an unanswered probe", "o", GREEN, 6.0, filled=True)),
    (probes.UNANSWERED, False, Mark("unanswered, first probe of an idle period", "x", RED, 6.0)),
    (probes.UNANSWERED, True, Mark("unanswered, after an unanswered probe", "X", RED, 7.5, filled=True)),
    (probes.RESET, False, style.RESET_BY._replace(name="answered by RST", size=6.0)),
    (
        probes.RESET,
        True,
        style.RESET_BY._replace(name="answered by RST, after an unanswered probe", size=6.0, filled=True),
    ),
)
HATCHES = ("////", "\\\\\\\\")
BINS = 60
CELLS = (110, 70)  # of one kind no more marks than this across and up
MOST_DEFAULTS = 6
# Of the distribution: name, colour and hatch of each fate.
PARTS = (
    (probes.ANSWERED, "answered", GREEN, ""),
    (probes.UNANSWERED, "unanswered", RED, "xxxx"),
    (probes.RESET, "RST", style.PURPLE, "...."),
)
# Seconds at which a gap is named on the axis.
NAMED = (
    *(0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 75, 120, 180, 240, 300, 600, 900, 1800),
    *(3600, 7200, 14_400, 43_200, 86_400, 7 * 86_400),
)


def intervals(analysis: Analysed, streams: list[int], utc: bool) -> Figure:
    """See Charts.intervals."""
    if not streams:
        return empty_figure()
    probes = probes_of(analysis.facts, np.array(streams, np.int64))
    gaps = gaps_of(probes)
    if not len(gaps.time):
        return empty_figure(f"{named(analysis)}: no keepalive probe that followed anything")
    probed = np.unique(probes.prober >> 1).tolist()
    span = span_of(analysis.facts, probed, utc)
    figure = style.new_figure(HEIGHT_IN)
    left, right = figure.subplots(1, 2, width_ratios=[5, 1])
    settings, shown = _settings(analysis, probed)
    draw_distribution(right, gaps)
    draw_intervals(left, gaps, span, settings, _defaults(shown), beside=right)
    count = len(np.unique(probes.prober))
    who = "1 prober" if count == 1 else f"{count} probers"
    lost = int((probes.fate == UNANSWERED).sum())
    below = f"{len(probes.time)} probe{'s' * (len(probes.time) != 1)} of {who}, {lost} unanswered"
    style.title(left, f"Gaps between keepalive probes in {named(analysis)}", below)
    return figure


def _settings(analysis: Analysed, streams: list[int]) -> tuple[list[Setting], Counter[str]]:
    """The settings that most probers share, and the names of the known defaults that fit them."""
    found: dict[tuple[str, float | None], Estimate] = {}
    count: Counter[tuple[str, float | None]] = Counter()
    profiles: Counter[str] = Counter()
    for entry, weight in _entries(analysis, streams):
        profiles.update(entry.profiles)
        for name in NAMES:
            estimate: Estimate | None = getattr(entry, name, None)
            if estimate is not None and (estimate.value is not None or estimate.high is not None):
                found.setdefault((name, estimate.value), estimate)
                count[name, estimate.value] += weight
    common = [key for key, _ in count.most_common(MOST_SETTINGS)]
    return [Setting(key[0].replace("_tcp", " tcp"), found[key]) for key in common], profiles


def _entries(analysis: Analysed, streams: list[int]) -> Iterator[tuple[Keepalive | HostSettings, int]]:
    """The settings of these connections: of those of one host together, where they are several."""
    pools = analysis.hosts(ASKED) if len(streams) > 1 else []
    pooled: set[int] = set()
    for pool in pools:
        mine = set(pool.streams) & set(streams)
        if len(mine) > 1:
            yield pool, len(mine)
            pooled |= mine
    alone = [stream for stream in streams if stream not in pooled]
    for flow in analysis.flows_of(alone[:ASKED]):
        yield from ((entry, 1) for entry in flow.keepalive)


def _defaults(shown: Counter[str]) -> list[Default]:
    """Known values, those of the programs that fit first, then those that most programs have."""
    from analyzer.knowledge.matching import profiles

    programs: dict[float, list[str]] = {}
    weight: Counter[float] = Counter()
    for profile in profiles():
        for setting in {profile.tcp_keepalive_time, profile.tcp_keepalive_intvl}:
            if isinstance(setting, int) and setting > 0:
                programs.setdefault(setting, []).append(profile.name)
                weight[setting] += 1 + 1000 * shown[profile.name]
    found = []
    for seconds, _ in weight.most_common():
        names = sorted(programs[seconds], key=lambda name: -shown[name])
        more = f" and {len(names) - PROGRAMS} more" if len(names) > PROGRAMS else ""
        found.append(Default(seconds, ", ".join(names[:PROGRAMS]) + more))
    return found


class Setting(NamedTuple):
    """An inferred setting with its name."""

    name: str
    estimate: Estimate


class Default(NamedTuple):
    """A known default: seconds, and whose it is."""

    seconds: float
    name: str


def draw_intervals(
    axes: Axes,
    gaps: Gaps,
    span: Span,
    settings: Sequence[Setting],
    defaults: Sequence[Default],
    *,
    beside: Axes | None = None,
) -> None:
    """How long probers had waited before each probe, with the settings behind it and known defaults.

    Their names are right of `beside`, where another chart of this height lies between.
    """
    time_axis(axes, span)
    style.bare(axes)
    low, high = _reach(gaps.seconds)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    _name_seconds(axes, low, high)
    axes.set_ylabel("wait before the probe", fontsize=style.SMALL)
    x = span.x(gaps.time)
    for fate, again, mark in MARKS:
        chosen = _apart(x, gaps.seconds, (gaps.fate == fate) & (gaps.again == again), span.length, (low, high))
        plot_marks(axes, mark, x[chosen], gaps.seconds[chosen])
    lines = _draw_settings(axes, settings, low, high)
    lines += _draw_defaults(axes, defaults, low, high)
    style.name_levels(
        beside or axes, [(_fraction(seconds, low, high), name, colour) for seconds, name, colour in lines]
    )
    style.legend(axes, columns=2)


def draw_distribution(axes: Axes, gaps: Gaps) -> None:
    """How often each gap occurs: answered, and hatched those without an answer; shares its height with the other."""
    from matplotlib.ticker import MaxNLocator

    low, high = _reach(gaps.seconds)
    edges = np.geomspace(low, high, BINS)
    middle, height = np.sqrt(edges[:-1] * edges[1:]), np.diff(edges) * 0.9
    left = np.zeros(BINS - 1)
    for fate, name, colour, hatch in PARTS:
        count, _ = np.histogram(gaps.seconds[gaps.fate == fate], edges)
        used = count > 0
        if used.any():
            axes.barh(
                middle[used],
                count[used],
                height[used],
                left[used],
                facecolor="white" if hatch else colour,
                edgecolor=colour,
                hatch=hatch,
                linewidth=0.7,
                label=name,
            )
        left += count
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.set_yticks([], minor=False)
    axes.set_yticks([], minor=True)
    style.bare(axes)
    axes.set_xlim(0, max(left.max(), 1) * 1.08)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.set_xlabel("probes", fontsize=style.SMALL)


def _reach(seconds: Numbers) -> tuple[float, float]:
    """From where to where the axis goes: a factor of two around what there is."""
    some = seconds[seconds > 0]
    if not len(some):
        return 0.5, 2.0
    return max(float(some.min()) / 1.6, 1e-3), max(float(some.max()) * 1.6, 2e-3)


def _name_seconds(axes: Axes, low: float, high: float) -> None:
    """Ticks that a reader knows: 75 s, 5 min, 2 h; fewer where the axis is long."""
    from matplotlib.ticker import NullLocator

    shown = [s for s in NAMED if low <= s <= high]
    apart = np.log(high / low) / 14
    kept: list[float] = []
    for s in shown:
        if not kept or np.log(s / kept[-1]) >= apart:
            kept.append(s)
    axes.set_yticks(kept, [duration(round(s * 1e9)).replace(".0 s", " s") for s in kept])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color="#f1f1f1", linewidth=0.6)


def _apart(x: Numbers, y: Numbers, chosen: Mask, length: float, reach: tuple[float, float]) -> Column:
    """Of the chosen marks those that do not fall upon another."""
    rows = np.flatnonzero(chosen & (y > 0))
    across = np.floor(x[rows] / length * CELLS[0])
    up = np.floor(np.log(y[rows] / reach[0]) / np.log(reach[1] / reach[0]) * CELLS[1])
    return np.asarray(rows[np.unique(across * 10_000 + up, return_index=True)[1]])


def _fraction(seconds: float, low: float, high: float) -> float:
    return float(np.log(seconds / low) / np.log(high / low))


def _draw_settings(axes: Axes, settings: Sequence[Setting], low: float, high: float) -> list[tuple[float, str, str]]:
    """Each setting with its bounds; returns what to name, and where."""
    lines = []
    for place, (name, estimate) in enumerate(settings):
        bounds = estimate.low or low, estimate.high if estimate.high is not None else high
        value = estimate.value if estimate.value is not None else (bounds[0] * bounds[1]) ** 0.5
        if not low <= value <= high:
            continue
        text = f"{name} {value:g} s" if estimate.value is not None else f"{name} in"
        style.bounds(axes, max(bounds[0], low), min(bounds[1], high), HATCHES[place % 2])
        axes.axhline(value, color=BLACK, linewidth=1.0, linestyle=("-", "--")[place % 2], zorder=2)
        lines.append((value, f"{text} ({estimate.low or 0:.4g} to {_number(estimate.high)} s)", BLACK))
    return lines


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}"


def _draw_defaults(axes: Axes, defaults: Sequence[Default], low: float, high: float) -> list[tuple[float, str, str]]:
    """Faint lines for known defaults; returns what to name, and where."""
    shown = [one for one in defaults if low <= one.seconds <= high][:MOST_DEFAULTS]
    for one in shown:
        axes.axhline(one.seconds, color=GREY, linewidth=0.5, linestyle=(0, (1, 3)), zorder=1)
    return [(one.seconds, f"{one.seconds:g} s: {one.name}", GREY) for one in shown]
