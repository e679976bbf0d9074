"""What the charts show: lanes, teeth, gaps, moments and odd ones, from conversations whose course is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conversation import CLIENT, SERVER, Conversation
from pictures import boxes
from wirebytes import Host, Segment, pcap_bytes

from analyzer import Analysis, analyze
from analyzer.diagnose import VERDICTS
from analyzer.model.flows import Estimate
from analyzer.report.charts import style
from analyzer.report.charts.activity import SLOTS, Activity
from analyzer.report.charts.axis import STEPS, Span, step_of, ticks
from analyzer.report.charts.gather import activity_of, span_of
from analyzer.report.charts.hosts import LOOKS
from analyzer.report.charts.lanes import unheard_of
from analyzer.report.charts.probes import ANSWERED, UNANSWERED, gaps_of, probes_of
from analyzer.report.charts.saw import Saw, counted_down, counted_up, height_at
from analyzer.report.charts.segments import MOST, Segments
from analyzer.report.charts.timeline import rows_of
from analyzer.tables.fields import STREAM, TIME

S = 1_000_000_000
START = 1_700_000_000 * S


def analysed(tmp_path: Path, *talks: Conversation | list[Segment]) -> Analysis:
    segments = [one for talk in talks for one in (talk if isinstance(talk, list) else talk.segments)]
    path = tmp_path / "talk.pcap"
    path.write_bytes(pcap_bytes(segments))
    return analyze(str(path), engine="plain")


def lost() -> Conversation:
    """Idle for ten seconds, an answered round, then three probes in vain, five seconds apart, and the reset."""
    talk = Conversation(rtt=0.02).handshake().data(CLIENT).data(SERVER).idle(10).probe(CLIENT).idle(10)
    return talk.probes(CLIENT, 3, every=5, answered=False).rst(CLIENT)


def words(figure: Any) -> list[str]:
    return [text for text, _ in boxes(figure)]


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


# -- activity and lanes


def test_activity_keeps_the_first_and_last_of_each_slot_and_forgets_the_rest() -> None:
    rng = np.random.default_rng(1)
    rows = np.zeros((50_000, 26), np.int64)
    rows[:, TIME] = np.sort(rng.integers(0, 1000 * S, len(rows)))
    rows[:, STREAM] = rng.integers(0, 2, len(rows))
    by_server = rng.integers(0, 2, len(rows)).astype(bool)
    activity = Activity([1], 0, 1000 * S)
    for part in np.array_split(np.arange(len(rows)), 7):
        activity.add(rows[part], by_server[part], np.zeros(0, np.int64))
    for side in range(2):
        mine = rows[(rows[:, STREAM] == 1) & (by_server == side), TIME]
        found = activity.times(1, side)
        assert set(found.tolist()) <= set(mine.tolist())
        assert (found[0], found[-1]) == (mine[0], mine[-1])
        assert len(found) <= 2 * SLOTS
        assert np.abs(found[np.searchsorted(found, mine).clip(max=len(found) - 1)] - mine).max() <= S


def test_probes_and_their_answers_are_no_traffic(tmp_path: Path) -> None:
    analysis = analysed(tmp_path, lost())
    span = span_of(analysis.facts, [0], True)
    traffic = activity_of(analysis, [0], span, answers=True).times(0)
    probes = probes_of(analysis.facts, np.array([0]))
    assert not set(probes.time.tolist()) & set(traffic.tolist())
    assert traffic.max() == span.end  # the reset
    assert np.diff(traffic).max() > 34 * S


def test_probing_without_a_reply_is_marked_from_the_first_such_probe_to_the_end(tmp_path: Path) -> None:
    analysis = analysed(tmp_path, lost())
    flow = analysis.flow(0)
    assert flow.ending.time is not None
    probes = probes_of(analysis.facts, np.array([0]))
    assert probes.fate.tolist() == [ANSWERED, UNANSWERED, UNANSWERED, UNANSWERED]
    [(since, until)] = unheard_of(probes, flow.ending.time)
    assert until == flow.ending.time
    assert since == probes.time[1]  # the peer was not asked before: until then the connection is idle
    assert abs((until - since) - 15 * S) < S


def test_probing_that_got_a_reply_is_marked_up_to_there(tmp_path: Path) -> None:
    talk = Conversation(rtt=0.02).handshake().data(CLIENT).idle(10).probes(CLIENT, 2, every=5, answered=False)
    analysis = analysed(tmp_path, talk.probe(CLIENT).idle(10).probe(CLIENT).idle(3))
    probes = probes_of(analysis.facts, np.array([0]))
    [(since, until)] = unheard_of(probes, analysis.facts.end)
    assert (since, until) == (probes.time[0], probes.time[2])


def moved(talk: Conversation, address: str, server: str = "198.51.100.20") -> list[Segment]:
    """The same conversation of another client, or with another server."""

    def host(one: Host) -> Host:
        return replace(one, address=address if one.address == "192.0.2.10" else server)

    return [replace(one, source=host(one.source), target=host(one.target)) for one in talk.segments]


def dying(number: int, start: float = 0.0, probes: int = 3) -> Conversation:
    """One of many that lose their peer."""
    talk = Conversation(ports=(40_000 + number, 5432), start=start, rtt=0.02).handshake().data(CLIENT).idle(10)
    return talk.probes(CLIENT, probes, every=5, answered=False).rst(CLIENT)


def lanes_of(*talks: Conversation | list[Segment], tmp_path: Path) -> list[str]:
    return [text for text in words(analysed(tmp_path, *talks).charts.timeline()) if text.startswith("#")]


def test_connections_that_fared_alike_share_a_lane(tmp_path: Path) -> None:
    assert lanes_of(*(dying(n, 0.1 * n) for n in range(5)), tmp_path=tmp_path) == ["#0  192.0.2.10:40000  x 5"]


@pytest.mark.parametrize("other", [dying(1, start=9), dying(1, probes=4)], ids=["later", "one more probe"])
def test_connections_that_did_not_have_a_lane_each(other: Conversation, tmp_path: Path) -> None:
    names = lanes_of(dying(0), other, tmp_path=tmp_path)
    assert sorted(names) == ["#0  192.0.2.10:40000", "#1  192.0.2.10:40001"]


def test_another_host_has_a_lane_of_its_own(tmp_path: Path) -> None:
    names = lanes_of(dying(0), moved(dying(1), "192.0.2.77"), tmp_path=tmp_path)
    assert sorted(names) == ["#0  192.0.2.10:40000", "#1  192.0.2.77:40001"]


def test_many_alike_need_no_overview(tmp_path: Path) -> None:
    said = words(analysed(tmp_path, *(dying(n, 0.01 * n) for n in range(60))).charts.timeline())
    assert [text for text in said if text.startswith(("60 connections", "The "))] == ["60 connections of talk.pcap"]


def test_lanes_stand_under_their_service_the_worst_first(tmp_path: Path) -> None:
    fine = Conversation(ports=(50_000, 5432)).handshake().data(CLIENT).fin(CLIENT).fin(SERVER)
    other = moved(Conversation(ports=(50_001, 80)).handshake().data(CLIENT).fin(CLIENT).fin(SERVER), "192.0.2.77")
    analysis = analysed(tmp_path, fine, other, lost())
    said = words(analysis.charts.timeline(utc=True))
    shown = [text for text in said if text.startswith("#") or text.endswith((":5432", ":80"))]
    assert [text.split()[0] for text in shown] == ["198.51.100.20:5432", "#2", "#0", "198.51.100.20:80", "#1"]
    assert {"dead_peer", "closed"} <= set(said)
    assert "time of day, UTC" in said
    assert any(text.startswith("HIGH dead-peer (stream 2)") for text in said)


def test_rows_of_no_lanes_are_none() -> None:
    assert rows_of([]) == []


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
        f"keepalive probe {n}: no answer" for n in (1, 2, 3)
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
