"""The two ways in which JSON writes episodes: all at once where they are steady, one by one elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analyzer.model.captures import CaptureFacts
from analyzer.model.flows import Episode, Episodes, Probe
from analyzer.model.words import Outcome
from analyzer.report.json import Writer
from analyzer.tables.arrays import Column

SECOND = 1_000_000_000


class Rounds(Episodes):
    """Answered rounds, given as columns."""

    def __init__(self, rows: Column, steady: bool) -> None:
        self.rows, self.is_steady = rows, steady

    def steady(self) -> Column | None:
        return self.rows if self.is_steady else None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        start, end, frame, time, answer_frame, answer_time = self.rows[index].tolist()
        return Episode(start, end, Outcome.ANSWERED, (Probe(frame, time, answer_frame, answer_time),))


class Analysed:
    captures = [CaptureFacts("capture.pcap")]  # noqa: RUF012

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def frame_text(self, frame: int) -> str:
        return str(frame)


@pytest.mark.parametrize("digits", [0, 3, 6, 9])
@pytest.mark.parametrize("first", [-20 * SECOND - 500_000_000, -500_000_000, 0, 5, 1_795_000_000 * SECOND + 7])
def test_episodes_are_written_alike_at_once_and_one_by_one(first: int, digits: int) -> None:
    rows = np.array(
        [[first, first + 3, 1, first + 2, 2, first + 3], [first + 3, first + 9, 3, first + 8, 4, first + 9]]
    )
    writer = Writer(Analysed(digits))
    assert writer.episodes(Rounds(rows, True)) == writer.episodes(Rounds(rows, False))
