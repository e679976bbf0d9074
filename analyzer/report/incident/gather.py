"""The incident report of an analysis: its facts and charts are gathered here, and written in `report.incident`."""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from analyzer.errors import UsageError
from analyzer.model.captures import span_of
from analyzer.model.findings import URGENT, Finding
from analyzer.report.advice import write_text as write_advice
from analyzer.report.causes import causes, unexplained
from analyzer.report.files import created
from analyzer.report.incident import About, Page, Picture, compose, write_html
from analyzer.report.incident.ladders import frames_of, ladder_of
from analyzer.report.incident.moments import Known, Moment, together
from analyzer.report.times import zone
from analyzer.tables.fields import FIN_FRAME, FIN_TIME, FIRST_FRAME
from analyzer.version import __version__

if TYPE_CHECKING:
    from analyzer.model.flows import Flow, HostSettings
    from analyzer.report.analysed import Analysed
    from analyzer.report.charts.style import Figure

LANES = 12  # of the timeline
OWN = 12  # connections with a part of their own
EACH = 3  # of them for one cause
IDLE = 1  # of them with a chart of the idle timer: those that probed, the worst first
TROUBLED = 1000  # whose moments are told
HOSTS = 30
COMPARED, PROBING = 1000, 100  # connections: charts that compare more of them say little and take long
ADVICE_WIDTH = 96  # characters
SHOWN = 10  # connections in a notebook's summary
ROWS_A_STEP = 500
TITLES = {
    "timeline": ("What happened", "A lane for each connection or group of similar connections, the worst first."),
    "intervals": ("Between probes", "How long probers waited before each probe, and how often."),
    "hosts": ("Hosts side by side", "Settings and verdicts of each client's connections to each service."),
    "idle": ("Idle timer", "Time since the prober last received a packet, against time, with its probes."),
}
Step = Callable[[], None]


def incident_page(
    analysis: Analysed,
    streams: Sequence[int],
    command: str,
    *,
    charts: bool = True,
    utc: bool = False,
    title: str = "",
    step: Step = lambda: None,
) -> Page:
    """What the report on these connections and the findings says, with charts where there is room for them.

    `step` is called now and then: as often as `steps_of` says, until the page is written.
    """
    chosen, findings = set(streams), analysis.findings
    ordered = analysis.worst_first(list(streams))
    own = _with_a_part(findings, ordered, chosen)
    drawn = charts and bool(streams)
    if drawn and analysis.again is not None:
        analysis.again.hold(sorted({*own, *_in_lanes(analysis, streams)}))
    worst = list(analysis.flows_of(own))
    hosts = [host for host in analysis.hosts(HOSTS) if not chosen.isdisjoint(host.streams)]
    return compose(
        about=About(
            severities=analysis.severities,
            counts=analysis.verdict_counts(list(streams)),
            unexplained=unexplained(analysis, streams, findings),
            frame_text=analysis.frame_text,
            command=command,
            version=__version__,
            title=title,
            utc=utc or zone(span_of(analysis.captures).first, utc=False) == "UTC",
            end=analysis.facts.end,
            filters=len(analysis.captures) == 1,
        ),
        captures=analysis.captures,
        flows=_stepwise(analysis.flows_of(streams), step),
        own=worst,
        moments=_moments(analysis, ordered, own if drawn else []),
        findings=findings,
        hosts=hosts,
        advice=_advice(analysis, streams),
        story=_picture("timeline", analysis.charts.timeline(streams, limit=LANES, utc=utc), step) if drawn else None,
        pictures=list(_pictures(analysis, streams, hosts, utc, step)) if drawn else [],
        rungs={stream: ladder_of(analysis, stream, utc) for stream in own} if drawn else {},
        pictures_of=dict(_idle_of(analysis, worst, utc, step)) if drawn else {},
    )


def steps_of(connections: int) -> int:
    """About how many steps `incident_page` and the writing of the page take."""
    return 3 + IDLE + connections // ROWS_A_STEP


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


def _advice(analysis: Analysed, streams: Sequence[int]) -> str:
    """What other settings would have done, in lines, where something failed and it does not take long to say."""
    if len(streams) > COMPARED:
        return ""
    advice = analysis.advise(streams=streams)
    out = io.StringIO()
    if advice.failures:
        write_advice(advice, ADVICE_WIDTH, out)
    return out.getvalue()


def _with_a_part(findings: Sequence[Finding], ordered: Sequence[int], chosen: set[int]) -> list[int]:
    """Connections to look at: examples of each urgent cause in turn, then the worst."""
    urgent = [cause for cause in causes(findings) if cause.severity in URGENT]
    some = [[stream for stream in cause.streams if stream in chosen][:EACH] for cause in urgent]
    examples = [stream for turn in zip_longest(*some) for stream in turn if stream is not None]
    return list(dict.fromkeys([*examples, *ordered]))[:OWN]


def _in_lanes(analysis: Analysed, streams: Sequence[int]) -> list[int]:
    """The connections whose packets the timeline needs."""
    from analyzer.report.charts.timeline import in_lanes

    return in_lanes(analysis, list(streams), LANES)


def _moments(analysis: Analysed, ordered: Sequence[int], held: Sequence[int]) -> list[list[Moment]]:
    """The key moments of those in trouble, with frames; those of packets only for the connections that are held."""
    troubled = [stream for stream in ordered if analysis.severity_of(stream) in URGENT][:TROUBLED]
    tracks = analysis.facts.tracks

    def known(stream: int) -> Known:
        ends = slice(stream, stream + 1)
        fins = zip(*(tracks.endpoints(field, ends)[0].tolist() for field in (FIN_TIME, FIN_FRAME)), strict=True)
        client, server = ((time, frame) if frame else None for time, frame in fins)
        return Known(int(tracks.flows[stream, FIRST_FRAME]) or None, (client, server))

    return frames_of(analysis, together(analysis.flows_of(sorted(troubled)), known), held)


def _stepwise(flows: Iterable[Flow], step: Step) -> Iterator[Flow]:
    for place, flow in enumerate(flows):
        if place % ROWS_A_STEP == ROWS_A_STEP - 1:
            step()
        yield flow


def _pictures(
    analysis: Analysed, streams: Sequence[int], hosts: Sequence[HostSettings], utc: bool, step: Step
) -> Iterator[Picture]:
    """Those of all connections together, where there is something to compare."""
    charts, probes = analysis.charts, analysis.facts.probes[list(streams)]
    if 1 < (probes > 0).sum() <= PROBING:
        yield _picture("intervals", charts.intervals(streams, utc=utc), step)
    if len(streams) <= COMPARED and len({host.address for host in hosts}) > 1:
        yield _picture("hosts", charts.hosts(streams, limit=LANES), step)


def _idle_of(analysis: Analysed, own: Sequence[Flow], utc: bool, step: Step) -> Iterator[tuple[int, list[Picture]]]:
    """The idle timers of the first connections with probes."""
    for flow in islice((one for one in own if one.keepalive), IDLE):
        yield flow.stream, [_picture("idle", analysis.charts.idle([flow.stream], utc=utc), step)]


def _picture(kind: str, figure: Figure, step: Step) -> Picture:
    from analyzer.report.charts.style import write_figure
    from analyzer.report.charts.themes import inline

    out = io.BytesIO()
    write_figure(figure, out, "svg")
    step()
    return Picture(*TITLES[kind], inline(out.getvalue().decode()))
