"""The packets of chosen connections, read a second time: the same streams, the same bytes, from wherever they come."""

from __future__ import annotations

import os
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from captures_in_bytes import SECOND, captured, pcap
from frames_in_bytes import ACK, PSH, ethernet, ipv4, tcp
from results import CAPTURES, EVERY_CAPTURE, ROOT, kernels_of, packets_of

from analyzer import Analysis, CaptureError, UsageError, analyze
from analyzer.model.second_reading import Raw
from analyzer.tables.arrays import Column
from analyzer.tables.fields import FRAME, FRAME_BITS, KIND, PACKET_SIZE, STREAM, TIME
from analyzer.tables.flow import by_server

FOUR = ROOT / "captures" / "refused-and-no-answer" / "capture.pcap"


def again(analysis: Analysis, streams: list[int] | None = None) -> Column:
    """All rows of a second reading."""
    assert analysis.again is not None
    chosen = list(range(len(analysis))) if streams is None else streams
    rows = [batch.rows for batch in analysis.again.batches(chosen)]
    return np.concatenate(rows) if rows else np.zeros((0, PACKET_SIZE), np.int64)


def counted(analysis: Analysis, rows: Column) -> list[tuple[int, int]]:
    """Segments of each stream, by sender."""
    rows = rows[rows[:, KIND] == 0]
    sides = by_server(rows, analysis.facts.tracks.flows).tolist()
    count = Counter(zip(rows[:, STREAM].tolist(), sides, strict=True))
    return [(count[stream, False], count[stream, True]) for stream in range(len(analysis))]


def assert_agrees(analysis: Analysis, rows: Column) -> None:
    """Each stream has as many segments of each sender as the analysis has counted, in order of time."""
    flows = list(analysis.flows)
    assert counted(analysis, rows) == [flow.packets for flow in flows]
    for flow in flows:
        times = rows[(rows[:, STREAM] == flow.stream) & (rows[:, KIND] == 0), TIME]
        assert (times.min(), times.max()) == (flow.start, flow.end)


@EVERY_CAPTURE
def test_a_second_reading_gives_each_packet_the_stream_that_the_analysis_gave_it(capture: Path) -> None:
    analysis = analyze(str(capture), engine="plain")
    assert_agrees(analysis, again(analysis))


@pytest.mark.parametrize("name", ["two-ends", "rotated-set"])
def test_so_it_is_with_several_files(name: str) -> None:
    files = sorted(str(path) for path in (ROOT / "captures" / name).glob("*.pcap*"))
    assert len(files) > 1
    analysis = analyze(*files, engine="plain")
    assert_agrees(analysis, again(analysis))


def test_so_it_is_with_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.pipeline.run.compiled", lambda notify: kernels_of("compiled"))
    capture = str(ROOT / "captures" / "crowd" / "capture.pcap")
    fast, slow = analyze(capture, engine="compiled"), analyze(capture, engine="plain")
    assert np.array_equal(again(fast)[:, [FRAME, STREAM]], again(slow)[:, [FRAME, STREAM]])
    assert_agrees(fast, again(fast))


def test_only_the_chosen_streams_come_and_as_often_as_one_likes() -> None:
    analysis = analyze(str(FOUR), engine="plain")
    for chosen in ([2], [1, 3], [2]):
        assert set(again(analysis, chosen)[:, STREAM].tolist()) == set(chosen)
    assert not len(again(analysis, []))


def octets_of(analysis: Analysis) -> dict[int, Raw]:
    assert analysis.again is not None
    found: dict[int, Raw] = {}
    for batch in analysis.again.batches(range(len(analysis))):
        found.update(zip(batch.rows[:, FRAME].tolist(), batch.raw(), strict=True))
    return found


@pytest.mark.parametrize("name", ["dead-peer", "both-ends-probing", "cut-snaplen", "several-interfaces", "vxlan"])
def test_the_octets_are_those_captured(name: str) -> None:
    path = min((ROOT / "captures" / name).glob("capture.*"))
    packets, _ = packets_of(path)
    found = octets_of(analyze(str(path), engine="plain"))
    assert found
    for frame, raw in found.items():
        packet = packets[frame - 1]
        assert raw == Raw(packet.octets, packet.wire_length, packet.link)


def test_of_two_files_each_frame_has_its_own_files_octets() -> None:
    files = sorted(str(path) for path in (ROOT / "captures" / "two-ends").glob("*.pcap*"))
    packets = [packets_of(path)[0] for path in files]
    found = octets_of(analyze(*files, engine="plain"))
    assert {frame >> FRAME_BITS for frame in found} == {0, 1}
    for frame, raw in found.items():
        assert raw.octets == packets[frame >> FRAME_BITS][(frame & ((1 << FRAME_BITS) - 1)) - 1].octets


def test_octets_are_right_in_every_batch_of_a_long_capture(tmp_path: Path) -> None:
    frames = [
        ethernet(ipv4(tcp(40001, 7000, seq=n, ack=1, flags=PSH | ACK, payload=b"%06d" % n))) for n in range(20_000)
    ]
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap(captured(frame, SECOND + n * 1000) for n, frame in enumerate(frames)))
    found = octets_of(analyze(str(path), engine="plain"))
    assert len(found) == len(frames)
    assert all(found[n + 1].octets == frame for n, frame in enumerate(frames))


def through_a_pipe(data: bytes, spool: bool) -> Analysis:
    """The analysis of what comes through a pipe, which is read to its end."""
    reading, writing = os.pipe()

    def feed() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(data)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        return analyze(f"/dev/fd/{reading}", engine="plain", spool=spool)
    finally:
        feeder.join()
        os.close(reading)


@pytest.mark.parametrize("name", ["dead-peer", "big-endian-nanoseconds", "crowd"])
def test_what_came_through_a_pipe_is_there_again_when_it_was_kept(name: str) -> None:
    path = min((ROOT / "captures" / name).glob("capture.*"))
    piped, file = through_a_pipe(path.read_bytes(), spool=True), analyze(str(path), engine="plain")
    for _ in range(2):
        assert np.array_equal(again(piped)[:, [FRAME, TIME, STREAM]], again(file)[:, [FRAME, TIME, STREAM]])


def test_what_came_through_a_pipe_and_was_not_kept_is_refused() -> None:
    data = CAPTURES[0].read_bytes()
    with pytest.raises(UsageError, match="second time"):
        again(through_a_pipe(data, spool=False))


def test_what_is_kept_has_no_name_and_is_gone_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    analysis = through_a_pipe(FOUR.read_bytes(), spool=True)
    assert len(again(analysis))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_what_it_was_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(FOUR.read_bytes())
    analysis = analyze(str(path), engine="plain")
    path.write_bytes(FOUR.read_bytes()[:200])
    with pytest.raises(CaptureError, match="changed"):
        again(analysis)
    path.unlink()
    with pytest.raises(CaptureError, match="changed"):
        again(analysis)
