"""Compressed captures: the same result from each kind, from several members, from what is cut or damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import lz4.frame
import pytest
from results import CAPTURES, dribble, problems, result, without_problems

from analyzer import CaptureError, analyze
from analyzer.capture.compression import FEED, KINDS, Ahead
from analyzer.kernels.records import MAX_BLANK

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda octets: gzip.compress(octets, mtime=0),
    "zstd": zstd.compress,
    "lz4": lz4.frame.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
EVERY_KIND = pytest.mark.parametrize("kind", PACK)
CAPTURE = CAPTURES[0]
WHOLE = CAPTURE.read_bytes()
ZEROS = "from here on there are but zeros: the capture is damaged here"


def formats(path: Path) -> list[str]:
    return [facts.format for facts in analyze(str(path)).captures]


def test_every_kind_is_tested() -> None:
    assert set(PACK) == {name for name, _ in KINDS.values()}


@EVERY_KIND
@pytest.mark.parametrize("capture", CAPTURES[:6], ids=lambda path: path.parent.name)
def test_a_compressed_capture_gives_the_same_result(tmp_path: Path, kind: str, capture: Path) -> None:
    path = tmp_path / "packed"
    path.write_bytes(PACK[kind](capture.read_bytes()))
    assert formats(path) == [f"{capture.suffix[1:]} ({kind})"]
    got, plain = result(path), result(capture)
    for whole in (got, plain):
        for facts in whole["captures"]:
            facts["format"] = ""
    assert got == plain


@EVERY_KIND
def test_members_one_after_the_other_are_one_capture(tmp_path: Path, kind: str) -> None:
    (tmp_path / "two").write_bytes(PACK[kind](WHOLE[:1000]) + PACK[kind](WHOLE[1000:]))
    assert result(tmp_path / "two")["flows"] == result(CAPTURE)["flows"]


@EVERY_KIND
def test_zeros_after_the_end_are_padding(tmp_path: Path, kind: str) -> None:
    (tmp_path / "padded").write_bytes(PACK[kind](WHOLE) + bytes(64))
    got = result(tmp_path / "padded")
    assert problems(got) == []
    assert got["flows"] == result(CAPTURE)["flows"]


@EVERY_KIND
def test_a_compressed_pipe_in_small_pieces_gives_the_same_result(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    packed = PACK[kind](WHOLE)
    expected = result(CAPTURE)["flows"]
    assert result(dribble(monkeypatch, packed))["flows"] == expected


@EVERY_KIND
def test_a_cut_stream_is_named_and_what_precedes_the_cut_is_understood(tmp_path: Path, kind: str) -> None:
    packed = PACK[kind](WHOLE[:1200]) + PACK[kind](WHOLE[1200:])
    first = len(PACK[kind](WHOLE[:1200]))
    (tmp_path / "cut").write_bytes(packed[: first + 20])
    (tmp_path / "before").write_bytes(WHOLE[:1200])
    got = result(tmp_path / "cut")
    assert f"the {kind} stream ends before its end marker" in problems(got)[0]["reason"]
    assert got["flows"] == result(tmp_path / "before")["flows"]


@EVERY_KIND
def test_what_precedes_garbage_after_a_member_is_understood(tmp_path: Path, kind: str) -> None:
    (tmp_path / "damaged").write_bytes(PACK[kind](WHOLE) + b"garbage" * 9)
    got = result(tmp_path / "damaged")
    assert f"the {kind} stream is damaged" in problems(got)[0]["reason"]
    assert without_problems(got)["flows"] == result(CAPTURE)["flows"]


@EVERY_KIND
def test_each_octet_that_is_overwritten_ends_in_a_result_or_a_capture_error(tmp_path: Path, kind: str) -> None:
    packed = PACK[kind](WHOLE)
    path = tmp_path / "flipped"
    for at in range(0, len(packed), max(1, len(packed) // 150)):
        path.write_bytes(packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :])
        try:
            result(path)
        except CaptureError:
            continue


@EVERY_KIND
def test_what_is_no_capture_inside_is_told(tmp_path: Path, kind: str) -> None:
    (tmp_path / "text").write_bytes(PACK[kind](b"a text that is no capture\n" * 20))
    with pytest.raises(CaptureError, match="no capture of a known format"):
        analyze(str(tmp_path / "text"))


def test_a_frame_that_wants_more_memory_than_is_allowed_is_refused(tmp_path: Path) -> None:
    packer = zstd.ZstdCompressor(options={int(zstd.CompressionParameter.window_log): 30})
    (tmp_path / "wide").write_bytes(packer.compress(WHOLE * 4) + packer.flush())
    with pytest.raises(CaptureError, match="the zstd stream is damaged"):
        analyze(str(tmp_path / "wide"))


def test_a_bomb_is_read_in_pieces(tmp_path: Path) -> None:
    """A gigabyte of zeros behind a capture: the first of them ends the reading."""
    bomb = zstd.compress(WHOLE) + zstd.compress(bytes(1 << 24)) * 64
    (tmp_path / "bomb").write_bytes(bomb)
    assert len(bomb) < 100_000
    got = result(tmp_path / "bomb")
    assert without_problems(got)["flows"] == result(CAPTURE)["flows"]
    assert problems(got) == [{"offset": len(WHOLE) + 16 * MAX_BLANK, "reason": ZEROS}]


def test_the_reading_thread_ends_when_nobody_reads_on() -> None:
    def endless() -> bytes:
        return bytes(1 << 18)

    ahead = Ahead(endless)
    assert len(ahead.read()) == 1 << 18
    ahead.close()
    deadline = time.monotonic() + 5
    while ahead._thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not ahead._thread.is_alive()


def test_an_error_waits_behind_the_octets_and_is_told_each_time() -> None:
    pieces = iter([b"one", b"two"])

    def read() -> bytes:
        try:
            return next(pieces)
        except StopIteration:
            raise EOFError("cut") from None

    ahead = Ahead(read)
    assert b"".join(ahead.read() for _ in range(2)) == b"onetwo"
    for _ in range(2):
        with pytest.raises(EOFError, match="cut"):
            ahead.read()


def test_no_thread_is_left_after_an_analysis(tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(zstd.compress(WHOLE))
    before = threading.active_count()
    analyze(str(tmp_path / "packed"))
    assert threading.active_count() == before


def test_damage_costs_little_of_what_precedes_it(tmp_path: Path) -> None:
    """Incompressible bytes: what FEED of them unpack to is all that can be lost."""
    import random

    noise = random.Random(7).randbytes(8 * FEED)
    packed = bytearray(zstd.compress(noise))
    packed[-FEED // 2 :] = bytes(FEED // 2)
    assert len(b"".join(unpacked(bytes(packed)))) >= len(noise) - 8 * FEED // 2


def unpacked(packed: bytes) -> Iterator[bytes]:
    """What comes out before the damage."""
    _, start = KINDS[packed[:4]]
    stream = io.BytesIO(packed)
    unpack = start(lambda: stream.read(1 << 16))
    try:
        while piece := unpack.read():
            yield piece
    except EOFError:
        return
