"""What is wrong with a picture, as far as that can be measured: labels that overlap, and labels that are cut off."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from analyzer.report.charts.style import styled

if TYPE_CHECKING:
    from analyzer.report.charts.style import Figure

SLACK = 1.0  # pixels


def boxes(figure: Figure) -> list[tuple[str, Any]]:
    """All labels that are seen, and where each lies, in pixels."""
    from matplotlib.text import Text

    with styled():
        figure.draw_without_rendering()
        canvas: Any = figure.canvas
        hidden = _hidden(figure)
        texts = [one for one in figure.findobj(Text) if isinstance(one, Text) and id(one) not in hidden]
        return [
            (one.get_text(), Text.get_window_extent(one, canvas.get_renderer()))
            for one in texts
            if one.get_visible() and one.get_text().strip()
        ]


def _hidden(figure: Figure) -> set[int]:
    """Labels that matplotlib keeps and does not draw: of ticks beyond the axes' ends, of axes that are off."""
    from matplotlib.text import Text

    hidden = set()
    for axes in figure.axes:
        both: tuple[Any, ...] = (axes.xaxis, axes.yaxis)
        for axis in both:
            drawn = {id(text) for tick in axis._update_ticks() for text in (tick.label1, tick.label2)}
            mine = {id(text) for text in axis.findobj(Text)}
            kept: set[int] = set() if not axes.axison else drawn | {id(axis.label)}
            hidden |= mine - kept
    return hidden


def faults(figure: Figure) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of labels of which one lies upon the other, and labels that reach beyond the picture."""
    found = boxes(figure)
    width, height = figure.get_size_inches() * figure.dpi
    overlapping = [(a, b) for (a, x), (b, y) in combinations(found, 2) if _shared(x, y)]
    outside = [
        text
        for text, box in found
        if box.x0 < -SLACK or box.y0 < -SLACK or box.x1 > width + SLACK or box.y1 > height + SLACK
    ]
    return overlapping, outside


def _shared(x: Any, y: Any) -> bool:
    across = min(x.x1, y.x1) - max(x.x0, y.x0)
    up = min(x.y1, y.y1) - max(x.y0, y.y0)
    return bool(across > SLACK and up > SLACK)
