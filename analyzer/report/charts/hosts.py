"""Settings and verdicts of each client's connections to each service, side by side: the odd one out stands out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyzer.model.columns import SIDES, Estimate
from analyzer.report.charts import style
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
from analyzer.report.times import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
        some = (self.tcp_keepalive_time, self.tcp_keepalive_intvl, self.tcp_keepalive_probes)
        return "/".join("?" if one is None or one.value is None else f"{one.value:g}" for one in some)


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
        write(axes, 0.5, 0.5, "no setting is known", transform=axes.transAxes, ha="center", color=GREY)
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
    axes.set_xticks(shown, [duration(s * 10**9).replace(".0 s", " s") for s in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x", color="#ececec", linewidth=0.6, zorder=0)
