"""What is to be said of single frames: probes and their answers, resets, what findings rest on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyzer.model.flows import MIDDLEBOX, SIDES
from analyzer.model.words import ProbeKind, Why
from analyzer.report.phrases import REASONS
from analyzer.tables.arrays import Column
from analyzer.tables.fields import (
    ANSWER,
    ANSWER_FRAME,
    ANSWER_NONE,
    ANSWER_RST,
    PROBE_FRAME,
    PROBE_MARKS,
    PROBE_SINCE,
    PROBE_TIME,
)

if TYPE_CHECKING:
    from analyzer.report.analysed import Analysed

NAMES = {ProbeKind.KEEPALIVE: "keepalive probe", ProbeKind.ZERO_WINDOW: "zero-window probe"}
Remarks = dict[int, list[str]]


def remarks_on(analysis: Analysed, streams: Sequence[int]) -> Remarks:
    """Words for each frame of these connections that something is to be said of, by frame number."""
    remarks: Remarks = {}
    chosen = np.zeros(len(analysis), bool)
    chosen[list(streams)] = True
    for kind, name in NAMES.items():
        _remark_probes(analysis, chosen, kind, name, remarks)
    for flow in analysis.flows_of(streams):
        ending = flow.ending
        if ending.frame is not None:
            why = "" if ending.why is Why.NONE else f": {REASONS[ending.why].word}"
            by = "a device on the path" if ending.by == MIDDLEBOX else f"the {ending.by}"
            _add(remarks, ending.frame, f"RST by {by}{why}; stream {flow.stream} is {flow.verdict}")
    for finding in analysis.findings:
        about = set(finding.streams) if finding.stream is None else {finding.stream}
        if not about or not about.isdisjoint(streams):
            for frame in finding.evidence.frames:
                _add(remarks, frame, f"{finding.severity} {finding.rule}: {finding.summary}")
    return remarks


def _remark_probes(analysis: Analysed, chosen: Column, kind: ProbeKind, name: str, remarks: Remarks) -> None:
    """Each probe by its place in its idle gap, and what answered it."""
    facts = analysis.facts
    log, who = facts.tracks.probes, facts.prober
    rows = np.flatnonzero((facts.probe_kind == kind) & chosen[who >> 1])
    rows = rows[np.lexsort((log[rows, PROBE_TIME], who[rows]))]
    before: tuple[int, int] | None = None
    place = 0
    for row, prober in zip(log[rows].tolist(), who[rows].tolist(), strict=True):
        gap = prober, row[PROBE_SINCE]
        place, before = (place + 1 if gap == before else 1), gap
        stream, side = divmod(prober, 2)
        answer = row[PROBE_MARKS] & ANSWER
        frame, reply = row[PROBE_FRAME], row[ANSWER_FRAME]
        fate = "no answer" if answer == ANSWER_NONE else f"answered in frame {analysis.frame_text(reply)}"
        _add(remarks, frame, f"{name} {place} of the {SIDES[side]}, {fate}; stream {stream}")
        if answer != ANSWER_NONE:
            word = "RST in answer to" if answer == ANSWER_RST else "answers"
            _add(remarks, reply, f"{word} the {name} in frame {analysis.frame_text(frame)}")


def _add(remarks: Remarks, frame: int, text: str) -> None:
    told = remarks.setdefault(frame, [])
    if text not in told:
        told.append(text)
