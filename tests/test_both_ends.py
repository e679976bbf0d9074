"""Two captures of one path: what one end sent and the other never saw, and whose reset it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from commands import inside, keepalive
from conversation import CLIENT, SERVER, Conversation
from results import ROOT
from wirebytes import Segment, pcap_bytes

from analyzer.findings import Finding
from analyzer.pipeline import analyze

NEAR, FAR = 64, 61
DELAY_NS = 20_000_000


def at_end(segments: list[Segment], end: str) -> list[Segment]:
    """Segments as they pass one end: what it sends has passed no router, what it gets has, and took its time."""
    passing = []
    for segment in segments:
        mine = segment.sender == end
        source = replace(segment.source, ttl=NEAR if mine else FAR)
        passing.append(replace(segment, source=source, time=segment.time + (0 if mine else DELAY_NS), captured=True))
    return passing


def findings(tmp_path: Path, client: list[Segment], server: list[Segment]) -> list[Finding]:
    paths = []
    for name, segments in ((CLIENT, client), (SERVER, server)):
        path = tmp_path / f"{name}.pcap"
        path.write_bytes(pcap_bytes(at_end(segments, name)))
        paths.append(str(path))
    return [one for one in analyze(*paths, both_ends=True, engine="plain").findings if "between-ends" in one.rule]


def quiet() -> Conversation:
    return Conversation(rtt=0.04).handshake().data(CLIENT, 100).data(SERVER, 300).idle(15).probe(CLIENT).idle(15)


def test_what_arrives_is_no_finding(tmp_path: Path) -> None:
    talk = quiet().data(CLIENT, 10).data(SERVER, 20).idle(2).fin(CLIENT).fin(SERVER)
    assert findings(tmp_path, talk.segments, talk.segments) == []


def test_probes_that_did_not_arrive_are_told(tmp_path: Path) -> None:
    talk = quiet()
    lost = []
    for _ in range(3):
        lost.append(talk.ask(CLIENT).segment)
        talk.idle(5)
    talk.data(SERVER, 50).data(CLIENT, 40)
    [finding] = findings(tmp_path, talk.segments, [one for one in talk.segments if one not in lost])
    assert finding.rule == "lost-between-ends"
    assert "3 segments of 192.0.2.10:40000 left it and did not reach 198.51.100.20:5432 (3 probes" in finding.summary
    assert len(finding.evidence.frames) == 3


def test_an_answer_that_did_not_arrive_belongs_to_the_server(tmp_path: Path) -> None:
    talk = quiet()
    probe = talk.ask(CLIENT)
    talk.answer(probe, "ack")
    answer = talk.segments[-1]
    talk.idle(5).data(CLIENT, 10).data(SERVER, 20)
    [finding] = findings(tmp_path, [one for one in talk.segments if one is not answer], talk.segments)
    assert "of 198.51.100.20:5432 left it and did not reach 192.0.2.10:40000" in finding.summary


def test_a_reset_that_its_host_never_sent_was_made_between(tmp_path: Path) -> None:
    talk = quiet()
    talk.ask(CLIENT)
    talk.idle(0.02).rst(SERVER, bare=True)
    reset = talk.segments[-1]
    other = Conversation(ports=(50_000, 80), start=60).handshake()
    server = [one for one in talk.segments if one is not reset]
    found = findings(tmp_path, [*talk.segments, *other.segments], [*server, *other.segments])
    assert [one.rule for one in found] == ["reset-between-ends"]
    assert "in the name of 198.51.100.20:5432" in found[0].summary


def test_what_one_capture_was_not_running_for_is_no_loss(tmp_path: Path) -> None:
    talk = quiet().data(CLIENT, 10).data(SERVER, 20)
    assert findings(tmp_path, talk.segments, talk.segments[:-6]) == []


def test_the_recording_at_both_ends() -> None:
    paths = [ROOT / f"captures/two-ends/capture.{end}.pcap" for end in ("client", "server")]
    text = inside("analyze", *paths, "--both-ends")
    assert "3 segments of 192.0.2.10:40001 left it and did not reach" in text
    assert "2 segments of 198.51.100.20:7000 left it and did not reach" in text


def test_it_takes_two_captures_of_one_path() -> None:
    one, other = ROOT / "captures/dead-peer/capture.pcap", ROOT / "captures/gre/capture.pcap"
    assert keepalive("analyze", one, "--both-ends").returncode == 2
    assert keepalive("analyze", one, other, "--both-ends").returncode == 2
