"""A scan gives what `analyze` of all captures gives, in however many partitions and blocks, of one place or several."""

from __future__ import annotations

import gzip
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from captures_in_bytes import Captured, pcap
from cut_captures import packets_in
from results import ROOT
from samples import LONG
from scanned import differences, scanned

from analyzer.fleet import reading
from analyzer.fleet.state import Settings

RECORDINGS = sorted(ROOT.glob("captures/*/capture*.pcap*"))
PARTITIONS = (1, 3, 17)
BLOCKS = (1, 5, 30_000)
CUT = 20 if LONG else 6


def cut(packets: Sequence[Captured], pieces: int, folder: Path, dice: random.Random) -> None:
    """Write packets into so many files, one after another, of which some are compressed."""
    folder.mkdir(parents=True)
    places = sorted(dice.sample(range(1, len(packets)), min(pieces - 1, len(packets) - 1)))
    for number, (start, end) in enumerate(zip([0, *places], [*places, len(packets)], strict=True)):
        octets = pcap(packets[start:end], link=packets[0].link)
        compressed = dice.random() < 0.3
        name = f"eth0-{number:04}.pcap{'.gz' if compressed else ''}"
        (folder / name).write_bytes(gzip.compress(octets, mtime=0) if compressed else octets)


@pytest.mark.parametrize(("partitions", "block"), [(1, 30_000), (3, 1), (17, 5)])
def test_all_recordings_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partitions: int, block: int) -> None:
    monkeypatch.setattr(reading, "BLOCK", block)
    report = scanned(RECORDINGS, tmp_path / "out", partitions=partitions)
    assert report.read == report.captures == len(RECORDINGS)
    assert differences(report, tmp_path / "out") == []


@pytest.mark.parametrize("seed", range(CUT))
def test_rotated_captures_of_several_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    dice = random.Random(seed)
    monkeypatch.setattr(reading, "BLOCK", dice.choice(BLOCKS))
    chosen = dice.sample([path for path in RECORDINGS if path.suffix == ".pcap"], 5)
    for path in chosen:
        packets = packets_in(path)
        if len(packets) > 1:
            cut(packets, dice.randrange(2, 12), tmp_path / "captures" / path.parent.name, dice)
    report = scanned([tmp_path / "captures"], tmp_path / "out", partitions=dice.choice(PARTITIONS))
    assert differences(report, tmp_path / "out") == []


@pytest.mark.parametrize("ahead_ms", [0, 3, 90_000])
def test_connections_seen_on_two_hosts(tmp_path: Path, ahead_ms: int) -> None:
    """The second host's clock is ahead, and packets take 2 ms to it."""
    dice = random.Random(ahead_ms)
    packets = packets_in(ROOT / "captures" / "crowd" / "capture.pcap")
    cut(packets, 4, tmp_path / "captures" / "one", dice)
    late = [packet._replace(time=packet.time + (ahead_ms + 2) * 1_000_000) for packet in packets]
    cut(late, 3, tmp_path / "captures" / "other", dice)
    report = scanned([tmp_path / "captures"], tmp_path / "out")
    assert any(facts.same_traffic for facts in report.analysis.captures)
    assert differences(report, tmp_path / "out") == []


@pytest.mark.parametrize("same_traffic", ["auto", "yes", "no"])
@pytest.mark.parametrize("split_tunnels", [False, True])
def test_settings_mean_the_same(tmp_path: Path, same_traffic: str, split_tunnels: bool) -> None:
    chosen = [path for path in RECORDINGS if path.parent.name in ("vxlan", "gre", "two-ends", "two-places-late")]
    settings = Settings(split_tunnels, same_traffic)
    report = scanned(chosen, tmp_path / "out", settings=settings, idle_after_s=3.0)
    how = {"split_tunnels": split_tunnels, "same_traffic": same_traffic, "idle_after_s": 3.0}
    given = [one for one in differences(report, tmp_path / "out", **how) if not one.startswith("loaded")]
    assert given == []


def test_the_same_input_twice_gives_the_same_files(tmp_path: Path) -> None:
    for out in ("first", "second"):
        scanned(RECORDINGS, tmp_path / out)
    tables = [sorted((tmp_path / out).rglob("*.parquet")) for out in ("first", "second")]
    assert [path.relative_to(tmp_path / "first") for path in tables[0]] == [
        path.relative_to(tmp_path / "second") for path in tables[1]
    ]
    assert [path.read_bytes() for path in tables[0]] == [path.read_bytes() for path in tables[1]]


def test_scanning_again_reads_what_is_new_alone(tmp_path: Path) -> None:
    """Connections that go on are whole, and what a ring has removed stays known."""
    dice = random.Random(5)
    packets = packets_in(ROOT / "captures" / "crowd" / "capture.pcap")
    cut(packets, 10, tmp_path / "all" / "web-1", dice)
    files = sorted((tmp_path / "all" / "web-1").iterdir())
    there = tmp_path / "captures" / "web-1"
    there.mkdir(parents=True)
    read = []
    for some in (files[:4], files[4:5], [], files[5:]):
        for path in some:
            shutil.copy2(path, there)
        report = scanned([tmp_path / "captures"], tmp_path / "out", partitions=4)
        read.append(report.read)
    assert read == [4, 1, 0, 5]
    assert differences(report, tmp_path / "out") == []
    whole = report.analysis.to_json()
    for path in sorted(there.iterdir())[:6]:
        path.unlink()
    assert scanned([tmp_path / "captures"], tmp_path / "out").analysis.to_json() == whole


def test_a_capture_that_has_grown_is_read_anew(tmp_path: Path) -> None:
    packets = packets_in(ROOT / "captures" / "dead-peer" / "capture.pcap")
    growing = tmp_path / "captures" / "eth0.pcap"
    growing.parent.mkdir()
    growing.write_bytes(pcap(packets[:9], link=packets[0].link))
    assert scanned([growing.parent], tmp_path / "out").captures == 1
    growing.write_bytes(pcap(packets, link=packets[0].link))
    report = scanned([growing.parent], tmp_path / "out")
    assert (report.captures, report.read) == (1, 1)
    assert differences(report, tmp_path / "out") == []


def test_captures_without_tcp_are_captures(tmp_path: Path) -> None:
    """Two that hold one packet of something else each, and one that holds none."""
    folder = tmp_path / "captures"
    folder.mkdir()
    packet = packets_in(ROOT / "captures" / "dead-peer" / "capture.pcap")[0]
    arp = packet._replace(octets=packet.octets[:12] + b"\x08\x06" + bytes(28))
    for number, packets in enumerate(([arp], [arp._replace(time=arp.time + 5_000_000_000)], [])):
        (folder / f"eth{number}.pcap").write_bytes(pcap(packets, link=packet.link))
    for same_traffic in ("auto", "yes"):
        out = tmp_path / same_traffic
        report = scanned([folder], out, settings=Settings(same_traffic=same_traffic))
        assert (report.captures, len(report.analysis)) == (3, 0)
        given = differences(report, out, same_traffic=same_traffic)
        assert given == []
