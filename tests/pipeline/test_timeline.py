"""Many captures as one timeline: files, directories, patterns, and what the command line makes of them."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from captures_in_bytes import SECOND, Captured, pcap, pcapng
from commands import keepalive
from results import CAPTURES, ROOT, result
from talks_in_bytes import ethernet_talk

from analyzer import CaptureError, analyze
from analyzer.capture.reader import Reader

TALK = ethernet_talk()
ROTATED = ROOT / "captures" / "rotated-set"


def pieces(tmp_path: Path, count: int) -> list[Path]:
    """The talk in so many files, each of its own kind."""
    bounds = [len(TALK) * i // count for i in range(count + 1)]
    paths = []
    for i in range(count):
        part = TALK[bounds[i] : bounds[i + 1]]
        octets = [pcap(part, nanoseconds=True), pcapng(part, ">"), gzip.compress(pcap(part, ">", True))][i % 3]
        paths.append(tmp_path / f"part{i}.cap")
        paths[-1].write_bytes(octets)
    return paths


def later(packets: list[Captured], nanoseconds: int) -> list[Captured]:
    return [packet._replace(time=packet.time + nanoseconds) for packet in packets]


def another(number: int) -> list[Captured]:
    """The talk of other ports, a thousand seconds later for each number."""
    port = (20_000 + number).to_bytes(2, "big")
    packets = []
    for packet in TALK:
        at = packet.octets.index((40001).to_bytes(2, "big"))
        packets.append(packet._replace(octets=packet.octets[:at] + port + packet.octets[at + 2 :]))
    return later(packets, number * 1000 * SECOND)


def without_frames(whole: Any) -> Any:
    """The flows without what says in which file a frame is."""
    text = json.dumps(whole["flows"], default=str)
    tree = json.loads(text)

    def strip(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: strip(value) for name, value in node.items() if not name.endswith("frame")}
        return [strip(value) for value in node] if isinstance(node, list) else node

    return strip(tree)


@pytest.fixture
def whole(tmp_path: Path) -> Any:
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "one.pcap").write_bytes(pcap(TALK, nanoseconds=True))
    return result(tmp_path / "whole" / "one.pcap")


@pytest.mark.parametrize("count", [2, 5, len(TALK)])
def test_pieces_in_any_order_are_one_story(tmp_path: Path, whole: Any, count: int) -> None:
    paths = pieces(tmp_path, count)
    for seed in range(4):
        shuffled = random.Random(seed).sample(paths, len(paths))
        assert without_frames(result(*shuffled)) == without_frames(whole)


def test_a_folder_is_its_captures(tmp_path: Path, whole: Any) -> None:
    pieces(tmp_path, 3)
    (tmp_path / "notes.txt").write_text("no capture")
    (tmp_path / "truth.json").write_text("{}")
    got = result(tmp_path)
    assert len(got["captures"]) == 3
    assert without_frames(got) == without_frames(whole)


def test_a_pattern_is_the_files_that_fit_it(tmp_path: Path, whole: Any) -> None:
    pieces(tmp_path, 3)
    assert without_frames(result(tmp_path / "part*.cap")) == without_frames(whole)
    assert len(result(tmp_path / "part[01].cap")["captures"]) == 2


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path, whole: Any) -> None:
    (tmp_path / "why[1].pcap").write_bytes(pcap(TALK, nanoseconds=True))
    assert result(tmp_path / "why[1].pcap") == whole


def test_a_folder_without_captures_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no capture")
    with pytest.raises(CaptureError, match="no capture in this directory"):
        analyze(str(tmp_path))


def test_a_pattern_that_nothing_fits_says_so(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no file matches this pattern"):
        analyze(str(tmp_path / "*.pcap"))


def test_the_recorded_rotated_set_is_one_connection() -> None:
    got = result(ROTATED)
    assert len(got["captures"]) == 4
    [flow] = got["flows"]
    assert flow["roles"] == "handshake"


def test_a_file_is_opened_when_its_time_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of forty files in a row no more than two are open at once."""
    paths = []
    for i in range(40):
        paths.append(tmp_path / f"{i}.pcap")
        paths[-1].write_bytes(pcap(another(i)))
    opened: set[int] = set()
    most = 0
    batches = Reader.batches

    def watched(self: Reader) -> Any:
        nonlocal most
        opened.add(id(self))
        most = max(most, len(opened))
        try:
            yield from batches(self)
        finally:
            opened.discard(id(self))

    monkeypatch.setattr(Reader, "batches", watched)
    assert len(analyze(*map(str, reversed(paths)))) >= 1
    assert most <= 2


def test_a_long_set_is_told_in_one_line_but_for_what_is_damaged(tmp_path: Path) -> None:
    for i in range(17):
        (tmp_path / f"{i:02}.pcap").write_bytes(pcap(another(i)))
    damaged = tmp_path / "05.pcap"
    damaged.write_bytes(damaged.read_bytes()[:-3])
    about = keepalive("analyze", "--utc", tmp_path).stdout.decode().split("\n\n")[1].splitlines()
    assert about[0].startswith(f"17 captures: {17 * len(TALK) - 1} packets, ")
    assert about[1].startswith(f"{damaged}: ")
    assert "cut short" in about[2]
    assert about[3].startswith("17 connections: ")


def test_two_captures_of_one_traffic_count_once(tmp_path: Path, whole: Any) -> None:
    for ahead in (0, 3 * SECOND + 250_000_000, -40 * SECOND):
        (tmp_path / "here.pcap").write_bytes(pcap(TALK, nanoseconds=True))
        (tmp_path / "there.pcap").write_bytes(pcap(later(TALK, ahead), nanoseconds=True))
        got = result(tmp_path / "here.pcap", tmp_path / "there.pcap")
        assert without_frames(got) == without_frames(whole)
        first, second = got["captures"]
        assert first["same_traffic_as"] is None
        assert second["same_traffic_as"]["capture"] == 0
        assert second["same_traffic_as"]["clock_ahead_s"] * SECOND == ahead
        assert first["duplicates"] + second["duplicates"] == len(TALK)


def test_what_one_place_missed_the_other_has(tmp_path: Path, whole: Any) -> None:
    (tmp_path / "here.pcap").write_bytes(pcap(TALK[:9] + TALK[11:], nanoseconds=True))
    (tmp_path / "there.pcap").write_bytes(pcap(later(TALK[:5] + TALK[6:], 7 * SECOND), nanoseconds=True))
    got = result(tmp_path / "here.pcap", tmp_path / "there.pcap")
    assert without_frames(got) == without_frames(whole)


def test_the_way_between_two_places_does_not_set_the_clock_wrong(tmp_path: Path) -> None:
    """Packets from the client come 20 ms later there, those from the server 20 ms earlier; the clocks agree."""
    from_client = [packet.octets[26:30] == TALK[0].octets[26:30] for packet in TALK]
    moved = [
        packet._replace(time=packet.time + (20_000_000 if client else -20_000_000))
        for packet, client in zip(TALK, from_client, strict=True)
    ]
    (tmp_path / "here.pcap").write_bytes(pcap(TALK, nanoseconds=True))
    (tmp_path / "there.pcap").write_bytes(pcap(sorted(moved, key=lambda packet: packet.time), nanoseconds=True))
    got = result(tmp_path / "here.pcap", tmp_path / "there.pcap")
    assert got["captures"][1]["same_traffic_as"]["clock_ahead_s"] == 0
    assert sum(capture["duplicates"] for capture in got["captures"]) == len(TALK)


def test_captures_of_different_traffic_are_not_taken_for_one() -> None:
    for capture in result(CAPTURES[0], CAPTURES[3], CAPTURES[5])["captures"]:
        assert capture["same_traffic_as"] is None


def test_a_repeated_probe_in_the_next_file_is_no_copy(tmp_path: Path) -> None:
    """Files in a row: a probe that looks as the one before, a quarter of a second later, is a second one."""
    (tmp_path / "a.pcap").write_bytes(pcap(TALK[:-1]))
    last = TALK[-2]
    (tmp_path / "b.pcap").write_bytes(pcap([last._replace(time=last.time + SECOND // 4)]))
    got = result(tmp_path / "a.pcap", tmp_path / "b.pcap")
    assert sum(capture["duplicates"] for capture in got["captures"]) == 0
