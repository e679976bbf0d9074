"""What is told in words below a chart."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analyzer.report.charts import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE_IN = 0.145
WIDTH = 145  # characters
MOST = 12


def _lines(notes: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each line, with the letter before the first of a note."""
    lines = []
    for letter, text in notes[:MOST]:
        wrapped = textwrap.wrap(style.clean(text), WIDTH) or [""]
        lines += [(letter, wrapped[0]), *(("", line) for line in wrapped[1:])]
    if len(notes) > MOST:
        lines.append(("", f"... and {len(notes) - MOST} more kinds of finding"))
    return lines


def height_of(notes: Sequence[tuple[str, str]]) -> float:
    """Inches that they take."""
    return LINE_IN * len(_lines(notes)) + 0.1


def draw_notes(axes: Axes, notes: Sequence[tuple[str, str]]) -> None:
    """Notes, each after the letter that stands for it in the chart."""
    lines = _lines(notes)
    axes.set_axis_off()
    axes.set_ylim(len(lines), 0)
    axes.set_xlim(0, 1)
    for y, (letter, line) in enumerate(lines):
        style.write(axes, -0.004, y + 0.5, letter, fontweight="bold", ha="right")
        style.write(axes, 0.004, y + 0.5, line, ha="left")
