"""The ladder of one connection in words: the segments that decide, and what is said of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.errors import UsageError
from analyzer.model.flows import MIDDLEBOX, Flow
from analyzer.model.quantities import duration
from analyzer.model.words import Handshake, How, ProbeKind
from analyzer.report.charts.probes import RESET, UNANSWERED, probes_of
from analyzer.report.charts.segments import Segment, Segments
from analyzer.report.phrases import REASONS
from analyzer.tables.fields import EVENT_RST, FIN_FRAME
from analyzer.tables.flow import by_server
from analyzer.tcp import ACK, FIN, PSH, RST, SECOND, SYN

if TYPE_CHECKING:
    from analyzer.report.analysed import Analysed

FIRST_PROBES, LAST_PROBES = 2, 10  # shown of many
KINDS = ((ProbeKind.KEEPALIVE, "keepalive probe"), (ProbeKind.ZERO_WINDOW, "zero-window probe"))
SILENCE_NS = SECOND // 2  # shorter ones are not told
FLAGS = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"))


class Rungs(NamedTuple):
    """The segments of a connection that decide, of `total`; remarks by frame, and lines about how it ended."""

    flow: Flow
    segments: Sequence[Segment]
    total: int
    remarks: Mapping[int, Remark]
    closing: Sequence[str]


def rungs_of(analysis: Analysed, stream: int) -> Rungs:
    """Those of one connection; raises UsageError where the packets cannot be read a second time."""
    flow = analysis.flow(stream)
    remarks = _remarks(analysis, flow)
    segments = Segments(_decisive(analysis, flow, remarks))
    if analysis.again is None:
        raise UsageError("a ladder needs the packets, and those of a live analysis are gone")
    for batch in analysis.again.batches([stream]):
        segments.add(batch.rows, by_server(batch.rows, analysis.facts.tracks.flows))
    return Rungs(flow, segments.decisive(), segments.count, remarks, _closing(analysis, flow))


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
                rows.append(Row(None, f"{duration(waited)} idle"))
        rows.append(Row(segment, ""))
    return rows


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
            remarks[frame] = Remark(f"{name}{number}{': no reply' if lost else ''}", "lost" if lost else "probe")
            if answer:
                text = f"answers frame {analysis.frame_text(frame)}{' with an RST' if fate == RESET else ''}"
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
    by = f" by the {ending.by}" if ending.by else ""
    words = {
        How.OPEN: f"open when the capture ends, {duration(max(facts.end - flow.end, 0))} after its last segment",
        How.FIN: "closed by FIN in both directions",
        How.RST: f"reset{by}",
        How.HALF_CLOSED: f"half closed{by} when the capture ends, {duration(max(facts.end - flow.end, 0))} later",
        How.NO_ANSWER: "no reply to the SYN",
        How.REFUSED: "refused",
        How.TIMEOUT: f"given up{by}: its data was never acknowledged",
    }[ending.how]
    begun = "; opened before the capture began" if flow.handshake is Handshake.NOT_CAPTURED else ""
    return [
        f"{words}{begun}",
        *(
            f"{one.severity.upper()} {one.rule}: {one.summary}."
            for one in analysis.findings
            if one.stream == flow.stream
        ),
    ]


def remark_text(segment: Segment, remark: Remark) -> str:
    """What is said beside it."""
    return remark.text or (f"about the segment with seq {segment.seq}" if segment.icmp else "")


def kind_of(segment: Segment, remark: Remark) -> str:
    """How it is drawn: as what its remark says it is, an ICMP error, or the end."""
    return "icmp" if segment.icmp else "end" if segment.flags & RST else remark.kind


def words_of(segment: Segment) -> str:
    """Flags and numbers: `PSH ACK  seq 1  ack 1  len 180`."""
    if segment.icmp:
        return segment.icmp
    flags = " ".join(name for bit, name in FLAGS if segment.flags & bit) or "no flags"
    parts = [flags, f"seq {segment.seq}"]
    if segment.ack is not None:
        parts.append(f"ack {segment.ack}")
    parts.append(f"len {segment.len}")
    if not segment.window and not segment.flags & (RST | SYN):
        parts.append("win 0")
    return "  ".join(parts)
