"""The command `chart`: one picture of captures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import click

from analyzer.commands import options
from analyzer.commands.declared import command, option, with_groups
from analyzer.commands.options import OWNER_ONLY
from analyzer.commands.outcome import Outcome
from analyzer.commands.outputs import binary_output, check_output, picture_form
from analyzer.commands.reading import Reading
from analyzer.commands.result import LIMIT
from analyzer.commands.selection import Selection
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.report.charts.style import Figure


class Theme(StrEnum):
    """The colours of a chart; `auto` follows the reader, which only an SVG can."""

    light = "light"
    dark = "dark"
    auto = "auto"


class Kind(StrEnum):
    """What to draw."""

    timeline = "timeline"
    idle = "idle"
    intervals = "intervals"
    ladder = "ladder"
    hosts = "hosts"


# Those that look at packets a second time: what comes through a pipe is kept for them.
NEED_PACKETS = (Kind.timeline, Kind.idle, Kind.ladder)


@command
@options.captures
@option("--kind", type=click.Choice(Kind), required=True, help="Kind of chart")
@options.output(f"Write here: .png, .svg or .pdf ({OWNER_ONLY})", required=True)
@option(
    "--limit", type=click.IntRange(min=0), default=LIMIT, help="Rows: connections, groups of them, or hosts; 0: all"
)
@option("--countdown", is_flag=True, help="idle: draw the time until the timer fires, as `ss -o` prints it")
@options.title
@option(
    "--theme",
    type=click.Choice(Theme),
    default=Theme.light,
    help="Colours; auto follows the viewer's light or dark setting (.svg only)",
)
@option("--dpi", type=click.IntRange(20, 1200), default=110, help="Dots per inch of a .png")
@with_groups(selection=Selection, reading=Reading)
def chart(
    captures: Sequence[str],
    selection: Selection,
    reading: Reading,
    kind: Kind,
    output: str,
    limit: int,
    countdown: bool,
    title: str | None,
    theme: Theme,
    dpi: int,
) -> None:
    """Draw one chart.

    timeline: a lane per connection, or per group of similar connections, worst first.
    idle: the idle timer of one connection. intervals: every gap between probes.
    ladder: the key segments of one connection. hosts: settings and verdicts side by side.
    idle and ladder show the worst of the selected connections.
    """
    form = picture_form(output)
    if theme is Theme.auto and form != "svg":
        raise UsageError(f"-o {output}: only an .svg follows the reader's theme; use --theme light or dark")
    if countdown and kind is not Kind.idle:
        raise UsageError("--countdown is for --kind idle")
    check_output(output, captures)
    outcome = Outcome(selection, reading.quiet)
    shown, streams = outcome.select(reading.analyse(captures, spool=kind in NEED_PACKETS))
    outcome.leave_without_match(only_connections=True)
    figure = _draw(shown, kind, streams, limit, countdown, selection.utc)
    picture = _picture(figure, form, title, theme, dpi)
    with binary_output(output) as out:
        out.write(picture)


def _draw(analysis: Analysis, kind: Kind, streams: list[int], limit: int, countdown: bool, utc: bool) -> Figure:
    charts = analysis.charts
    if kind is Kind.timeline:
        return charts.timeline(streams, limit=limit, utc=utc)
    if kind is Kind.idle:
        return charts.idle(streams, countdown=countdown, utc=utc)
    if kind is Kind.intervals:
        return charts.intervals(streams, utc=utc)
    if kind is Kind.ladder:
        return charts.ladder(streams, utc=utc)
    return charts.hosts(streams, limit=limit)


def _picture(figure: Figure, form: str, title: str | None, theme: Theme, dpi: int) -> bytes:
    """The picture, made before a file is touched."""
    from analyzer.report.charts.style import retitle, write_figure
    from analyzer.report.charts.themes import darken, following

    if title is not None:
        retitle(figure, title)
    if theme is Theme.dark:
        darken(figure)
    out = io.BytesIO()
    write_figure(figure, out, form, dpi)
    return following(out.getvalue().decode()).encode() if theme is Theme.auto else out.getvalue()
