"""What a report needs of packets: the ladder of a connection in words, and the frames of moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from analyzer.report.charts.rungs import PLAIN, kind_of, remark_text, rows_of, rungs_of, words_of
from analyzer.report.incident.moments import Moment
from analyzer.report.incident.nouns import Rung
from analyzer.report.times import clock_with_fraction
from analyzer.tables.fields import FRAME, STREAM, TIME

if TYPE_CHECKING:
    from analyzer.report.analysed import Analysed


def ladder_of(analysis: Analysed, stream: int, utc: bool) -> list[Rung]:
    """The segments of a connection that decide, from top to bottom; none where the packets cannot be read again."""
    return list(_rungs(analysis, stream, utc)) if analysis.again is not None else []


def _rungs(analysis: Analysed, stream: int, utc: bool) -> Iterator[Rung]:
    rungs = rungs_of(analysis, stream)
    for segment, text in rows_of(rungs.segments):
        if segment is None:
            yield Rung("", "", None, "", text, "")
            continue
        remark = rungs.remarks.get(segment.frame, PLAIN)
        yield Rung(
            frame=analysis.frame_text(segment.frame),
            time=clock_with_fraction(segment.time, utc),
            side=1 - segment.side if segment.icmp else segment.side,  # an error goes back to the sender
            kind=kind_of(segment, remark),
            text=words_of(segment),
            remark=remark_text(segment, remark),
        )


def frames_of(analysis: Analysed, moments: list[list[Moment]], held: Sequence[int]) -> list[list[Moment]]:
    """The moments with the frames of packets of these connections, where a moment names none."""
    if analysis.again is None or not held:
        return moments
    wanted = {(one.flow.stream, one.time) for some in moments for one in some[:1] if one.frame is None}
    wanted = {key for key in wanted if key[0] in set(held)}
    found: dict[tuple[int, int], int] = {}
    if wanted:
        for batch in analysis.again.batches(sorted({stream for stream, _ in wanted})):
            for stream, time, frame in batch.rows[:, (STREAM, TIME, FRAME)].tolist():
                if (stream, time) in wanted:
                    found.setdefault((stream, time), frame)
    return [
        [one._replace(frame=one.frame or found.get((one.flow.stream, one.time))) for one in some] for some in moments
    ]
