"""What several charts need: the span of time, the capture's name, and packets read a second time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analyzer.model.words import ProbeKind
from analyzer.report.charts.activity import Activity
from analyzer.report.charts.axis import Span
from analyzer.report.charts.probes import probes_of
from analyzer.tables.fields import END_TIME, FIRST_TIME
from analyzer.tables.flow import are_heartbeats, by_server

if TYPE_CHECKING:
    from analyzer.model.columns import Facts
    from analyzer.report.analysed import Analysed
    from analyzer.report.charts.style import Figure
    from analyzer.tables.arrays import Column

NO_CONNECTION = "no TCP connection to show"


def span_of(facts: Facts, streams: Sequence[int], utc: bool) -> Span:
    """From the first segment of these connections to the end of the last; of open ones that is the capture's end."""
    flows, ended = facts.tracks.flows[streams], facts.ended[streams]
    ends = np.maximum(np.where(ended == 0, facts.end, ended), flows[:, END_TIME])
    return Span(int(flows[:, FIRST_TIME].min()), int(ends.max()), utc)


def named(analysis: Analysed) -> str:
    """The capture, or how many there are."""
    captures = analysis.captures
    first = Path(captures[0].path)
    name = first.name if first.stem != "capture" else str(Path(*first.parts[-2:]))
    return name if len(captures) == 1 else f"{name} and {len(captures) - 1} more"


def probing_frames(facts: Facts, streams: Column, *, answers: bool) -> Column:
    """The frames of the probes of these streams, and of what answered them where that is wanted.

    Sorted, each once; 0 is among them where `answers` is set and a probe had none.
    """
    frames = []
    for kind in (ProbeKind.KEEPALIVE, ProbeKind.ZERO_WINDOW):
        probes = probes_of(facts, streams, kind)
        frames += [probes.frame, *([probes.answer_frame] if answers else [])]
    return np.unique(np.concatenate(frames))


def activity_of(
    analysis: Analysed,
    streams: Sequence[int],
    span: Span,
    frames: Sequence[int] = (),
    *,
    answers: bool,
    beats: Activity | None = None,
) -> Activity:
    """When the ends of these connections sent something, probes left out; `answers` leaves out what answered them.

    Where there are `beats` heartbeats are left out, too, and become these.
    """
    facts = analysis.facts
    activity = Activity(streams, span.start, span.end)
    activity.look_for(frames)
    if beats is not None:
        beats.look_for(frames)
    left_out = probing_frames(facts, np.asarray(streams, np.int64), answers=answers)
    if streams and analysis.again is not None:
        for batch in analysis.again.batches(streams):
            rows = batch.rows
            if beats is not None:
                beating = are_heartbeats(rows, facts.tracks.flows, facts.beating)
                beats.add(rows[beating], by_server(rows[beating], facts.tracks.flows), left_out)
                rows = rows[~beating]
            activity.add(rows, by_server(rows, facts.tracks.flows), left_out)
    if beats is not None:
        activity.times_of |= beats.times_of
    return activity


def empty_figure(text: str = NO_CONNECTION) -> Figure:
    """A figure that says that there is nothing to draw."""
    from analyzer.report.charts.style import empty, new_figure

    figure = new_figure(2.0)
    empty(figure.subplots(), text)
    return figure


def most_telling(analysis: Analysed, streams: list[int]) -> int:
    """The worst connection with probes in it, or the worst."""
    probes = analysis.facts.probes[streams].sum(axis=1)
    probed = [stream for stream, count in zip(streams, probes.tolist(), strict=True) if count]
    return analysis.worst_first(probed or streams)[0]
