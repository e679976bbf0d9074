"""What the charts show: teeth, gaps, moments and odd ones, from conversations whose course is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from charted import analysed, lost, moved, words
from conversation import CLIENT, SERVER, Conversation
from results import ROOT, recorded

from analyzer import Analysis
from analyzer.diagnose import VERDICTS
from analyzer.model.flows import Estimate
from analyzer.report.charts import style
from analyzer.report.charts.axis import STEPS, Span, step_of, ticks
from analyzer.report.charts.gather import activity_of, span_of
from analyzer.report.charts.hosts import LOOKS
from analyzer.report.charts.probes import ANSWERED, UNANSWERED, gaps_of, probes_of
from analyzer.report.charts.saw import Saw, counted_down, counted_up, height_at
from analyzer.report.charts.segments import MOST, Segments

S = 1_000_000_000
START = 1_700_000_000 * S


# -- time


@pytest.mark.parametrize("length", [0.001, 0.02, 1, 2, 59, 61, 3600, 7300, 2 * 86_400, 40 * 86_400, 4e8])
def test_an_axis_of_any_length_has_a_few_ticks_in_order(length: float) -> None:
    span = Span(START + 123_456_789, START + 123_456_789 + round(length * S), utc=True)
    marks = ticks(span)
    assert len(marks) <= 11
    assert len(marks) >= 2 or length >= 4e8
    assert [x for x, _ in marks] == sorted(x for x, _ in marks)
    assert len({label for _, label in marks}) == len(marks) or length > 86_400  # the same hour of another day
    assert step_of(length) in STEPS


def test_ticks_are_at_whole_times_of_the_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "XYZ-5:30")
    time.tzset()
    try:
        local = [label.partition("\n")[0] for _, label in ticks(Span(START, START + 2 * 86_400 * S))]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert {label[-5:] for label in local} <= {"00:00", "06:00", "12:00", "18:00"}


def test_the_date_stands_where_it_begins() -> None:
    dated = [label for _, label in ticks(Span(START, START + 2 * 86_400 * S, utc=True)) if "\n" in label]
    assert [label.partition("\n")[2] for label in dated] == ["2023-11-15", "2023-11-16"]


def test_labels_move_apart_and_stay_in_order() -> None:
    assert style.spread([0.5, 0.1, 0.11, 0.9], 0.05) == pytest.approx([0.5, 0.1, 0.15, 0.9])
    moved = style.spread([0.99, 1.0, 0.98], 0.05)
    assert max(moved) <= 1
    assert min(abs(a - b) for a, b in [(moved[0], moved[1]), (moved[0], moved[2])]) >= 0.0499


# -- the idle timer


def seconds(value: float) -> Estimate:
    return Estimate(value, value, value, 1)


def saw_of(analysis: Analysis, time: float = 10, intvl: float | None = 5) -> Saw:
    flow, facts = analysis.flow(0), analysis.facts
    activity = activity_of(analysis, [0], span_of(facts, [0], True), answers=False)
    probes = probes_of(facts, np.array([0]))
    end = flow.ending.time or facts.end
    settings = (seconds(time), None if intvl is None else seconds(intvl), seconds(3))
    return Saw(flow, 0, activity.times(0, 1), activity.times(0, 0), probes.sent_by(0, 0), end, *settings)


def test_the_tooth_rises_a_second_in_a_second_from_what_was_received(tmp_path: Path) -> None:
    saw = saw_of(analysed(tmp_path, lost()))
    times, heights = counted_up(saw)
    rising = np.diff(times)[::2] / S
    assert np.allclose(np.diff(heights)[::2], rising)
    assert heights.max() == pytest.approx(25, abs=0.1)
    assert height_at(saw, saw.probes.time).tolist() == pytest.approx([10, 10, 15, 20], abs=0.1)


def test_the_timer_is_counted_down_to_each_probe(tmp_path: Path) -> None:
    line = counted_down(saw_of(analysed(tmp_path, lost())))
    assert line is not None
    times, heights = line
    assert heights.min() >= 0
    saw = saw_of(analysed(tmp_path, lost()))
    for probe in saw.probes.time.tolist():
        assert heights[times == probe].min() == pytest.approx(0, abs=1e-6)  # it fires
        assert heights[times == probe].max() == pytest.approx(5, abs=0.1)  # and is set to the interval


def test_after_an_answer_the_timer_sleeps_for_the_rest_of_the_idle_time(tmp_path: Path) -> None:
    line = counted_down(saw_of(analysed(tmp_path, lost())))
    assert line is not None
    first = saw_of(analysed(tmp_path, lost())).probes.time[0]
    fired = line[0][::2].tolist()
    # Five seconds after the answered probe it looks and sleeps for five more: tcp_keepalive_timer in Linux.
    assert any(abs(time - (first + 5 * S)) < S // 10 for time in fired)


def test_without_an_idle_time_nothing_is_counted_down(tmp_path: Path) -> None:
    saw = saw_of(analysed(tmp_path, lost()))._replace(tcp_keepalive_time=None)
    assert counted_down(saw) is None
    quiet = Conversation().handshake().data(CLIENT).idle(20)
    said = words(analysed(tmp_path, quiet).charts.idle(countdown=True))
    assert any(text.endswith("; no probe") for text in said)


def test_the_settings_and_who_forgets_sooner_stand_beside_the_teeth(tmp_path: Path) -> None:
    talk = Conversation(rtt=0.02).handshake().data(CLIENT).idle(300).probes(CLIENT, 4, every=75, answered=False)
    said = words(analysed(tmp_path, talk.rst(CLIENT)).charts.idle(utc=True))
    assert "tcp_keepalive_time 300 s" in said
    assert "probe 2 due" in said
    assert any(text == "gives up after 4 probes, 75 s apart" for text in said)
    assert [
        text
        for text in said
        if text.startswith("idle timeout of") and ("350" in text or "240" in text or "60 s" in text)
    ]
    assert not [text for text in said if "900" in text]


# -- gaps


def test_a_gap_counts_from_what_was_heard_or_asked_last(tmp_path: Path) -> None:
    gaps = gaps_of(probes_of(analysed(tmp_path, lost()).facts, np.array([0])))
    assert gaps.seconds.tolist() == pytest.approx([10, 10, 5, 5], abs=0.1)
    assert gaps.again.tolist() == [False, False, True, True]
    assert gaps.fate.tolist() == [ANSWERED, UNANSWERED, UNANSWERED, UNANSWERED]


def test_gaps_of_several_probers_are_not_mixed(tmp_path: Path) -> None:
    talks = [Conversation(ports=(40_000 + n, 5432), start=n, rtt=0.02) for n in range(3)]
    for n, talk in enumerate(talks):
        talk.handshake().data(CLIENT)
        for _ in range(3):
            talk.idle(10 + n).probe(CLIENT)
    gaps = gaps_of(probes_of(analysed(tmp_path, *talks).facts, np.arange(3)))
    assert gaps.seconds.tolist() == pytest.approx([10] * 3 + [11] * 3 + [12] * 3, abs=0.1)


def test_inferred_settings_have_bounds_and_known_defaults_names(tmp_path: Path) -> None:
    said = words(analysed(tmp_path, lost()).charts.intervals(utc=True))
    assert any(text.startswith("tcp_keepalive_time 10 s (") for text in said)
    assert any(text.startswith("tcp_keepalive_intvl 5 s (") for text in said)
    assert any(text.startswith("5 s: ") for text in said)
    assert "4 probes of 1 prober, 3 unanswered" in said


# -- moments


def test_the_ladder_shows_handshake_last_data_probes_and_end(tmp_path: Path) -> None:
    talk = Conversation(rtt=0.02).handshake()
    for _ in range(200):
        talk.data(CLIENT, 500).idle(0.01)
    talk.idle(10).probes(CLIENT, 3, every=5, answered=False).rst(CLIENT)
    analysis = analysed(tmp_path, talk)
    said = words(analysis.charts.ladder(utc=True))
    assert "SYN  seq 0  len 0" in said
    assert "ACK  seq 100000  ack 1  len 0" in said
    assert "RST ACK  seq 100001  ack 1  len 0" in said
    assert [text for text in said if text.startswith("keepalive probe")] == [
        f"keepalive probe {n}: no reply" for n in (1, 2, 3)
    ]
    assert any("segments in" in text for text in said)
    assert "keepalive exhausted" in said
    assert len(said) < 120


def test_moments_are_few_however_many_segments_there_are() -> None:
    rows = np.zeros((5000, 26), np.int64)
    rows[:, 1] = np.arange(1, 5001)
    moments = Segments(range(1, 5001))
    for part in np.array_split(rows, 9):
        moments.add(part, np.zeros(len(part), bool))
    found = moments.decisive()
    assert moments.count == 5000
    assert len(found) == MOST
    assert (found[0].frame, found[-1].frame) == (1, 5000)


def test_numbers_count_from_the_first_seen_where_there_was_no_handshake(tmp_path: Path) -> None:
    talk = Conversation(rtt=0.02).handshake().data(CLIENT, 700).data(SERVER, 300)
    cut = [one for one in talk.idle(10).data(CLIENT, 40).segments if one.time > START + 5 * S]
    said = words(analysed(tmp_path, cut).charts.ladder())
    assert "PSH ACK  seq 1  ack 1  len 40" in said
    assert "ACK  seq 1  ack 41  len 0" in said


def test_the_ladder_says_what_an_icmp_error_says_and_who_sent_it() -> None:
    said = words(recorded(ROOT / "captures" / "link-down" / "capture.pcap").charts.ladder(utc=True))
    assert said.count("ICMP type 3 code 1 (host unreachable) from 192.0.2.1") == 3
    assert said.count("about the segment with seq 100") == 3


# -- hosts


def test_the_odd_one_out_is_marked(tmp_path: Path) -> None:
    talks = []
    for number in range(5):
        talk = Conversation(ports=(40_000 + number, 5432), start=number, rtt=0.02).handshake().data(CLIENT)
        for _ in range(4):
            talk.idle(30 if number == 3 else 5).probe(CLIENT)
        talks.append(moved(talk, f"192.0.2.{20 + number}"))
    said = words(analysed(tmp_path, *talks).charts.hosts())
    assert [text for text in said if text.startswith("►")] == ["► 192.0.2.23"]
    assert sum(text == "to 198.51.100.20:5432: client 5/?/?" for text in said) == 4
    assert "to 198.51.100.20:5432: client 30/?/?" in said


def test_every_verdict_has_a_look() -> None:
    assert set(LOOKS) == {verdict.word for verdict in VERDICTS}
