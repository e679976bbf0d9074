"""What is done otherwise where there is very much of something, tried with little."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from conversation import Conversation
from observe import analyzed

from analyzer.commands import console
from analyzer.diagnose import judge
from analyzer.measure import measure
from analyzer.model import captures, columns
from analyzer.model.captures import CaptureFacts, Span, running
from analyzer.model.quantities import duration
from analyzer.report.charts import notes
from analyzer.tables.arrays import in_order

HOUR, DAY = 3600 * 10**9, 86400 * 10**9


def test_many_connections_are_measured_and_judged_in_parts_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = analyzed(*(Conversation(ports=(40_000 + number, 80)).handshake() for number in range(9))).facts
    monkeypatch.setattr(columns, "FLOWS_AT_A_TIME", 2)
    parts = measure(whole.tracks, whole.end)
    for name in ("client", "server", "service", "handshake", "how", "by", "why", "ended", "beating", "trailing"):
        assert getattr(parts, name).tolist() == getattr(whole, name).tolist(), name
    assert judge(parts, HOUR).tolist() == judge(whole, HOUR).tolist()


def test_places_in_order_are_those_of_a_stable_sort() -> None:
    numbers = np.random.default_rng(1).integers(0, 50, 1000).astype(np.int32)
    assert in_order(numbers).tolist() == np.argsort(numbers, kind="stable").tolist()


def test_when_a_capture_ran_is_not_known_if_its_times_are_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged time stamps would fill the memory, and show nothing."""
    monkeypatch.setattr(captures, "MAX_WATCHES", 3)
    facts = CaptureFacts("capture")
    for number in range(2):
        facts.note_span(number * 10 * DAY, number * 10 * DAY + 5)
    assert running([facts]) == [Span(0, 5), Span(10 * DAY, 10 * DAY + 5)]
    for number in range(2, 9):
        facts.note_span(number * 10 * DAY, number * 10 * DAY + 5)
    assert len(facts.watches) == 3
    assert running([facts]) == []


def test_below_a_chart_stand_the_first_notes_and_how_many_more_there_are() -> None:
    told = [(letter, f"finding {letter}") for letter in "ABCDEFGHIJKLMNO"]
    assert notes.height_of(told) == notes.height_of(told[: notes.MOST]) + notes.LINE_IN
    assert notes.height_of([("A", "word " * 60)]) == notes.height_of(told[:3])  # of three lines


@pytest.mark.parametrize(
    ("time", "words"),
    [(2 * HOUR, "2 h"), (DAY - HOUR // 60, "23 h 59 min"), (2 * DAY, "2 d"), (3 * DAY + 4 * HOUR, "3 d 4 h")],
)
def test_long_times_are_told_in_two_units(time: int, words: str) -> None:
    assert duration(time) == words


@pytest.mark.parametrize(
    ("wanted", "quiet", "terminal", "drawn"),
    [(None, False, True, True), (None, True, True, False), (None, False, False, False), (True, True, False, True)],
)
def test_a_bar_is_drawn_once_reading_takes_longer_than_a_second(
    wanted: bool | None, quiet: bool, terminal: bool, drawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars: list[tuple[int, list[int]]] = []

    def bar(stack: object, work: str, total: int) -> Callable[[int, int], None]:
        bars.append((total, []))
        return lambda done, total: bars[-1][1].append(done)

    now = [100.0]
    monkeypatch.setattr(console, "_rich_bar", bar)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    errors = io.StringIO()
    monkeypatch.setattr(errors, "isatty", lambda: terminal)
    monkeypatch.setattr(console, "sys", SimpleNamespace(stderr=errors))
    with console.progress_bar(wanted, quiet) as advance:
        for second in (0.5, 1.5, 2.5):
            now[0] = 100 + second
            advance(round(second * 2), 9)
    assert bars == ([(9, [3, 5])] if drawn else [])
