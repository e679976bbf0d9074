"""Captures that are cut short, or whose lengths cannot be: what stood before is understood, the place is named."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from captures_in_bytes import NAMES, block, boundaries, enhanced, interface, pcap, pcapng, section
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from results import CAPTURES, Result, problems, result, without_problems
from samples import CAPTURES_OF_EACH_KIND, LONG, edges
from talks_in_bytes import ethernet_talk

from analyzer import CaptureError

CASES = {capture.parent.name: capture for capture in CAPTURES}
TALK = ethernet_talk()


def many_blocks() -> bytes:
    """A big-endian pcapng with other blocks between its packets, and two sections."""
    names = block(">", NAMES, bytes(40))
    packets = [enhanced(">", 0, p.time, p.octets, p.wire_length, b"why") for p in TALK]
    first = section(">") + names + interface(">", tsresol=9) + names + names.join(packets[:6])
    return first + section(">", 0) + interface(">", tsresol=9) + b"".join(packets[6:]) + names


MADE = {
    "lab-pcap": CASES["dead-peer"].read_bytes(),
    "lab-pcapng": CASES["both-ends-probing"].read_bytes(),
    "big-endian-pcap": pcap(TALK, ">", True),
    "many-blocks": many_blocks(),
}


def check_cut(data: bytes, cut: int, path: Path, whole_until: Callable[[int], Result]) -> None:
    """The first `cut` bytes give the result of the records before, and the first that is not whole is named."""
    path.write_bytes(data[:cut])
    ends = [end for end in boundaries(data) if end <= cut]
    try:
        got = result(path)
    except CaptureError as error:
        assert not ends, (cut, error)
        assert error.offset <= cut
        return
    if not ends:
        assert [problem["offset"] for problem in problems(got)] == [0], cut
        assert got["flows"] == []
    else:
        assert [problem["offset"] for problem in problems(got)] == [ends[-1]] * (ends[-1] != cut), cut
        assert without_problems(got) == whole_until(ends[-1]), cut


def prefixes_of(data: bytes, path: Path) -> Callable[[int], Result]:
    """The result of the first so many bytes, each computed once."""

    @cache
    def whole_until(end: int) -> Result:
        path.write_bytes(data[:end])
        return result(path)

    return whole_until


# The long form cuts every recording everywhere; otherwise four files stand for them, cut where something ends.
CUT_ANYWHERE = {**MADE, **({name: path.read_bytes() for name, path in CASES.items()} if LONG else {})}
RANDOM_CUTS = 1000 if LONG else 5
EVERY_OTHER = 2 if LONG else 5  # record


@pytest.mark.parametrize("made", CUT_ANYWHERE)
def test_a_cut_anywhere_leaves_the_packets_before_it(made: str, tmp_path: Path) -> None:
    data = CUT_ANYWHERE[made]
    whole_until = prefixes_of(data, tmp_path / "whole")
    for cut in edges(data):
        check_cut(data, cut, tmp_path / "cut", whole_until)


@CAPTURES_OF_EACH_KIND
def test_a_cut_at_random_places_leaves_the_packets_before_it(capture: Path, tmp_path: Path) -> None:
    data, rng = capture.read_bytes(), random.Random(capture.parent.name)
    whole_until = prefixes_of(data, tmp_path / "whole")
    for _ in range(RANDOM_CUTS):
        check_cut(data, rng.randint(0, len(data)), tmp_path / "cut", whole_until)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("length", [0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0, 1 << 25])
@pytest.mark.parametrize("before", [0, 1, len(TALK)])
def test_a_record_length_that_cannot_be_ends_a_pcap(tmp_path: Path, order: str, length: int, before: int) -> None:
    good = pcap(TALK[:before], order)
    path = tmp_path / "damaged.pcap"
    path.write_bytes(good + struct.pack(order + "IIII", 1, 1, length, length) + bytes(5000))
    got = result(path)
    (problem,) = problems(got)
    assert problem["offset"] == len(good)
    assert "damaged" in problem["reason"]
    assert str(length) in problem["reason"]
    path.write_bytes(good)
    assert without_problems(got) == result(path)


def test_records_without_octets_are_counted_and_passed(tmp_path: Path) -> None:
    path = tmp_path / "empty-records.pcap"
    path.write_bytes(pcap([]) + struct.pack("<IIII", 1, 1, 0, 0) * 3 + pcap(TALK)[24:])
    got = result(path)
    assert got["captures"][0]["packets"] == len(TALK) + 3
    assert got["captures"][0]["skipped"] == {"truncated": 3}
    assert problems(got) == []


LENGTHS = (0, 1, 7, 8, 11, 13, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [0x0A0D0D0A, 1, 3, 4, 6, 0x0BAD])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("before", [0, len(TALK)])
def test_a_block_length_that_cannot_be_is_damage_where_the_block_begins(
    tmp_path: Path, order: str, kind: int, length: int, before: int
) -> None:
    good = pcapng(TALK[:before], order)
    path = tmp_path / "damaged.pcapng"
    magic = struct.pack(order + "I", 0x1A2B3C4D)
    path.write_bytes(good + struct.pack(order + "II", kind, length) + magic + bytes(5000))
    got = result(path)
    assert [problem["offset"] for problem in problems(got)][:1] == [len(good)]
    path.write_bytes(good)
    assert got["flows"] == result(path)["flows"]


def test_a_first_block_that_cannot_be_is_no_crash(tmp_path: Path) -> None:
    for length in LENGTHS:
        for magic in (0x1A2B3C4D, 0x4D3C2B1A, 0, 0xFFFFFFFF):
            path = tmp_path / "damaged.pcapng"
            path.write_bytes(struct.pack("<III", 0x0A0D0D0A, length, magic) + bytes(100))
            try:
                assert [problem["offset"] for problem in problems(result(path))] == [0], (length, magic)
            except CaptureError as error:
                assert error.offset == 0


DAMAGED_PACKETS = {
    "interface-never-described": enhanced("<", 9, 1, bytes(60), 60),
    "more-octets-than-the-block": block("<", 6, struct.pack("<IIIII", 0, 0, 1, 61, 61) + bytes(60)),
    "absurd-captured-length": block("<", 6, struct.pack("<IIIII", 0, 0, 1, 0xFFFFFFFF, 60) + bytes(60)),
    "lengths-disagree": enhanced("<", 0, 1, bytes(60), 60)[:-4] + struct.pack("<I", 60),
}


@pytest.mark.parametrize("damaged", DAMAGED_PACKETS)
def test_pcapng_is_analysed_past_a_damaged_packet(tmp_path: Path, damaged: str) -> None:
    """Its blocks say how long they are: the packets after one damaged block are still there."""
    head = section("<") + interface("<", tsresol=9)
    packets = [enhanced("<", 0, p.time, p.octets, p.wire_length) for p in TALK]
    path = tmp_path / "damaged.pcapng"
    path.write_bytes(head + b"".join(packets[:6]) + DAMAGED_PACKETS[damaged] + b"".join(packets[6:]))
    got = result(path)
    assert [problem["offset"] for problem in problems(got)] == [len(head) + sum(map(len, packets[:6]))]
    assert got["captures"][0]["packets"] == len(TALK)
    assert got["flows"][0]["verdict"] == "dead_peer"


@pytest.mark.parametrize("seconds", [0, 1, 1_700_000_000, 0xFFFFFFFF])
@pytest.mark.parametrize("case", ["one-octet", "dead-peer", "zero-window", "lossy"])
def test_a_clock_that_steps_by_decades_is_no_trouble(tmp_path: Path, case: str, seconds: int) -> None:
    """Each record's time in turn is another: both engines agree, and differences of times fit 64 bits."""
    data = CASES[case].read_bytes()
    path = tmp_path / "stepped.pcap"
    for at in boundaries(data)[:-1][:60:EVERY_OTHER]:
        path.write_bytes(data[:at] + struct.pack("<I", seconds) + data[at + 4 :])
        assert result(path) == result(path, engine="compiled"), at


@pytest.mark.parametrize("made", MADE)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 8))
@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.generate],  # a smaller seed is no simpler case
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_octets_overwritten_anywhere_never_crash_either_engine(
    tmp_path_factory: pytest.TempPathFactory, made: str, seed: int, flips: int
) -> None:
    data = bytearray(MADE[made])
    rng = random.Random(seed)
    for _ in range(flips):
        data[rng.randrange(len(data))] = rng.choice((0, 0xFF, 0x80, rng.randrange(256)))
    path = tmp_path_factory.mktemp("fuzz") / "capture"
    path.write_bytes(data)
    try:
        got = result(path)
    except CaptureError:
        with pytest.raises(CaptureError):
            result(path, engine="compiled")
        return
    assert got == result(path, engine="compiled")
