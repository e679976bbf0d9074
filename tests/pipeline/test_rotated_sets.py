"""Files that follow one another are one capture, though in each of them the same probes come again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from captures_in_bytes import Captured
from cut_captures import differences, story
from frames_in_bytes import ACK, PSH
from places_in_bytes import BARE, NEAR, NUMBERED, Kind, Traffic, rotated, written

PERIODS = {"equal": (20.48,) * 4, "different": (20.48, 15.36, 30.72, 61.44)}
FROZEN = Kind(stamps=True, frozen=True)
kinds = pytest.mark.parametrize("kind", [*BARE, *NUMBERED, FROZEN], ids=str)


def assert_one_capture(packets: list[Captured], files: int, folder: Path, **how: Any) -> Any:
    """In so many files they tell what they tell in one."""
    (folder / "one").mkdir(exist_ok=True)
    whole = story([written(packets, folder / "one" / "all.pcap")])
    parts = story(rotated(packets, files, folder), **how)
    assert parts["joined"] == []
    assert parts["why"] == []
    assert differences(whole, parts) == []
    return whole


@kinds
@pytest.mark.parametrize("periods", PERIODS.values(), ids=PERIODS)
@pytest.mark.parametrize("files", [2, 5, 13, 20])
def test_answered_probes(tmp_path: Path, kind: Kind, periods: tuple[float, ...], files: int) -> None:
    traffic = Traffic(kind)
    traffic.idle(periods, 13)
    whole = assert_one_capture(traffic.at(NEAR), files, tmp_path)
    assert [flow["keepalive"][0]["probes"] for flow in whole["flows"]] == [13] * 4


@kinds
@pytest.mark.parametrize("files", [3, 10])
def test_a_dead_run(tmp_path: Path, kind: Kind, files: int) -> None:
    traffic = Traffic(kind)
    traffic.idle((20.48, 20.48, 15.36), 10, answered=2)
    whole = assert_one_capture(traffic.at(NEAR), files, tmp_path)
    assert [flow["verdict"] for flow in whole["flows"]] == ["dead_peer"] * 3


@kinds
@pytest.mark.parametrize("files", [2, 4, 8])
def test_data_that_is_sent_again_and_again(tmp_path: Path, kind: Kind, files: int) -> None:
    """Equal waits, as after the longest: one difference of time explains all of them, in one direction."""
    traffic = Traffic(kind)
    for connection in range(5):
        traffic.handshake(0.5 + connection / 10, connection)
        traffic.request(1 + connection / 10, connection, 0)
        for again in range(8):
            traffic.send(5 + connection / 10 + 4 * again, connection, True, 110, 330, PSH | ACK, b"data" * 9)
    assert_one_capture(traffic.at(NEAR), files, tmp_path)


@kinds
def test_both_ends_probe_and_both_send_again(tmp_path: Path, kind: Kind) -> None:
    """Four kinds of packets of one connection come again in each file, in both directions."""
    traffic = Traffic(kind)
    for number in range(8):
        at = 1 + 8 * number
        traffic.send(at, 0, True, 99, 300)
        traffic.send(at + 0.1, 0, False, 300, 100)
        traffic.send(at + 3, 0, False, 299, 100)
        traffic.send(at + 3.1, 0, True, 100, 300)
        traffic.send(at + 4, 1, True, 100, 300, PSH | ACK, b"query")
        traffic.send(at + 5, 1, False, 300, 100, PSH | ACK, b"notice")
    assert_one_capture(traffic.at(NEAR), 8, tmp_path)


@pytest.mark.parametrize("files", [2, 5, 10])
def test_probes_without_numbers_and_answers_with(tmp_path: Path, files: int) -> None:
    """As macOS probes: without timestamps and with an IP ID of 0, while the answers have both."""
    bare, numbered = Traffic(Kind(v6=False)), Traffic(Kind(v6=False, stamps=True, ids=True))
    for connection in range(4):
        for one in range(10):
            at = 1 + connection * 0.13 + one * 20.48
            bare.send(at, connection, True, 99, 300)
            numbered.send(at + 0.0001, connection, False, 300, 100)
    packets = sorted([*bare.at(NEAR), *numbered.at(NEAR)], key=lambda packet: packet.time)
    assert_one_capture(packets, files, tmp_path)


@pytest.mark.parametrize("kind", [*BARE, FROZEN], ids=str)
def test_what_an_ack_was_lost_behind_the_capture_for(tmp_path: Path, kind: Kind) -> None:
    """A segment and the acknowledgement that its sender never gets, again and again: both directions repeat."""
    traffic = Traffic(kind)
    for again in range(6):
        for connection in range(4):
            traffic.send(1 + 5 * again + connection / 7, connection, True, 100, 300, PSH | ACK, b"query")
            traffic.send(1.02 + 5 * again + connection / 7, connection, False, 300, 105)
    assert_one_capture(traffic.at(NEAR), 6, tmp_path)


def test_ids_that_have_come_round(tmp_path: Path) -> None:
    """Two packets a second need nine hours for all numbers of an IP ID: then the same ones stand on the same probes."""
    kind = Kind(v6=False, ids=True)
    traffic, rounds = Traffic(kind), 65_536
    for one in [*range(12), *range(rounds, rounds + 12)]:
        for by_client in (True, False):
            traffic._ids[0, by_client] = 700 + one
            at, seq, ack = (1 + one, 99, 300) if by_client else (1.001 + one, 300, 100)
            traffic.send(at, 0, by_client, seq, ack)
    packets = traffic.at(NEAR)
    paths = [written(packets[:24], tmp_path / "a.pcap"), written(packets[24:], tmp_path / "b.pcap")]
    (tmp_path / "one").mkdir()
    assert differences(story([written(packets, tmp_path / "one" / "all.pcap")]), story(paths)) == []


def test_a_connection_that_comes_again_on_its_ports(tmp_path: Path) -> None:
    """The same client port three times, with numbers of its own each time."""
    packets = []
    for life in range(3):
        traffic = Traffic(Kind())
        traffic.handshake(1 + 50 * life, 0)
        traffic.request(2 + 50 * life, 0, 0)
        for one in range(3):
            traffic.send(12 + 50 * life + 10 * one, 0, True, 109, 330)
            traffic.send(12.01 + 50 * life + 10 * one, 0, False, 330, 110)
        packets += renumbered(traffic.at(NEAR), 7_777_777 * life)
    for files in (3, 15):
        assert_one_capture(packets, files, tmp_path)


def renumbered(packets: list[Captured], by: int) -> list[Captured]:
    """The same with all sequence numbers so much higher; Ethernet, IPv6 and TCP."""
    moved = []
    for packet in packets:
        frame = bytearray(packet.octets)
        for at in (58, 62):
            number = int.from_bytes(frame[at : at + 4], "big")
            frame[at : at + 4] = ((number + by) % 2**32 if number else 0).to_bytes(4, "big")
        moved.append(packet._replace(octets=bytes(frame)))
    return moved


@pytest.mark.parametrize("kind", [*BARE, *NUMBERED], ids=str)
def test_a_gap_between_the_files(tmp_path: Path, kind: Kind) -> None:
    """The capture was off for some rounds: the files of after that hold the same probes as those of before."""
    traffic = Traffic(kind)
    traffic.idle((20.48,) * 3, 20)
    packets = [packet for packet in traffic.at(NEAR) if not 100 < (packet.time - traffic.sent[0].time) / 1e9 < 220]
    assert_one_capture(packets, 9, tmp_path)


@pytest.mark.parametrize("kind", [*BARE, *NUMBERED], ids=str)
def test_what_the_network_doubled_where_a_file_ends(tmp_path: Path, kind: Kind) -> None:
    """Every packet comes a second time 30 ms later: what a file's end cuts off is no other place."""
    traffic = Traffic(kind)
    traffic.idle((20.48,) * 6, 4)
    packets = traffic.at(NEAR)
    doubled = sorted([*packets, *(p._replace(time=p.time + 30_000_000) for p in packets)], key=lambda p: p.time)
    (tmp_path / "one").mkdir()
    whole = story([written(doubled, tmp_path / "one" / "all.pcap")])
    for at in (3, 12, 13, 25, 36, 37):
        paths = [written(doubled[:at], tmp_path / "a.pcap"), written(doubled[at:], tmp_path / "b.pcap")]
        assert differences(whole, story(paths)) == []
