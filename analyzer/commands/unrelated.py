"""Whether captures that are read together look as if they had nothing to do with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.tables.fields import END_TIME, FIRST_TIME
from analyzer.tcp import SECOND

if TYPE_CHECKING:
    from analyzer.analysis import Analysis

OVERLAP_NS = SECOND  # of two files of a rotated set: packets are not always written in order of time
PAUSE_NS = 60 * SECOND  # between two such files at least; more where the files are longer than that


def look_unrelated(analysis: Analysis) -> bool:
    """Whether a capture neither shares packets with another, nor follows on those before it.

    Files of different interfaces, made at one time, look the same: this is worth a hint and no more.
    """
    shared = {index for index, facts in enumerate(analysis.captures) if facts.shared or facts.same_traffic}
    shared |= {facts.same_traffic.capture for facts in analysis.captures if facts.same_traffic}
    spans = sorted(
        (facts.first_time, facts.last_time, index)
        for index, facts in enumerate(analysis.captures)
        if facts.first_time is not None and facts.last_time is not None
    )
    longest = max((last - first for first, last, _ in spans), default=0)
    end = spans[0][1] if spans else 0
    for first, last, index in spans[1:]:
        near = -OVERLAP_NS <= first - end <= max(PAUSE_NS, longest)
        if index not in shared and not near and not (first > end and _goes_on(analysis, end, first)):
            return True
        end = max(end, last)
    return False


def _goes_on(analysis: Analysis, end: int, first: int) -> bool:
    """Whether a connection from before a pause goes on after it."""
    flows = analysis.facts.tracks.flows
    return bool(((flows[:, FIRST_TIME] <= end) & (flows[:, END_TIME] >= first)).any())
