"""What is no capture at all, and compression that is damaged."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from captures_in_bytes import pcap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from results import CAPTURES, Result, problems, result, without_problems
from talks_in_bytes import ethernet_talk

from analyzer import CaptureError

PACKED = gzip.compress(CAPTURES[0].read_bytes(), mtime=0)


def refused(path: Path, octets: bytes) -> CaptureError:
    path.write_bytes(octets)
    with pytest.raises(CaptureError) as caught:
        result(path)
    assert str(path) in str(caught.value)
    return caught.value


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    assert "empty" in str(refused(tmp_path / "empty.pcap", b""))


@pytest.mark.parametrize("octets", [b"\xd4", b"\xd4\xc3", b"\n\r\r"])
def test_less_than_a_magic_number_is_too_short(tmp_path: Path, octets: bytes) -> None:
    assert "too short" in str(refused(tmp_path / "short.pcap", octets))


@pytest.mark.parametrize(
    "octets",
    [b"# a text file\n" * 50, b"\x7fELF" + bytes(500), b"PK\3\4" + bytes(500), bytes(500), gzip.compress(b"text")],
    ids=["text", "elf", "zip", "zeros", "gzip-of-text"],
)
def test_what_is_no_capture_is_named_by_how_it_begins(tmp_path: Path, octets: bytes) -> None:
    assert "no capture of a known format" in str(refused(tmp_path / "other", octets))


@given(octets=st.binary(max_size=300))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_is_a_capture_error_and_nothing_else(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    path = tmp_path_factory.mktemp("garbage") / "octets"
    path.write_bytes(octets)
    with pytest.raises(CaptureError):
        result(path)


def unpacked(octets: bytes) -> bytes:
    """Whatever a decompressor can still get out of a damaged stream."""
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(octets)


def whole_packets(path: Path, octets: bytes) -> Result:
    path.write_bytes(octets)
    return without_problems(result(path))


@pytest.mark.parametrize("cut", range(len(PACKED) // 4, len(PACKED) - 8, 97))
def test_a_truncated_gzip_gives_the_packets_that_can_be_unpacked(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(PACKED[:cut])
    got = result(path)
    (problem,) = problems(got)
    assert "gzip" in problem["reason"]
    assert without_problems(got) == whole_packets(tmp_path / "plain", unpacked(PACKED[:cut]))
    assert 0 < problem["offset"] <= len(CAPTURES[0].read_bytes())


@pytest.mark.parametrize("cut", range(len(PACKED) - 8, len(PACKED)))
def test_a_gzip_without_its_trailer_is_whole_but_a_problem(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(PACKED[:cut])
    got = result(path)
    assert len(problems(got)) == 1
    assert without_problems(got) == result(CAPTURES[0])


@pytest.mark.parametrize("cut", range(2, 30, 3))
def test_a_gzip_cut_before_its_first_octets_cannot_be_read(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(PACKED[:cut])
    try:
        assert problems(result(path))
    except CaptureError as error:
        assert "gzip" in error.reason


def test_a_damaged_gzip_gives_what_stood_before(tmp_path: Path) -> None:
    damaged = bytearray(gzip.compress(pcap(ethernet_talk() * 400), mtime=0))
    damaged[len(damaged) // 2] ^= 0xFF
    path = tmp_path / "damaged.gz"
    path.write_bytes(damaged)
    got = result(path)
    assert len(problems(got)) == 1
    assert got["captures"][0]["packets"] > 0


def test_garbage_after_a_gzip_is_a_problem_that_costs_no_packet(tmp_path: Path) -> None:
    path = tmp_path / "tail.gz"
    path.write_bytes(PACKED + b"not gzip at all")
    got = result(path)
    assert len(problems(got)) == 1
    assert without_problems(got) == result(CAPTURES[0])


def test_zeros_after_a_gzip_are_padding(tmp_path: Path) -> None:
    path = tmp_path / "tape.gz"
    path.write_bytes(PACKED + bytes(512))
    assert result(path) == result(CAPTURES[0])


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("analyzer.capture.source.open", denied, raising=False)
    with pytest.raises(CaptureError, match=r"locked\.pcap: .*Permission denied"):
        result(tmp_path / "locked.pcap")
