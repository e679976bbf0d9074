"""Two captures of one path: what one end sent and the other never saw, and whose reset it was."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from commands import inside, keepalive
from conversation import CLIENT, SERVER, Conversation
from results import ROOT
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from wirebytes import Host, Segment, pcap_bytes

from analyzer.model.findings import Finding
from analyzer.pipeline.run import analyze

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
    return between(paths)


def between(paths: list[str]) -> list[Finding]:
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
    assert finding.summary.endswith(
        "3 segments from 192.0.2.10:40000 to 198.51.100.20:5432, including 3 keepalive probes"
    )
    assert len(finding.evidence.frames) == 3


def test_a_reset_that_did_not_arrive_is_told(tmp_path: Path) -> None:
    talk = quiet().rst(CLIENT)
    other = Conversation(ports=(50_000, 80), start=60).handshake()
    server = [*talk.segments[:-1], *other.segments]
    [finding] = findings(tmp_path, [*talk.segments, *other.segments], server)
    assert finding.rule == "lost-between-ends"
    assert "lost 1 segment from 192.0.2.10:40000 to 198.51.100.20:5432, including the RST" in finding.summary


def test_an_answer_that_did_not_arrive_belongs_to_the_server(tmp_path: Path) -> None:
    talk = quiet()
    probe = talk.ask(CLIENT)
    talk.answer(probe, "ack")
    answer = talk.segments[-1]
    talk.idle(5).data(CLIENT, 10).data(SERVER, 20)
    [finding] = findings(tmp_path, [one for one in talk.segments if one is not answer], talk.segments)
    assert "from 198.51.100.20:5432 to 192.0.2.10:40000" in finding.summary


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


def test_loss_that_lasts_to_the_end_is_told(tmp_path: Path) -> None:
    """Both captures go on, as a datagram at their end shows, and nothing of TCP comes any more."""
    talk = quiet().idle(200)
    lost = [talk.data(CLIENT, 80, arrives=False, captured=True).segments[-1]]
    for _ in range(6):
        talk.idle(4).resend(CLIENT, acked=False, captured=True)
        lost.append(talk.segments[-1])
    talk.idle(60)
    paths = []
    for name, segments in ((CLIENT, talk.segments), (SERVER, [one for one in talk.segments if one not in lost])):
        path = tmp_path / f"{name}.pcap"
        path.write_bytes(pcap_bytes(at_end(segments, name)) + datagram(talk.now))
        paths.append(str(path))
    [finding] = between(paths)
    assert "lost 7 segments from 192.0.2.10:40000 to 198.51.100.20:5432" in finding.summary


def datagram(time: int) -> bytes:
    """A record of UDP, so that a capture is seen to have run until then."""
    frame = bytes(Ether() / IP(src="192.0.2.77", dst="192.0.2.78") / UDP(sport=5000, dport=5001))
    return struct.pack("<IIII", *divmod(time, 10**9), len(frame), len(frame)) + frame


def test_after_the_end_of_a_capture_nothing_is_lost(tmp_path: Path) -> None:
    """The same loss, and the server's capture ended before: it tells nothing."""
    talk = quiet()
    last = len(talk.segments)
    talk.idle(200).data(CLIENT, 80, arrives=False, captured=True).idle(4).resend(CLIENT, acked=False, captured=True)
    assert findings(tmp_path, talk.segments, talk.segments[:last]) == []


def translated(segments: list[Segment], *, server: bool = False) -> list[Segment]:
    """The same with another client, and another server, by what stands between."""
    by = {CLIENT: Host("203.0.113.5", 61_111), SERVER: Host("10.9.9.9", 15_432)}
    moved = []
    for one in segments:
        source, target = one.source, one.target
        if server or one.sender == CLIENT:
            source = replace(by[one.sender], ttl=source.ttl)
        if server or one.sender == SERVER:
            target = by[SERVER if one.sender == CLIENT else CLIENT]
        moved.append(replace(one, source=source, target=target))
    return moved


@pytest.mark.parametrize("ahead", [0, 3600 * 10**9])
@pytest.mark.parametrize("server", [False, True])
@pytest.mark.parametrize("timestamps", [False, True])
def test_a_translation_between_the_ends(tmp_path: Path, timestamps: bool, server: bool, ahead: int) -> None:
    talk = Conversation(rtt=0.04, timestamps=timestamps).handshake().data(CLIENT, 100).data(SERVER, 300).idle(15)
    talk.probe(CLIENT).idle(15)
    lost = []
    for _ in range(3):
        lost.append(talk.ask(CLIENT).segment)
        talk.idle(5)
    talk.data(SERVER, 50).data(CLIENT, 40)
    arrived = translated([one for one in talk.segments if one not in lost], server=server)
    paths = [str(tmp_path / "client.pcap"), str(tmp_path / "server.pcap")]
    Path(paths[0]).write_bytes(pcap_bytes(at_end(talk.segments, CLIENT)))
    moved = [replace(one, time=one.time + ahead) for one in at_end(arrived, SERVER)]
    Path(paths[1]).write_bytes(pcap_bytes(moved))
    [finding] = between(paths)
    assert finding.rule == "lost-between-ends"
    assert "lost 3 segments from 192.0.2.10:40000 to 198.51.100.20:5432" in finding.summary
    analysis = analyze(*paths, both_ends=True, engine="plain")
    assert analysis.captures[1].same_traffic is not None
    assert abs(analysis.captures[1].same_traffic.clock_ahead - ahead) < 10**6
    assert "translated" in analysis.captures[1].same_traffic_why
    # Without being told that the two are of one path they are two connections.
    assert analyze(*paths, engine="plain").captures[1].same_traffic is None


def test_a_reset_from_between_is_the_ending_of_every_connection(tmp_path: Path) -> None:
    """A device ends three idle connections, and tells both ends of each."""
    talks, made = [], []
    for number in range(3):
        talk = Conversation(rtt=0.04, ports=(40_000 + number, 5432), start=number / 10).handshake()
        talk.data(CLIENT, 100).data(SERVER, 300).idle(60)
        talk.ask(CLIENT)
        talk.idle(0.03).rst(SERVER, bare=True)
        to_client = talk.segments[-1]
        talk.rst(CLIENT)
        talks.append(talk)
        made.append((to_client, talk.segments[-1]))
    other = Conversation(ports=(50_000, 80)).handshake().idle(90).data(CLIENT, 10)
    everything = [one for talk in (*talks, other) for one in talk.segments]
    client = [one for one in everything if not any(one is to_server for _, to_server in made)]
    server = [one for one in everything if not any(one is to_client for to_client, _ in made)]
    paths = []
    for name, segments in ((CLIENT, client), (SERVER, server)):
        paths.append(str(tmp_path / f"{name}.pcap"))
        Path(paths[-1]).write_bytes(pcap_bytes(at_end(segments, name)))
    analysis = analyze(*paths, both_ends=True, engine="plain")
    told = [one for one in analysis.findings if one.rule == "reset-between-ends"]
    reset = [flow for flow in analysis.flows if flow.server.port == 5432]
    assert {one.stream for one in told} == {flow.stream for flow in reset}
    for flow in reset:
        assert (flow.verdict, flow.ending.by) == ("middlebox_reset", "middlebox")


def test_a_reset_of_the_host_itself_is_not_from_between(tmp_path: Path) -> None:
    talk = quiet()
    talk.ask(CLIENT)
    talk.idle(0.03).rst(SERVER, bare=True)
    other = Conversation(ports=(50_000, 80)).handshake().idle(90).data(CLIENT, 10)
    both = [*talk.segments, *other.segments]
    assert findings(tmp_path, both, both) == []


def test_connections_that_do_not_take_the_path_are_not_lost(tmp_path: Path) -> None:
    """The client's capture holds what it says to others, too."""
    talk = quiet().data(CLIENT, 10).data(SERVER, 20)
    other = Conversation(ports=(50_000, 80)).handshake().idle(10).data(CLIENT, 10).idle(3).data(SERVER, 10)
    for one in other.segments:
        one.source = replace(one.source, address=one.source.address.replace("198.51.100.20", "203.0.113.80"))
        one.target = replace(one.target, address=one.target.address.replace("198.51.100.20", "203.0.113.80"))
    assert findings(tmp_path, [*talk.segments, *other.segments], talk.segments) == []


def cut_by_a_card(segments: list[Segment], size: int) -> list[Segment]:
    """Long segments as the wire carries them."""
    cut = []
    for one in segments:
        parts = range(0, max(len(one.payload), 1), size)
        cut += [replace(one, seq=one.seq + at, payload=one.payload[at : at + size]) for at in parts]
    return cut


def bulk(lost: tuple[int, ...] = ()) -> tuple[list[Segment], list[Segment]]:
    """What left the client in segments of four times the MSS, and what of it arrived."""
    talk = Conversation(rtt=0.04, mss=5600).handshake().data(CLIENT, 100).data(SERVER, 300)
    gone = []
    for number in range(12):
        arrives = number not in lost
        talk.idle(1).data(CLIENT, 5600, arrives=arrives, captured=True)
        if not arrives:
            gone.append(talk.segments[-1])
            talk.idle(0.4).resend(CLIENT)
    talk.idle(3).data(SERVER, 10).idle(3).data(SERVER, 10)
    return talk.segments, cut_by_a_card([one for one in talk.segments if one not in gone], 1400)


def test_long_segments_that_a_card_cuts_are_not_lost(tmp_path: Path) -> None:
    assert findings(tmp_path, *bulk()) == []


def test_long_segments_that_were_lost_are_told(tmp_path: Path) -> None:
    [finding] = findings(tmp_path, *bulk(lost=(4, 9)))
    assert "lost 2 segments from 192.0.2.10:40000 to 198.51.100.20:5432" in finding.summary


def test_probes_that_look_the_same_are_matched_by_their_time(tmp_path: Path) -> None:
    """Without IP IDs and timestamps; the client's capture began six probes earlier."""
    talk = Conversation(rtt=0.04, timestamps=False, v6=True).handshake().data(CLIENT, 100).data(SERVER, 300)
    for _ in range(12):
        talk.idle(10).probe(CLIENT)
    late = [one for one in talk.segments if one.time > talk.segments[0].time + 65 * 10**9]
    talk.data(CLIENT, 10).data(SERVER, 20)
    assert findings(tmp_path, talk.segments, [*late, *talk.segments[-4:]]) == []


def test_the_recording_at_both_ends() -> None:
    paths = [ROOT / f"captures/two-ends/capture.{end}.pcap" for end in ("client", "server")]
    text = inside("analyze", *paths, "--both-ends")
    assert "lost 3 segments from 192.0.2.10:40001" in text
    text = inside("analyze", *paths, "--both-ends", "--findings", "full")
    assert "2 segments from 198.51.100.20:7000 to" in text


def test_it_takes_two_captures_of_one_path() -> None:
    one, other = ROOT / "captures/dead-peer/capture.pcap", ROOT / "captures/gre/capture.pcap"
    assert keepalive("analyze", one, "--both-ends").returncode == 2
    assert keepalive("analyze", one, other, "--both-ends").returncode == 2
