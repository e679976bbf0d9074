"""One traffic captured at two places is recognised whenever they overlap, and each packet counts once."""

from __future__ import annotations

import random
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from captures_in_bytes import SECOND
from commands import inside
from cut_captures import story
from places_in_bytes import BARE, FAR, NEAR, NUMBERED, Kind, Traffic, rotated, shaken, written

from analyzer import analyze
from analyzer.pipeline.same_traffic.samples import MASK_32, keys
from analyzer.pipeline.timeline import Timeline

AHEAD = [0, 34.65, -7200]
ahead_by = pytest.mark.parametrize("ahead", AHEAD)
numbered = pytest.mark.parametrize("kind", NUMBERED, ids=str)
bare = pytest.mark.parametrize("kind", BARE, ids=str)
every = pytest.mark.parametrize("kind", [*BARE, *NUMBERED], ids=str)


def busy(kind: Kind, connections: int = 6, seconds: int = 400) -> Traffic:
    """Idle connections that probe, and one that is used all the time."""
    traffic = Traffic(kind)
    traffic.idle((20.48,) * connections, seconds // 20)
    traffic.handshake(0.1, 50)
    for number in range(seconds // 2):
        traffic.request(0.5 + 2 * number, 50, number)
    return traffic


def counted(*paths: Path, **how: str) -> tuple[int, int, list[str]]:
    """Packets and probes in all connections, and the captures that were joined."""
    whole = story(paths, **how)
    packets = sum(sum(flow["packets"].values()) for flow in whole["flows"])
    probes = sum(entry["probes"] for flow in whole["flows"] for entry in flow["keepalive"])
    return packets, probes, [Path(path).name for path in whole["joined"]]


@every
@ahead_by
@pytest.mark.parametrize("since", [0, 150])
def test_two_captures(tmp_path: Path, kind: Kind, ahead: float, since: float) -> None:
    traffic = busy(kind, connections=4, seconds=240)
    near = written(traffic.at(NEAR), tmp_path / "near.pcap")
    far = written(shaken(traffic.at(FAR, ahead=ahead, since=since), 1, 0.003), tmp_path / "far.pcap")
    for paths in ((near, far), (far, near)):
        assert counted(*paths) == (len(traffic.sent), 48, [paths[1].name])


@numbered
@ahead_by
def test_idle_connections_with_numbers(tmp_path: Path, kind: Kind, ahead: float) -> None:
    traffic = Traffic(kind)
    traffic.idle((20.48,) * 4, 9)
    near = written(traffic.at(NEAR), tmp_path / "near.pcap")
    far = written(traffic.at(FAR, ahead=ahead), tmp_path / "far.pcap")
    assert counted(near, far) == (72, 36, ["far.pcap"])


@bare
@pytest.mark.parametrize("periods", [(20.0,) * 4, (20.0, 15.0, 7.5)], ids=["equal", "different"])
def test_idle_connections_without_numbers_by_clocks_that_agree(
    tmp_path: Path, kind: Kind, periods: tuple[float, ...]
) -> None:
    traffic = Traffic(kind)
    traffic.idle(periods, 8)
    near = written(traffic.at(NEAR), tmp_path / "near.pcap")
    for since in (0, 60):
        far = written(traffic.at(FAR, since=since), tmp_path / "far.pcap")
        assert counted(near, far) == (16 * len(periods), 8 * len(periods), ["far.pcap"])


@bare
def test_idle_connections_without_numbers_by_clocks_that_differ(tmp_path: Path, kind: Kind) -> None:
    """Any multiple of the period fits: that is said, and nothing is joined unless the user knows."""
    traffic = Traffic(kind)
    traffic.idle((20.0,) * 4, 8)
    near = written(traffic.at(NEAR), tmp_path / "near.pcap")
    far = written(traffic.at(FAR, ahead=34.65), tmp_path / "far.pcap")
    whole = story([near, far])
    assert whole["joined"] == []
    [why] = whole["why"]
    assert "cannot be decided" in why
    assert "cannot be decided" in inside("analyze", near, far)
    trusted = story([near, far], same_traffic="yes")
    assert [flow["keepalive"][0]["probes"] for flow in trusted["flows"]] == [8] * 4
    assert "any multiple of their period" in trusted["why"][0]
    assert story([near, far], same_traffic="no")["why"] == []


@every
@pytest.mark.parametrize(("files", "ahead"), [(3, -5 * 3600), (9, 0), (12, 34.65)])
def test_rings_of_any_length(tmp_path: Path, kind: Kind, ahead: float, files: int) -> None:
    traffic = busy(kind, connections=3, seconds=240)
    near = rotated(traffic.at(NEAR), files, tmp_path, "near")
    far = rotated(traffic.at(FAR, ahead=ahead), files, tmp_path, "far")
    for paths in ((*near, *far), tuple(chain(*zip(far, near, strict=True)))):
        packets, probes, joined = counted(*paths)
        assert (packets, probes) == (len(traffic.sent), 36)
        assert len(joined) >= files


@numbered
@pytest.mark.parametrize("ahead", [0, 34.65, -7200])
def test_rings_with_one_round_in_each_file(tmp_path: Path, kind: Kind, ahead: float) -> None:
    """That the numbers of a sender move is seen in no file, but in all of them together."""
    traffic = Traffic(kind)
    traffic.idle((20.0,) * 6, 14)
    near = rotated(traffic.at(NEAR), 14, tmp_path, "near")
    far = rotated(traffic.at(FAR, ahead=ahead, since=70), 10, tmp_path, "far")
    packets, probes, joined = counted(*near, *far)
    assert (packets, probes) == (168, 84)
    assert len(joined) >= 9


@bare
def test_rings_of_idle_connections_by_clocks_that_agree(tmp_path: Path, kind: Kind) -> None:
    traffic = Traffic(kind)
    traffic.idle((20.0,) * 4, 40)
    near = rotated(traffic.at(NEAR), 9, tmp_path, "near")
    far = rotated(traffic.at(FAR), 9, tmp_path, "far")
    assert counted(*near, *far)[:2] == (320, 160)


def test_the_quiet_files_of_a_ring_go_by_the_clock_of_the_others(tmp_path: Path) -> None:
    """Only in the middle is there anything to tell the clocks by."""
    traffic = Traffic(Kind())
    traffic.idle((20.0,) * 4, 40)
    for number in range(20):
        traffic.request(402.3 + number, 9, number)
    near = rotated(traffic.at(NEAR), 8, tmp_path, "near")
    far = rotated(traffic.at(FAR, ahead=100.5), 8, tmp_path, "far")
    whole = story([*near, *far])
    assert [flow["keepalive"][0]["probes"] for flow in whole["flows"] if flow["keepalive"]] == [40] * 4
    assert sum("captured by the same program" in why for why in whole["why"]) >= 5


def test_one_that_began_after_more_than_is_looked_at_first(tmp_path: Path) -> None:
    """Thousands of packets later, by a clock of its own, in a file that holds much else."""
    traffic = busy(Kind(stamps=True), connections=2, seconds=1200)
    other = Traffic(Kind(v6=False))
    for connection in range(60):
        for number in range(5):
            other.request(800 + connection / 10 + number, 100 + connection, number)
    near = written(traffic.at(NEAR), tmp_path / "near.pcap")
    seen = sorted([*traffic.at(FAR, ahead=9.5, since=800), *other.at(FAR, ahead=9.5)], key=lambda one: one.time)
    far = written(seen, tmp_path / "far.pcap")
    assert counted(near, far) == (len(traffic.sent) + len(other.sent), 120, ["far.pcap"])


def test_a_place_that_sees_one_direction(tmp_path: Path) -> None:
    traffic = busy(Kind(stamps=True))
    near = written(traffic.at(NEAR), tmp_path / "near.pcap")
    one_way = Traffic(traffic.kind, [one for one in traffic.sent if one.by_client])
    far = written(one_way.at(FAR, ahead=12), tmp_path / "far.pcap")
    assert counted(near, far)[2] == ["far.pcap"]
    assert counted(near, far)[:2] == (len(traffic.sent), 120)


def test_a_capture_given_twice(tmp_path: Path) -> None:
    for kind in (*BARE, *NUMBERED):
        traffic = busy(kind)
        one = written(traffic.at(NEAR), tmp_path / "one.pcap")
        assert counted(one, written(traffic.at(NEAR), tmp_path / "two.pcap"))[0] == len(traffic.sent)


# Near misses.


def test_captures_of_other_connections_are_not_joined(tmp_path: Path) -> None:
    one, other = Traffic(Kind()), Traffic(Kind())
    one.idle((20.0,) * 3, 8)
    for connection in range(3, 6):
        for number in range(8):
            other.probe(1 + connection / 10 + 20 * number, connection)
    paths = written(one.at(NEAR), tmp_path / "a.pcap"), written(other.at(NEAR), tmp_path / "b.pcap")
    assert counted(*paths) == (96, 48, [])
    assert story(paths)["why"] == []


def test_packets_that_are_spread_over_files_are_not_joined(tmp_path: Path) -> None:
    """As by several threads of one capture: each packet is in one file, and all files run at once."""
    traffic = Traffic(Kind())
    traffic.idle((2.0, 3.0, 5.0), 30)
    packets = traffic.at(NEAR)
    paths = [
        written([packet for n, packet in enumerate(packets) if n * 7 % 11 % 3 == file], tmp_path / f"{file}.pcap")
        for file in range(3)
    ]
    assert counted(*paths) == (len(packets), 90, [])


def test_the_user_may_say_no(tmp_path: Path) -> None:
    traffic = busy(Kind(stamps=True), seconds=60)
    near, far = written(traffic.at(NEAR), tmp_path / "a.pcap"), written(traffic.at(FAR), tmp_path / "b.pcap")
    assert counted(near, far, same_traffic="no")[2] == []
    assert counted(near, far, same_traffic="no")[0] > len(traffic.sent)


def test_yes_to_captures_that_share_nothing_says_so(tmp_path: Path) -> None:
    one, other = Traffic(Kind()), Traffic(Kind(v6=False))
    one.idle((20.0,), 8)
    other.idle((20.0,), 8)
    paths = written(one.at(NEAR), tmp_path / "a.pcap"), written(other.at(NEAR), tmp_path / "b.pcap")
    assert "no packet of it is in" in story(paths, same_traffic="yes")["why"][0]


def test_the_packets_are_found_again_by_the_clocks_that_were_set(tmp_path: Path) -> None:
    """Charts, annotations and extracts read a second time, and compare nothing again."""
    traffic = busy(Kind(stamps=True), seconds=60)
    near = written(traffic.at(NEAR), tmp_path / "a.pcap")
    far = written(traffic.at(FAR, ahead=77, since=30), tmp_path / "b.pcap")
    analysis = analyze(str(near), str(far), engine="plain")
    assert analysis.again is not None
    rows = [row for batch in analysis.again.batches(range(len(analysis))) for row in batch.rows]
    assert len(rows) == len(traffic.sent)
    assert analysis.captures[1].clock_shift == 77 * SECOND


def test_every_command_that_reads_captures_takes_the_word_of_the_user(tmp_path: Path) -> None:
    traffic = Traffic(Kind())
    traffic.idle((20.0,) * 2, 6)
    near = written(traffic.at(NEAR), tmp_path / "a.pcap")
    far = written(traffic.at(FAR, ahead=7), tmp_path / "b.pcap")
    said = ("--same-traffic", "yes")
    assert "the same traffic as in" in inside("analyze", near, far, *said)
    assert "--same-traffic yes" in inside("report", near, far, *said, "--format", "markdown")
    sizes = []
    for word in ("yes", "no"):
        out = tmp_path / f"{word}.pcapng"
        inside("extract", near, far, "--port", "5432", "--same-traffic", word, "-o", out)
        sizes.append(out.stat().st_size)
    assert sizes[0] < sizes[1]
    inside("annotate", near, far, *said, "-o", tmp_path / "annotated.pcapng")
    inside("chart", near, far, *said, "--kind", "timeline", "-o", tmp_path / "chart.svg")


@pytest.mark.parametrize("ahead", [0, 5 * 3600])
def test_ids_of_a_counter_that_the_whole_host_moves(tmp_path: Path, ahead: float) -> None:
    """They come round within minutes, and prove it all the same: their steps are never the same again."""
    traffic, rng = Traffic(Kind(v6=False, ids=True)), random.Random(7)
    for one in range(12):
        for by_client in (True, False):
            traffic._ids[0, by_client] = rng.randrange(1, 65_535)
            seq, ack = (99, 300) if by_client else (300, 100)
            traffic.send(1 + 20 * one + (0 if by_client else 0.001), 0, by_client, seq, ack)
    near = written(traffic.at(NEAR), tmp_path / "near.pcap")
    far = written(traffic.at(FAR, ahead=ahead), tmp_path / "far.pcap")
    assert counted(near, far) == (24, 12, ["far.pcap"])


def test_a_busy_network_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at first of both covers a tenth of a second, and is enough."""
    traffic = Traffic(Kind())
    for connection in range(40):
        traffic.handshake(connection / 1000, connection)
        for number in range(20):
            traffic.request(0.05 + connection / 1000 + number / 10, connection, number)
    near = written(traffic.at(NEAR, way=0.001), tmp_path / "near.pcap")
    far = written(traffic.at(FAR, way=0.001), tmp_path / "far.pcap")
    read: list[bool] = []
    reconsider = Timeline.reconsider
    monkeypatch.setattr(Timeline, "reconsider", lambda self: read.append(reconsider(self)))
    assert counted(near, far) == (len(traffic.sent), 0, ["far.pcap"])
    assert read == [False]


@pytest.mark.parametrize("ahead", [0, 34.65])
@bare
def test_segments_that_a_network_card_cut(tmp_path: Path, kind: Kind, ahead: float) -> None:
    """The sender's capture holds long segments, the receiver's short ones; the rest is the same."""
    sent, cut = Traffic(kind), Traffic(kind)
    for number in range(60):
        for traffic, size in ((sent, 5600), (cut, 1400)):
            for part in range(0, 5600, size):
                traffic.send(1 + number / 10, 0, True, 100 + 5600 * number + part, 300, payload=b"x" * size)
            traffic.send(1.01 + number / 10, 0, False, 300, 100 + 5600 * (number + 1))
    near = written(sent.at(NEAR), tmp_path / "near.pcap")
    far = written(cut.at(FAR, way=0.001, ahead=ahead), tmp_path / "far.pcap")
    assert counted(near, far)[2] == ["far.pcap"]


@pytest.mark.parametrize("pace", [15_005, 30_005, 60_005, 75_008])
def test_of_probes_at_an_even_pace_a_sample_holds_a_part(pace: int) -> None:
    """Not all or none: with packets of one direction alone a clock is set wrong by their way."""
    same = np.ones(24, np.int64)
    for start in range(0, MASK_32, 1 << 26):
        stamps = start + pace * np.arange(24) & MASK_32
        chosen = keys(7_000_001 * same, 9_000_401 * same, stamps) <= MASK_32 >> 1
        assert chosen.any()
        assert not chosen.all()
