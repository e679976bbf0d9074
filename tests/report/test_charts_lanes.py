"""The lanes of the timeline: what each shows, and which connections share one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from charted import analysed, lost, moved, words
from conversation import CLIENT, SERVER, Conversation
from wirebytes import Segment

from analyzer.report.charts.activity import SLOTS, Activity
from analyzer.report.charts.gather import activity_of, span_of
from analyzer.report.charts.lanes import unheard_of
from analyzer.report.charts.probes import ANSWERED, UNANSWERED, probes_of
from analyzer.report.charts.timeline import rows_of
from analyzer.tables.fields import STREAM, TIME

S = 1_000_000_000


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


@pytest.mark.parametrize(("payload", "reply"), [(b"\xc0\0", b"\xd0\0"), (b"?" * 37, b"!" * 21)])
def test_heartbeats_stand_beside_traffic(payload: bytes, reply: bytes, tmp_path: Path) -> None:
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 300)
    sent = []
    for _ in range(7):
        talk.idle(11)
        sent.append(talk.now)
        for sender, octets in ((CLIENT, payload), (SERVER, reply)):
            talk.send(sender, "PA", octets)
            talk.now = talk._later
        talk.acknowledge(CLIENT)
    analysis = analysed(tmp_path, talk)
    span = span_of(analysis.facts, [0], True)
    beats = Activity([0], span.start, span.end)
    activity = activity_of(analysis, [0], span, answers=True, beats=beats)
    assert beats.times(0).tolist() == sent
    assert not set(sent) & set(activity.times(0).tolist())
    assert "heartbeat of the application" in words(analysis.charts.timeline())
