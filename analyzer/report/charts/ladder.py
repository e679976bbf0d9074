"""The ladder of one connection: which frames decide, and what is said of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.errors import UsageError
from analyzer.model.durations import duration
from analyzer.model.flows import MIDDLEBOX, Flow
from analyzer.model.words import Handshake, How, ProbeKind
from analyzer.report.charts import style
from analyzer.report.charts.gather import empty_figure, most_telling, named
from analyzer.report.charts.probes import RESET, UNANSWERED, probes_of
from analyzer.report.charts.segments import Segment, Segments
from analyzer.report.charts.style import BLACK, BLUE, GREEN, GREY, ORANGE, RED, write
from analyzer.report.phrases import REASONS
from analyzer.report.times import clock, clock_with_fraction
from analyzer.tables.fields import EVENT_RST, FIN_FRAME
from analyzer.tables.flow import by_server
from analyzer.tcp import ACK, FIN, PSH, RST, SECOND, SYN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analyzer.report.analysed import Analysed
    from analyzer.report.charts.style import Figure

FIRST_PROBES, LAST_PROBES = 2, 10  # shown of many
TITLE_IN = 0.6
MARGINS = style.Margins(left=0.1, right=0.1, top=TITLE_IN - 0.1, bottom=0.1)
KINDS = ((ProbeKind.KEEPALIVE, "keepalive probe"), (ProbeKind.ZERO_WINDOW, "zero-window probe"))
ROW_IN = 0.3
SILENCE_NS = SECOND // 2  # shorter ones are not told
CLIENT_X, SERVER_X = 0.25, 0.7
HEAD = 0.003  # of the width, from the middle of an arrow's head to its tip
MOST_REMARK, MOST_CLOSING = 56, 185  # characters that there is room for
LOST_AT = 0.8  # of the way
FLAGS = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"))
# Colour, line and width of each kind's arrow.
ARROWS = {
    "": (BLACK, "-", 1.0),
    "probe": (BLUE, (0, (5, 2)), 1.3),
    "lost": (RED, (0, (5, 2)), 1.3),
    "answer": (GREEN, "-", 1.3),
    "end": (BLACK, "-", 2.4),
    "icmp": (ORANGE, (0, (1, 1)), 1.6),
}


def ladder(analysis: Analysed, streams: list[int], utc: bool) -> Figure:
    """See Charts.ladder; raises UsageError where the packets cannot be read a second time."""
    if not streams:
        return empty_figure()
    stream = most_telling(analysis, streams)
    flow = analysis.flow(stream)
    remarks = _remarks(analysis, flow)
    segments = Segments(_decisive(analysis, flow, remarks))
    if analysis.again is None:
        raise UsageError("a ladder needs the packets, and those of a live analysis are gone")
    for batch in analysis.again.batches([stream]):
        segments.add(batch.rows, by_server(batch.rows, analysis.facts.tracks.flows))
    shown = segments.decisive()
    closing = _closing(analysis, flow)
    figure = style.new_figure(height_of(shown, len(closing)) + TITLE_IN, margins=MARGINS)
    axes = figure.subplots()
    draw_ladder(axes, flow, shown, remarks, closing, frame_text=analysis.frame_text, utc=utc)
    chosen = f", the worst of {len(streams)}" if len(streams) > 1 else ""
    below = f"{len(shown)} of {segments.count} segments; not to scale; seq and ack relative to the first"
    style.title(axes, f"Stream {stream} of {named(analysis)}{chosen}: {flow.verdict}", below)
    return figure


def _remarks(analysis: Analysed, flow: Flow) -> dict[int, Remark]:
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
            said = remarks[frame].text if frame in remarks else REASONS[flow.ending.why].word
            made = "RST made on the path" if flow.ending.by == MIDDLEBOX else ""
            remarks[frame] = Remark(", ".join(filter(None, (said, made))), "end")
    return remarks


def _decisive(analysis: Analysed, flow: Flow, remarks: dict[int, Remark]) -> set[int]:
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


def _closing(analysis: Analysed, flow: Flow) -> list[str]:
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


class Remark(NamedTuple):
    """What a frame is, for the reader, and how it is drawn."""

    text: str
    kind: str  # "probe", "lost", "answer", "end", or ""


PLAIN = Remark("", "")


class Row(NamedTuple):
    """One line of the diagram: a segment, or words about what lies between two."""

    segment: Segment | None
    text: str


def rows_of(segments: Sequence[Segment]) -> list[Row]:
    """The segments, with the silences and the segments left out between them."""
    rows: list[Row] = []
    for before, segment in zip([None, *segments], segments, strict=False):
        if before is not None:
            waited, missing = segment.time - before.time, segment.place - before.place - 1
            if missing:
                rows.append(Row(None, f"{missing} segment{'s' * (missing > 1)} in {duration(waited)}"))
            elif waited >= SILENCE_NS:
                rows.append(Row(None, f"{duration(waited)} of silence"))
        rows.append(Row(segment, ""))
    return rows


def height_of(segments: Sequence[Segment], notes: int) -> float:
    """Inches that the diagram takes."""
    return ROW_IN * (len(rows_of(segments)) + 2.5 + notes)


def draw_ladder(
    axes: Axes,
    flow: Flow,
    segments: Sequence[Segment],
    remarks: Mapping[int, Remark],
    closing: Sequence[str],
    *,
    frame_text: Callable[[int], str],
    utc: bool = False,
) -> None:
    """Who sent what when, from top to bottom, not to scale; `remarks` by frame, `closing` lines about the end."""
    rows = rows_of(segments)
    bottom = len(rows) + 0.2
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom + len(closing), -1.6)
    for x, name, endpoint in ((CLIENT_X, "client", flow.client), (SERVER_X, "server", flow.server)):
        write(axes, x, -0.95, f"{name}\n".strip(), ha="center", fontweight="bold")
        write(axes, x, -0.45, style.shortened(str(endpoint), 48), ha="center")
        axes.plot([x, x], [-0.1, bottom], color=GREY, linewidth=1.0, zorder=1)
    first = segments[0].time if segments else 0
    day = clock(first, utc, "%Y-%m-%d")
    write(axes, 0.0, -0.45, f"frame   {day}", ha="left", color=GREY)
    for y, row in enumerate(rows, start=1):
        if row.segment is None:
            _draw_words(axes, y - 0.4, row.text)
            continue
        segment = row.segment
        when = f"{clock_with_fraction(segment.time, utc)}  +{(segment.time - first) / SECOND:.6f} s"
        write(axes, 0.0, y - 0.35, frame_text(segment.frame), ha="left", fontweight="bold")
        write(axes, 0.045, y - 0.35, when, ha="left", color=GREY)
        _draw_arrow(axes, y - 0.35, segment, remarks.get(segment.frame, PLAIN))
    for place, text in enumerate(closing):
        told = style.shortened(text, MOST_CLOSING)
        write(axes, 0.0, bottom + 0.4 + place * 0.75, told, ha="left", fontweight="normal" if place else "bold")


def _draw_words(axes: Axes, y: float, text: str) -> None:
    """Words between the lifelines, which are broken there."""
    for x in (CLIENT_X, SERVER_X):
        axes.plot([x, x], [y - 0.3, y + 0.3], color="white", linewidth=3, linestyle=(0, (1, 1)), zorder=2)
    write(axes, (CLIENT_X + SERVER_X) / 2, y, text, ha="center", color=GREY, style="italic")


def _draw_arrow(axes: Axes, y: float, segment: Segment, remark: Remark) -> None:
    kind = "icmp" if segment.icmp else "end" if segment.flags & RST else remark.kind
    colour, line, width = ARROWS[kind]
    start, end = (CLIENT_X, SERVER_X) if segment.side == 0 else (SERVER_X, CLIENT_X)
    if segment.icmp:  # what a router sends back to whoever sent the quoted segment
        start, end = (CLIENT_X + SERVER_X) / 2, start
    lost = kind == "lost"
    tip = start + (end - start) * LOST_AT if lost else end
    # Lines with a mark for a head: each arrow of matplotlib's own is cut to its ends anew whenever it is drawn.
    axes.plot([start, tip], [y, y], color=colour, linestyle=line, linewidth=width, zorder=3, clip_on=False)
    if not lost:
        head, inside = (">", -HEAD) if end > start else ("<", HEAD)
        axes.plot([tip + inside], [y], color=colour, marker=head, markersize=5 + width, zorder=3, clip_on=False)
    if lost:
        style.plot_marks(axes, style.UNANSWERED._replace(size=8), [tip], [y])
    background = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
    write(
        axes, (CLIENT_X + SERVER_X) / 2, y - 0.27, _words(segment), ha="center", fontsize=6.5, zorder=4, bbox=background
    )
    text = style.shortened(remark.text or ("ICMP error about it" if segment.icmp else ""), MOST_REMARK)
    write(axes, SERVER_X + 0.02, y, text, ha="left", fontweight="bold" if kind in ("lost", "end") else "normal")


def _words(segment: Segment) -> str:
    """Flags and numbers: `PSH ACK  seq 1  ack 1  len 180`."""
    if segment.icmp:
        return f"ICMP error: quotes seq {segment.seq}"
    flags = " ".join(name for bit, name in FLAGS if segment.flags & bit) or "no flags"
    parts = [flags, f"seq {segment.seq}"]
    if segment.ack is not None:
        parts.append(f"ack {segment.ack}")
    parts.append(f"len {segment.len}")
    if not segment.window and not segment.flags & (RST | SYN):
        parts.append("win 0")
    return "  ".join(parts)
