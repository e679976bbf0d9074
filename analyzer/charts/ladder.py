"""The ladder of one connection: which frames decide, and what is said of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyzer.errors import UsageError
from analyzer.model.columns import MIDDLEBOX, Flow
from analyzer.model.words import Handshake, How, ProbeKind, Why
from analyzer.report.charts import style
from analyzer.report.charts.gather import empty_figure, most_telling, named
from analyzer.report.charts.ladder import Remark, draw_ladder, height_of
from analyzer.report.charts.moments import Moments
from analyzer.report.charts.probes import RESET, UNANSWERED, probes_of
from analyzer.report.times import duration
from analyzer.tables.fields import EVENT_RST, FIN_FRAME
from analyzer.tables.flow import by_server

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.report.charts.style import Figure

FIRST_PROBES, LAST_PROBES = 2, 10  # shown of many
TITLE_IN = 0.6
MARGINS = style.Margins(left=0.1, right=0.1, top=TITLE_IN - 0.1, bottom=0.1)
KINDS = ((ProbeKind.KEEPALIVE, "keepalive probe"), (ProbeKind.ZERO_WINDOW, "zero-window probe"))


def ladder(analysis: Analysis, streams: list[int], utc: bool) -> Figure:
    """See Charts.ladder."""
    if not streams:
        return empty_figure()
    stream = most_telling(analysis, streams)
    flow = analysis.flow(stream)
    remarks = _remarks(analysis, flow)
    moments = Moments(_decisive(analysis, flow, remarks))
    if analysis.again is None:
        raise UsageError("a ladder needs the packets, and those of a live analysis are gone")
    for batch in analysis.again.batches([stream]):
        moments.add(batch.rows, by_server(batch.rows, analysis.facts.tracks.flows))
    shown = moments.decisive()
    closing = _closing(analysis, flow)
    figure = style.new_figure(height_of(shown, len(closing)) + TITLE_IN, margins=MARGINS)
    axes = figure.subplots()
    draw_ladder(axes, flow, shown, remarks, closing, frame_text=analysis.frame_text, utc=utc)
    chosen = f", the worst of {len(streams)}" if len(streams) > 1 else ""
    below = f"{len(shown)} of {moments.count} segments; not to scale; seq and ack relative to the first"
    style.title(axes, f"Stream {stream} of {named(analysis)}{chosen}: {flow.verdict}", below)
    return figure


def _remarks(analysis: Analysis, flow: Flow) -> dict[int, Remark]:
    """What probes, answers and resets are, by frame."""
    facts, remarks = analysis.facts, {}
    for kind, name in KINDS:
        probes = probes_of(facts, np.array([flow.stream]), kind)
        place, since = 0, None
        for row in zip(*(column.tolist() for column in probes), strict=True):
            frame, _, heard, fate, answer, prober = row
            place, since = (place + 1 if (heard, prober) == since else 1), (heard, prober)
            lost = fate == UNANSWERED
            number = f" {place}" if place > 1 or lost else ""
            remarks[frame] = Remark(f"{name}{number}{': no answer' if lost else ''}", "lost" if lost else "probe")
            if answer:
                text = f"answers frame {analysis.frame_text(frame)}{' with RST' if fate == RESET else ''}"
                remarks.setdefault(answer, Remark(text, "answer"))
    for frame in facts.event_frames(flow.stream, EVENT_RST):
        if frame == flow.ending.frame:
            said = remarks[frame].text if frame in remarks else _why(flow)
            made = "RST made on the path" if flow.ending.by == MIDDLEBOX else ""
            remarks[frame] = Remark(", ".join(filter(None, (said, made))), "end")
    return remarks


def _decisive(analysis: Analysis, flow: Flow, remarks: dict[int, Remark]) -> set[int]:
    """Frames to show: the first rounds of probes and the last, RST and FIN, and what findings rest on."""
    facts = analysis.facts
    chosen: set[int] = set()
    for kind, _ in KINDS:
        probes = probes_of(facts, np.array([flow.stream]), kind)
        order = np.argsort(probes.time, kind="stable")
        for row in {*order[:FIRST_PROBES].tolist(), *order[-LAST_PROBES:].tolist()}:
            chosen |= {int(probes.frame[row]), int(probes.answer_frame[row])}
    chosen |= set(facts.event_frames(flow.stream, EVENT_RST))
    chosen |= set(facts.tracks.endpoints(FIN_FRAME)[flow.stream].tolist())
    for finding in analysis.findings:
        if finding.stream == flow.stream:
            chosen |= set(finding.evidence.frames[:LAST_PROBES])
    return chosen - {0}


def _why(flow: Flow) -> str:
    return "" if flow.ending.why is Why.NONE else flow.ending.why.name.lower().replace("_", " ")


def _closing(analysis: Analysis, flow: Flow) -> list[str]:
    """How it ended, and what was found."""
    facts, ending = analysis.facts, flow.ending
    by = f" by {ending.by}" if ending.by else ""
    words = {
        How.OPEN: f"open when the capture ends, {duration(max(facts.end - flow.end, 0))} after its last segment",
        How.FIN: "closed by FIN in both directions",
        How.RST: f"ended by RST{by}",
        How.HALF_CLOSED: f"half closed{by} when the capture ends, {duration(max(facts.end - flow.end, 0))} later",
        How.NO_ANSWER: "never answered",
        How.REFUSED: "refused",
        How.TIMEOUT: f"given up{by}: what was sent was never acknowledged",
    }[ending.how]
    begun = "; it began before the capture did" if flow.handshake is Handshake.NOT_CAPTURED else ""
    return [
        f"{words}{begun}",
        *(
            f"{one.severity.upper()} {one.rule}: {one.summary}."
            for one in analysis.findings
            if one.stream == flow.stream
        ),
    ]
