"""Each client's connections to each service: their settings, their verdicts, and which are not as the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analyzer.model.flows import SIDES, Estimate
from analyzer.model.quantities import duration
from analyzer.report.charts import style
from analyzer.report.charts.gather import empty_figure, named
from analyzer.report.charts.style import (
    BLACK,
    BLUE,
    GREY,
    LIGHT_GREEN,
    ORANGE,
    PALE,
    PURPLE,
    RED,
    SKY,
    Mark,
    plot_marks,
    write,
)
from analyzer.report.phrases import setting_values, settings_text
from analyzer.tcp import SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analyzer.model.flows import HostSettings, Keepalive
    from analyzer.report.analysed import Analysed
    from analyzer.report.charts.style import Figure
    from analyzer.tables.arrays import Column

FRAME_IN = 1.5  # title, axis and legend
LOOKED_AT = 3  # connections of a pair whose settings are looked at, where no pool has them
ROW_IN = 0.34
# Seconds at which an axis of settings is named.
NAMED = (1, 2, 3, 5, 10, 15, 30, 60, 300, 900, 3600, 7200, 86_400)
# Names of settings, with the mark of the client's and of the server's.
TIME = "tcp_keepalive_time"
MARKS = {
    (SIDES[0], TIME): Mark("client's tcp_keepalive_time", "o", BLUE, 7.0, filled=True),
    (SIDES[1], TIME): Mark("server's tcp_keepalive_time", "o", PURPLE, 7.0),
    (SIDES[0], "tcp_keepalive_intvl"): Mark("client's tcp_keepalive_intvl", "D", BLUE, 5.0, filled=True),
    (SIDES[1], "tcp_keepalive_intvl"): Mark("server's tcp_keepalive_intvl", "D", PURPLE, 5.0),
}
# Each verdict has a colour and, that they are told apart without it, a hatch; what is well is light and has none.
LOOKS = {
    "dead_peer": (RED, "xxxx"),
    "lost_state": (RED, "////"),
    "middlebox_reset": (PURPLE, "\\\\\\\\"),
    "middlebox_drop": (PURPLE, "++++"),
    "retransmission_timeout": (RED, "...."),
    "close_wait_leak": (ORANGE, "||||"),
    "zero_window_stall": (ORANGE, "----"),
    "app_hung": (ORANGE, "oo"),
    "lossy_path": (ORANGE, "..."),
    "unprotected": (SKY, "\\\\"),
    "refused": (GREY, "////"),
    "no_answer": (GREY, "xxxx"),
    "aborted": (GREY, ""),
    "closed": ("white", ""),
    "healthy": (LIGHT_GREEN, ""),
}


def hosts(analysis: Analysed, streams: list[int], limit: int) -> Figure:
    """See Charts.hosts."""
    if not streams:
        return empty_figure()
    groups = _groups(analysis, streams)
    shown, total = _worst(analysis, groups, limit), len(groups)
    pairs = _with_odd(_pairs(analysis, shown))
    figure = style.new_figure(height_of(pairs) + FRAME_IN)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    draw_settings(left, pairs)
    draw_verdicts(right, pairs)
    note = f"; the worst {len(pairs)} of {total}" if total > len(pairs) else ""
    below = f"by client and service, worst first{note}; ► differs from the service's other clients"
    style.title(left, f"Settings and verdicts in {named(analysis)}", below)
    return figure


def _groups(analysis: Analysed, streams: list[int]) -> list[Column]:
    """The streams by the addresses of client and server and the server's port."""
    return analysis.by_service_and_path(np.array(streams, np.int64))


def _worst(analysis: Analysed, groups: list[Column], limit: int) -> list[list[int]]:
    """Of the groups with the most urgent verdicts so many; those of one service stand together."""
    ordered = analysis.worst_first([stream for group in groups for stream in group.tolist()])
    rank = {stream: place for place, stream in enumerate(ordered)}
    worst = sorted((group.tolist() for group in groups), key=lambda group: min(rank[stream] for stream in group))
    service: dict[tuple[str, int], int] = {}
    named_groups = []
    for group in worst[:limit]:
        server = analysis.flow(group[0]).server
        named_groups.append((service.setdefault(server, len(service)), group))
    return [group for _, group in sorted(named_groups, key=lambda pair: pair[0])]


def _pairs(analysis: Analysed, groups: list[list[int]]) -> list[Pair]:
    pools: dict[int, list[HostSettings]] = {}
    for pool in analysis.hosts():
        for stream in pool.streams:
            pools.setdefault(stream, []).append(pool)
    found = []
    for group in groups:
        flow = analysis.flow(group[0])
        settings: dict[Settings, None] = {}
        for stream in group:
            settings |= dict.fromkeys(_settings(pool) for pool in pools.get(stream, []))
        for stream in [stream for stream in group if stream not in pools][:LOOKED_AT]:
            settings |= dict.fromkeys(_settings(entry) for entry in analysis.flow(stream).keepalive)
        counts = analysis.verdict_counts(group)
        found.append(Pair(flow.client.address, str(flow.server), counts, tuple(settings), odd=False))
    return found


def _settings(entry: HostSettings | Keepalive) -> Settings:
    return Settings(entry.sender, entry.tcp_keepalive_time, entry.tcp_keepalive_intvl, entry.tcp_keepalive_probes)


def _with_odd(pairs: list[Pair]) -> list[Pair]:
    """Mark those whose settings, or whose worst verdict, most others of the same service do not have."""
    looks = [(pair.server, *(one.words for one in pair.settings)) for pair in pairs]
    verdicts = [(pair.server, next(iter(pair.counts), "")) for pair in pairs]
    odd = _seldom(pairs, looks)
    worse = _seldom(pairs, verdicts)
    return [replace(pair, odd=a or b) for pair, a, b in zip(pairs, odd, worse, strict=True)]


def _seldom(pairs: list[Pair], keys: Sequence[tuple[str, ...]]) -> list[bool]:
    """Which keys are not what more than half of the service's pairs have, where there is such a thing."""
    clients, count = Counter(pair.server for pair in pairs), Counter(keys)
    usual = {key[0] for key, number in count.items() if 2 * number > clients[key[0]]}
    return [2 * count[key] <= clients[key[0]] and key[0] in usual for key in keys]


@dataclass(frozen=True)
class Settings:
    """What one end of some connections is set to."""

    sender: str
    tcp_keepalive_time: Estimate | None
    tcp_keepalive_intvl: Estimate | None
    tcp_keepalive_probes: Estimate | None

    @property
    def words(self) -> str:
        """Time, interval and count: `3/2/4`, `?` for what is not known."""
        return settings_text(setting_values(self))


@dataclass(frozen=True)
class Pair:
    """The connections of one client's address to one server's address and port."""

    client: str
    server: str
    counts: dict[str, int]  # by verdict, the most urgent first
    settings: tuple[Settings, ...]
    odd: bool  # its settings or its verdicts are not those of the other clients of this service


def height_of(pairs: Sequence[Pair]) -> float:
    """Inches that the rows take."""
    return ROW_IN * (len(pairs) + 1)


def draw_settings(axes: Axes, pairs: Sequence[Pair]) -> None:
    """The settings of each pair with their bounds, on an axis of time."""
    _rows(axes, pairs)
    _name_pairs(axes, pairs)
    values = [
        bound
        for pair in pairs
        for one in pair.settings
        for estimate in (one.tcp_keepalive_time, one.tcp_keepalive_intvl)
        if estimate is not None
        for bound in (estimate.low, estimate.value, estimate.high)
        if bound
    ]
    if not values:
        axes.set_xticks([])
        write(axes, 0.5, 0.5, "no setting known", transform=axes.transAxes, ha="center", color=GREY)
        return
    axes.set_xscale("log")
    low, high = min(values) / 1.5, max(values) * 1.5
    axes.set_xlim(low, high)
    _name_seconds(axes, low, high)
    axes.set_xlabel("seconds, with bounds", fontsize=style.SMALL)
    for (sender, name), mark in MARKS.items():
        _draw_setting(axes, pairs, sender, name, mark, (low, high))
    style.legend(axes, columns=2)


def draw_verdicts(axes: Axes, pairs: Sequence[Pair]) -> None:
    """The verdicts of each pair's connections, as parts of all."""
    _rows(axes, pairs)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.set_xlabel("connections", fontsize=style.SMALL)
    left = np.zeros(len(pairs))
    totals = [max(sum(pair.counts.values()), 1) for pair in pairs]
    for word, (colour, hatch) in LOOKS.items():
        part = np.array([pair.counts.get(word, 0) / total for pair, total in zip(pairs, totals, strict=True)])
        if part.any():
            axes.barh(
                range(len(pairs)), part, 0.62, left, facecolor=colour, edgecolor=BLACK, hatch=hatch, linewidth=0.5,
                label=word, zorder=2,
            )  # fmt: skip
        left += part
    for y, total in enumerate(totals):
        place = {"transform": axes.get_yaxis_transform(), "clip_on": False}
        write(axes, 1.02, y, f"{total}", ha="left", fontweight="bold" if pairs[y].odd else "normal", **place)
    style.legend(axes, columns=4)


def _rows(axes: Axes, pairs: Sequence[Pair]) -> None:
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.set_yticks([])
    style.bare(axes)
    for y, pair in enumerate(pairs):
        if y and pair.server != pairs[y - 1].server:
            axes.axhline(y - 0.5, color=PALE, linewidth=0.8, zorder=0)


def _name_pairs(axes: Axes, pairs: Sequence[Pair]) -> None:
    """Left of the axes: client and service; bold, with a mark, those that are not as the others."""
    place = {"transform": axes.get_yaxis_transform(), "clip_on": False, "ha": "right"}
    for y, pair in enumerate(pairs):
        weight = "bold" if pair.odd else "normal"
        name = f"{'► ' if pair.odd else ''}{style.shortened(pair.client, 40)}"
        write(axes, -0.015, y - 0.16, name, fontweight=weight, **place)
        known = ", ".join(f"{one.sender} {one.words}" for one in pair.settings) or "no probe"
        write(axes, -0.015, y + 0.2, f"to {style.shortened(pair.server, 44)}: {known}", fontsize=6, color=GREY, **place)


def _draw_setting(
    axes: Axes, pairs: Sequence[Pair], sender: str, name: str, mark: Mark, reach: tuple[float, float]
) -> None:
    """One setting of one side, of all pairs; the client's a little above the server's."""
    shift = -0.12 if sender == SIDES[0] else 0.12
    x, y = [], []
    for row, pair in enumerate(pairs):
        for one in pair.settings:
            estimate: Estimate | None = getattr(one, name)
            if one.sender != sender or estimate is None:
                continue
            low = max(estimate.low or reach[0], reach[0])
            high = min(estimate.high if estimate.high is not None else reach[1], reach[1])
            axes.plot([low, high], [row + shift] * 2, color=mark.colour, linewidth=1.0, zorder=2)
            if estimate.value is not None:
                x.append(estimate.value)
                y.append(row + shift)
    plot_marks(axes, mark, x, y)


def _name_seconds(axes: Axes, low: float, high: float) -> None:
    from matplotlib.ticker import NullLocator

    shown = [s for s in NAMED if low <= s <= high]
    axes.set_xticks(shown, [duration(s * SECOND).replace(".0 s", " s") for s in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x", color="#ececec", linewidth=0.6, zorder=0)
