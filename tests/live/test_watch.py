"""What is told between batches: that a look at some connections says what the whole says, and how time passes."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conversation import CLIENT, SERVER, Conversation
from living import IDLE_AFTER, MANY, File
from results import ROOT
from wirebytes import pcap_bytes

from analyzer.analysis import Analysis
from analyzer.kernels import Kernels, compiled, plain
from analyzer.live.clock import Clock
from analyzer.live.session import Live
from analyzer.measure import measure
from analyzer.model.events import Event
from analyzer.model.flows import Flow

CROWD = ROOT / "captures" / "crowd" / "capture.pcap"
SECOND = 10**9


def lived(path: Path, kernels: Kernels) -> tuple[Live, list[Event]]:
    """A whole capture read, and the events told."""
    told: list[Event] = []
    live = Live(kernels, idle_after=IDLE_AFTER, notify=lambda text: None, most=MANY)
    live.listeners.append(told.extend)
    live.intake.read(path.name, File(path))
    live.run()
    return live, told


def without_stream(flow: Flow) -> Flow:
    """A flow whose keepalives compare by what they show."""
    entries = tuple(replace(entry, episodes=tuple(entry.episodes), match=None) for entry in flow.keepalive)  # type: ignore[arg-type]
    return flow._replace(stream=0, keepalive=entries, verdict="")


@pytest.mark.parametrize("seed", range(4))
def test_the_tables_of_some_connections_say_of_them_what_the_whole_says(seed: int) -> None:
    live, _ = lived(CROWD, compiled(lambda text: None))
    whole = live.finish()
    streams = np.sort(np.random.default_rng(seed).choice(len(whole), 40, replace=False))
    tracks, rows = live._tracker.extract(streams)
    some = Analysis(live.captures, measure(tracks, whole.facts.end), IDLE_AFTER)
    for local, stream in enumerate(streams.tolist()):
        assert without_stream(some.flow(local)) == without_stream(whole.flow(stream))
    assert len(rows) == len(tracks.probes)
    live.close()


def test_plain_kernels_tell_the_same() -> None:
    fast, told = lived(CROWD, compiled(lambda text: None))
    slow, same = lived(CROWD, plain())
    assert same == told
    assert len(told) > 500
    fast.close()
    slow.close()


def take(live: Live) -> None:
    """Read all there is, without a look."""
    for lane in live.intake.ready(0, live._wake_reading):
        live._take(lane, None)


def events(talk: Conversation, path: Path, *times: float) -> list[list[str]]:
    """What each of several looks tells of a conversation, so many seconds after its last packet."""
    path.write_bytes(pcap_bytes(talk.segments))
    live = Live(plain(), idle_after=IDLE_AFTER, notify=lambda text: None, most=MANY)
    told: list[Event] = []
    live.listeners.append(told.extend)
    live.intake.read(path.name, File(path))
    take(live)
    last = live.captures[0].last_time or 0
    looks = [[event.kind for event in live._watch.look(last + round(after * SECOND))] for after in times]
    looks[0] = [event.kind for event in told] + looks[0]
    live.close()
    return looks


def test_a_peer_is_dead_when_two_probes_are_unanswered_and_the_next_is_due(tmp_path: Path) -> None:
    talk = Conversation(rtt=0.01).handshake().data(CLIENT, 100).data(SERVER, 300).idle(0.1)
    talk.acknowledge(CLIENT)
    talk.idle(15.1).probes(CLIENT, 2, every=5.05, answered=False)
    looks = events(talk, tmp_path / "capture.pcap", 0, 0.3, 1, 6)
    assert looks[0] == ["connection-opened", "probe", "unanswered", "probe"]
    assert looks[1] == []
    assert looks[2] == ["unanswered"]
    assert looks[3][0] == "dead-peer"
    assert set(looks[3][1:]) == {"finding"}


def test_a_trouble_that_the_next_packet_may_end_is_told_when_it_has_stood(tmp_path: Path) -> None:
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 300).idle(0.1)
    talk.acknowledge(CLIENT)
    talk.idle(1).fin(CLIENT)
    looks = events(talk, tmp_path / "capture.pcap", 0, 9, 11, 13, 16.5)
    assert looks[0] == ["connection-opened"]
    assert looks[1:4] == [[], [], []]
    assert looks[4][0] == "close-wait-leak"


def test_a_trouble_that_ends_is_recovered_from(tmp_path: Path) -> None:
    """The same, and in the end the server closes, too."""
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 300).idle(0.1)
    talk.acknowledge(CLIENT)
    talk.idle(1).fin(CLIENT)
    octets = pcap_bytes(talk.segments)
    path = tmp_path / "capture.pcap"
    path.write_bytes(octets)
    live = Live(plain(), idle_after=IDLE_AFTER, notify=lambda text: None, most=MANY)
    live.listeners.append(lambda events: None)
    live.intake.read(path.name, File(path))
    take(live)
    last = live.captures[0].last_time or 0
    live._watch.look(last)
    live._watch.look(last + 11 * SECOND)
    assert live._watch.look(last + 17 * SECOND)[0].kind == "close-wait-leak"
    talk.idle(20).fin(SERVER)
    path.write_bytes(pcap_bytes(talk.segments)[len(octets) :])
    header = tmp_path / "rest.pcap"
    header.write_bytes(octets[:24] + path.read_bytes())
    live.intake.read(header.name, File(header))
    take(live)
    told = [event for event in live._watch.look(last + 22 * SECOND) if event.kind == "recovered"]
    assert [dict(event.facts).get("verdict") for event in told] == ["close_wait_leak"]
    live.close()


def silent_for(*times: float, path: Path, talk: Conversation | None = None) -> list[list[str]]:
    """What several looks tell of a connection that has been silent for so long."""
    talk = talk or Conversation().handshake().data(CLIENT, 100).data(SERVER, 300)
    return events(talk, path, *times)


def test_a_connection_is_not_unprotected_before_a_usual_keepalive_would_have_come(tmp_path: Path) -> None:
    """Redis, MongoDB and Elasticsearch wait for 300 s, and a timer may be late by an eighth."""
    looks = silent_for(0, 11, 60, 299, 337, 338, 344, path=tmp_path / "capture.pcap")
    assert looks == [["connection-opened"], [], [], [], [], [], ["unprotected"]]


def test_a_connection_that_was_open_before_is_not_opened(tmp_path: Path) -> None:
    talk = Conversation().handshake()
    talk.segments.clear()
    looks = silent_for(0, path=tmp_path / "capture.pcap", talk=talk.data(CLIENT, 100).data(SERVER, 300))
    assert looks == [["connection-seen"]]


def test_a_dead_peer_that_answers_again_has_recovered(tmp_path: Path) -> None:
    """What was reported of it is over, by the id that it had."""
    talk = Conversation(rtt=0.01).handshake().data(CLIENT, 100).data(SERVER, 300).idle(0.1)
    talk.acknowledge(CLIENT)
    talk.idle(15.1).probes(CLIENT, 4, every=5.05, answered=False).idle(5.05).probe(CLIENT)
    talk.idle(15.1).probe(CLIENT).idle(15.1).probe(CLIENT)
    path = tmp_path / "capture.pcap"
    path.write_bytes(pcap_bytes(talk.segments))
    live, told = lived(path, plain())
    live.close()
    over = [event for event in told if event.kind in ("dead-peer", "finding", "recovered", "withdrawn")]
    assert [event.kind for event in over[:4]] == ["dead-peer", "finding", "recovered", "recovered"]
    assert over[2].facts == {"verdict": "dead_peer"}
    assert over[3].facts == {**over[1].facts, "rule": "dead-peer", "severity": "high"}
    [third] = [event.time for event in told if event.kind == "probe"][2:3]
    assert over[0].time <= third  # by packet time: when the third was due


def test_the_clock_of_an_interface_goes_on_without_packets() -> None:
    clock = Clock()
    clock.live = True
    assert clock.now() == 0
    clock.packet(5 * SECOND)
    time.sleep(0.02)
    assert 5 * SECOND + 20_000_000 <= clock.now() < 6 * SECOND


def test_the_clock_of_a_replay_stands_still() -> None:
    clock = Clock()
    clock.packet(5 * SECOND)
    clock.packet(500 * SECOND)
    time.sleep(0.02)
    assert clock.now() == 500 * SECOND
    assert not clock.live


def test_a_stream_of_another_clock_keeps_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose clock is a year behind ours: what tells is that its packets come as fast as its time passes."""
    now = [1000 * SECOND]
    monkeypatch.setattr(time, "monotonic_ns", lambda: now[0])
    clock = Clock()
    for second in range(8):
        clock.packet((100 + second) * SECOND)
        assert clock.live == (second > 5)
        now[0] += SECOND
    assert clock.now() == 108 * SECOND
