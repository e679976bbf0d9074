"""A file, a pipe, a dribble, plain or gzip, plain or compiled: the same bytes give the same result."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from captures_in_bytes import boundaries, pcap, pcapng
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from results import CAPTURES, EVERY_CAPTURE, ROOT, Dribble, dribble, kernels_of, recorded_result, result
from samples import CAPTURES_OF_EACH_KIND, OF_EACH_KIND
from talks_in_bytes import ethernet_talk

import analyzer.capture.reader
from analyzer import CaptureError
from analyzer.capture.source import Source
from analyzer.kernels import Kernels
from analyzer.kernels.warming import Warming
from analyzer.pipeline import run

SMALL = {"pcap": pcap(ethernet_talk()), "pcapng": pcapng(ethernet_talk(), ">")}


def members(data: bytes, count: int, seed: int = 0) -> bytes:
    """gzip in several members, as `cat a.gz b.gz` makes it."""
    cuts = sorted(random.Random(seed).sample(range(1, len(data)), count - 1))
    return b"".join(gzip.compress(data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))


def through_a_pipe(data: bytes) -> dict[str, object]:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return result(f"/dev/fd/{reading}")
    finally:
        writer.join()
        os.close(reading)


@CAPTURES_OF_EACH_KIND
def test_a_pipe_and_a_dribble_tell_what_the_file_tells(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, whole = capture.read_bytes(), recorded_result(capture)
    assert through_a_pipe(data) == whole
    assert result(dribble(monkeypatch, data)) == whole


@CAPTURES_OF_EACH_KIND
def test_gzip_changes_nothing(capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, whole = capture.read_bytes(), recorded_result(capture)
    path = tmp_path / "capture.gz"
    for packed in (gzip.compress(data), members(data, 5)):
        path.write_bytes(packed)
        assert result(path) == whole
    assert through_a_pipe(members(data, 3)) == whole
    assert result(dribble(monkeypatch, members(data, 2))) == whole


@EVERY_CAPTURE
def test_compiled_tells_what_plain_tells(capture: Path) -> None:
    assert result(capture, engine="compiled") == recorded_result(capture)


@EVERY_CAPTURE
def test_switching_to_compiled_in_the_middle_changes_nothing(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = recorded_result(capture)
    half = whole["captures"][0]["packets"] // 2
    monkeypatch.setattr(run, "WORTH_COMPILING", half)
    monkeypatch.setattr(run, "ready", lambda: None)
    monkeypatch.setattr(analyzer.capture.reader, "BATCH", 7)
    switched = []

    class Ready(Warming):
        """Machine code that is there as soon as it is worth making."""

        def kernels(self, *, begin: bool) -> Kernels | None:
            if begin:
                switched.append(True)
            return kernels_of("compiled") if begin else None

    monkeypatch.setattr(run, "Warming", Ready)
    assert result(dribble(monkeypatch, capture.read_bytes()), engine="auto") == whole
    assert switched == [True]


@pytest.mark.parametrize("form", SMALL)
@given(sizes=st.lists(st.integers(1, 97)), batch=st.integers(1, 9))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batch_boundaries_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, form: str, sizes: list[int], batch: int
) -> None:
    path = tmp_path_factory.mktemp("whole") / "talk"
    path.write_bytes(SMALL[form])
    whole = result(path)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(analyzer.capture.reader, "BATCH", batch)
        assert result(dribble(monkeypatch, SMALL[form], sizes)) == whole


def test_one_octet_at_a_time_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = CAPTURES[0]
    whole = result(capture)
    data = capture.read_bytes()
    assert result(dribble(monkeypatch, data, [1] * len(data)), engine="compiled") == whole


def test_a_buffer_smaller_than_a_record_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer.capture.reader, "BUFFER_SIZE", 64)
    for capture in OF_EACH_KIND:
        assert result(capture) == recorded_result(capture), capture


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_standard_input_is_a_capture_too(compress: type) -> None:
    for capture in (CAPTURES[0], CAPTURES[3]):
        command = [sys.executable, "-m", "analyzer", "analyze", "-", "--format", "json"]
        run = subprocess.run(command, input=compress(capture.read_bytes()), capture_output=True, cwd=ROOT, check=True)
        whole = json.loads(run.stdout, parse_float=Decimal)
        assert whole["captures"][0].pop("path") == "standard input"
        assert whole["captures"][0]["format"].startswith(result(capture)["captures"][0].pop("format"))
        assert whole["flows"] == result(capture)["flows"]
        assert whole["findings"] == result(capture)["findings"]


def test_several_captures_are_one_timeline(tmp_path: Path) -> None:
    packets = ethernet_talk()
    for name, part in (("a", packets[:9]), ("b", packets[9:])):
        (tmp_path / name).write_bytes(pcap(part))
    (tmp_path / "whole").write_bytes(pcap(packets))
    parts, whole = result(tmp_path / "a", tmp_path / "b"), result(tmp_path / "whole")
    assert [capture["packets"] for capture in parts["captures"]] == [9, len(packets) - 9]
    (flow,), (expected,) = parts["flows"], whole["flows"]
    assert flow["verdict"] == expected["verdict"]
    frames = [probe["frame"] for entry in flow["keepalive"] for e in entry["episodes"] for probe in e["probes"]]
    numbers = [probe["frame"] for entry in expected["keepalive"] for e in entry["episodes"] for probe in e["probes"]]
    assert frames == [f"0:{n}" if n <= 9 else f"1:{n - 9}" for n in numbers]


def test_a_device_that_fails_while_reading_costs_only_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Dribble):
        def readinto(self, buffer: Any) -> int:
            count = super().readinto(buffer)
            if count == 0:
                raise OSError(5, "Input/output error")
            return count

    data = SMALL["pcap"]
    monkeypatch.setattr(
        "analyzer.capture.reader.open_source", lambda path: Source(path, Failing(data[:900], [97] * 10))
    )
    got = result("failing")
    assert got["captures"][0]["packets"] == sum(end <= 900 for end in boundaries(data)[1:])
    (problem,) = got["captures"][0]["problems"]
    assert "Input/output error" in problem["reason"]


def test_a_missing_file_alone_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        result(tmp_path / "missing.pcap")


def test_a_directory_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="directory"):
        result(tmp_path)


def test_a_missing_file_among_readable_ones_is_a_problem(tmp_path: Path) -> None:
    whole = result(tmp_path / "missing.pcap", CAPTURES[0], tmp_path)
    assert [bool(capture["problems"]) for capture in whole["captures"]] == [True, False, True]
    assert len(whole["flows"]) == len(result(CAPTURES[0])["flows"])
