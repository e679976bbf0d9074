"""What is about to happen to a connection: its next probe, and when it will be given up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed
from wirebytes import pcap_bytes

from analyzer.analysis import Analysis
from analyzer.live.outlook import NOT_PROBED, look_ahead
from analyzer.model.sockets import Timer
from analyzer.model.status import Outlook
from analyzer.pipeline.run import analyze

SECOND = 10**9


def outlook(talk: Conversation, tmp_path: Path) -> Outlook:
    path = tmp_path / "capture.pcap"
    path.write_bytes(pcap_bytes(talk.segments))
    analysis = analyze(str(path))
    [one] = look_ahead(analysis, np.arange(len(analysis)) + 7)
    return one


def idle_talk() -> Conversation:
    talk = Conversation(rtt=0.01).handshake().data(CLIENT, 100).data(SERVER, 300).idle(0.1)
    talk.acknowledge(CLIENT)
    return talk


def test_of_a_connection_without_probes_nothing_is_foretold(tmp_path: Path) -> None:
    one = outlook(idle_talk(), tmp_path)
    assert (one.stream, one.settings, one.probe_in, one.unanswered, one.dead_in) == (7, "", None, 0, None)


def test_the_next_probe_is_due_an_idle_time_after_the_last_answer(tmp_path: Path) -> None:
    talk = idle_talk()
    for _ in range(4):
        talk.idle(15.1).probe(CLIENT)
    one = outlook(talk, tmp_path)
    assert (one.settings, one.unanswered, one.dead_in) == ("15/?/?", 0, None)
    assert one.probe_in == pytest.approx(15 * SECOND, abs=SECOND // 10)


def test_while_probes_are_unanswered_the_next_is_due_an_interval_later(tmp_path: Path) -> None:
    talk = idle_talk()
    talk.idle(61.43).probe(CLIENT)
    talk.idle(61.43).probe(CLIENT, answered=False).idle(10.05).probe(CLIENT, answered=False)
    one = outlook(talk, tmp_path)
    assert (one.settings, one.unanswered, one.verdict) == ("60/10/?", 2, "healthy")
    assert one.probe_in == pytest.approx(10 * SECOND, abs=SECOND // 10)
    assert one.dead_in is None  # nothing shows the count


def test_what_one_connection_shows_is_known_of_those_like_it(tmp_path: Path) -> None:
    """The count and the interval come from a connection of the same host to the same service that was given up."""
    given_up = idle_talk()
    given_up.idle(20.1).probe(CLIENT)
    given_up.idle(20.1)
    for _ in range(3):
        given_up.probe(CLIENT, answered=False).idle(5.05)
    given_up.rst(CLIENT)
    waiting = Conversation(rtt=0.01, ports=(40123, 5432)).handshake().data(CLIENT, 100).data(SERVER, 300).idle(0.1)
    waiting.acknowledge(CLIENT)
    waiting.idle(20.1).probe(CLIENT)
    waiting.idle(20.1).probe(CLIENT, answered=False)
    path = tmp_path / "capture.pcap"
    path.write_bytes(pcap_bytes(sorted(given_up.segments + waiting.segments, key=lambda segment: segment.time)))
    analysis: Analysis = analyze(str(path))
    over, one = look_ahead(analysis, np.arange(2))
    assert over.over and over.probe_in is None and over.dead_in is None
    assert (one.settings, one.unanswered) == ("20/5/3", 1)
    last = max(segment.time for segment in waiting.segments)
    since = analysis.facts.end - last
    assert one.dead_in is not None and one.probe_in is not None
    assert one.probe_in + since == pytest.approx(5 * SECOND, abs=SECOND // 10)
    assert one.dead_in + since == pytest.approx(15 * SECOND, abs=SECOND // 10)


@pytest.mark.parametrize(
    ("timer", "left", "settings", "probe_in", "verdict"),
    [
        (Timer.KEEPALIVE, 42.0, "keepalive on", 22, "healthy"),
        (Timer.NONE, None, "keepalive off", None, "unprotected"),
        (Timer.RETRANSMIT, 1.0, NOT_PROBED, None, "idle"),
    ],
)
def test_a_kernel_says_what_no_probe_has_shown_yet(
    timer: Timer, left: float | None, settings: str, probe_in: float | None, verdict: str
) -> None:
    asked = idle_talk().idle(20).socket(CLIENT, timer, left).idle(20)
    other = Conversation(ports=(50_000, 80), start=0, rtt=0.001).handshake()
    other.now = asked.now
    analysis = analyzed(asked, other.data(CLIENT, 1))
    one = next(look_ahead(analysis, np.arange(len(analysis))))
    assert (one.settings, one.verdict) == (settings, verdict)
    assert one.probe_in == (None if probe_in is None else pytest.approx(probe_in * SECOND, abs=SECOND // 10))
