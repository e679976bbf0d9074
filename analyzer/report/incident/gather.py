"""The incident report of an analysis: its facts and charts are gathered here, and written in `report.incident`."""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from analyzer.errors import UsageError
from analyzer.model.findings import URGENT
from analyzer.report.files import created
from analyzer.report.incident import About, Page, Picture, compose, write_html
from analyzer.version import __version__

if TYPE_CHECKING:
    from analyzer.report.analysed import Analysed
    from analyzer.report.charts.style import Figure

HELD = 40  # connections whose packets charts are made of: lanes of the timeline, and those below
WORST = 30  # connections with a part, and charts, of their own
TROUBLED = 2000  # whose decisive moments are told
HOSTS = 100
SHOWN = 10  # connections in a notebook's summary
TITLES = {
    "timeline": (
        "Who was alive, and when",
        "A lane for each connection, the worst first.",
    ),
    "intervals": (
        "Between probes",
        "How long probers waited before each probe, and how often so.",
    ),
    "hosts": ("Hosts side by side", "Settings and verdicts of each client's connections to each service."),
    "idle": ("Idle timer", "Time since its prober last received something, against time, with the probes on it."),
    "ladder": ("Decisive moments", "The segments that decide, between client and server, with their frame numbers."),
}


def incident_page(
    analysis: Analysed, streams: Sequence[int], command: str, *, charts: bool = True, utc: bool = False
) -> Page:
    """What the report on these connections says, with charts where there is room for them."""
    chosen = set(streams)
    ordered = analysis.worst_first(list(streams))
    worst = ordered[:WORST]
    troubled = [s for s in ordered if analysis.severity_of(s) in URGENT]
    if analysis.again is not None and charts:
        analysis.again.hold(ordered[:HELD])
    return compose(
        about=About(
            severities=analysis.severities,
            meanings=analysis.meanings,
            counts=analysis.verdict_counts(list(streams)),
            frame_text=analysis.frame_text,
            command=command,
            version=__version__,
        ),
        captures=analysis.captures,
        flows=analysis.flows_of(streams),
        worst=list(analysis.flows_of(worst)),
        troubled=list(analysis.flows_of(sorted(troubled[:TROUBLED]))),
        findings=[one for one in analysis.findings if one.stream is None or one.stream in chosen],
        hosts=islice((host for host in analysis.hosts(HOSTS) if not chosen.isdisjoint(host.streams)), HOSTS),
        pictures=_pictures(analysis, streams, utc) if charts and streams else [],
        pictures_of={stream: _pictures_of(analysis, stream, utc) for stream in worst} if charts else {},
    )


def write_report(analysis: Analysed, path: str) -> None:
    """Write the report on all connections; raises UsageError where it cannot be written."""
    command = shlex.join(["keepalive", "report", *(capture.path for capture in analysis.captures)])
    page = incident_page(analysis, range(len(analysis)), command)
    try:
        with os.fdopen(created(path), "w", encoding="utf-8", errors="backslashreplace") as out:
            write_html(page, out)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def notebook_summary(analysis: Analysed) -> str:
    """What a notebook shows of it."""
    from analyzer.report.notebook import summary

    streams = list(range(len(analysis)))
    worst = analysis.worst_first(streams)[:SHOWN]
    return summary(analysis.verdict_counts(streams), analysis.flows_of(worst), analysis.findings)


def _pictures(analysis: Analysed, streams: Sequence[int], utc: bool) -> list[Picture]:
    """Those of all connections together."""
    charts = analysis.charts
    return [
        _picture("timeline", charts.timeline(streams, utc=utc)),
        *([_picture("intervals", charts.intervals(streams, utc=utc))] if analysis.facts.probes[streams].any() else []),
        _picture("hosts", charts.hosts(streams)),
    ]


def _pictures_of(analysis: Analysed, stream: int, utc: bool) -> list[Picture]:
    """Those of one connection: its segments, and where somebody probed its idle timer."""
    pictures = [_picture("ladder", analysis.charts.ladder([stream], utc=utc))]
    if analysis.facts.probes[stream].any():
        pictures.append(_picture("idle", analysis.charts.idle([stream], utc=utc)))
    return pictures


def _picture(kind: str, figure: Figure) -> Picture:
    from analyzer.report.charts.style import write_figure

    out = io.BytesIO()
    write_figure(figure, out, "svg")
    return Picture(*TITLES[kind], out.getvalue().decode())
