"""Relatives of pcap, snoop, and pcapng that goes on behind damage."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from captures_in_bytes import SECOND, Captured, enhanced, interface, pcap, pcapng, section
from hypothesis import given, settings
from hypothesis import strategies as st
from results import Result, packets_of, problems, result, without_problems
from samples import LONG, OF_EACH_KIND, edges
from talks_in_bytes import ethernet_talk

from analyzer import CaptureError

TALK = ethernet_talk()
ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
BLOCKS = [section("<") + interface("<", tsresol=9)] + [
    enhanced("<", 0, packet.time, packet.octets, packet.wire_length) for packet in TALK
]


FLIPS = 1500 if LONG else 20
LARGEST = 1 << 20 if LONG else 16_000  # bytes: what is larger takes longer, and holds no other kind of record


def expected(tmp_path: Path, packets: list[Captured] = TALK) -> Result:
    """What plain pcap gives; times of the others are in microseconds, too."""
    (tmp_path / "plain.pcap").write_bytes(pcap(packets))
    return result(tmp_path / "plain.pcap")


def flat(
    order: str, packets: list[Captured], magic: int = 0xA1B2C3D4, minor: int = 4, extra: bytes = b"", swap: bool = False
) -> bytes:
    """A relative of pcap: longer heads, or the two lengths the other way round."""
    octets = struct.pack(order + "IHHiIII", magic, 2, minor, 0, 0, 65535, 1)
    for packet in packets:
        lengths = (len(packet.octets), packet.wire_length)
        lengths = lengths[::-1] if swap else lengths
        octets += struct.pack(order + "IIII", packet.time // SECOND, packet.time % SECOND // 1000, *lengths)
        octets += extra + packet.octets
    return octets


def snoop(packets: list[Captured], link: int = 4, version: int = 2) -> bytes:
    """RFC 1761: every record filled up to four bytes."""
    octets = b"snoop\0\0\0" + struct.pack(">II", version, link)
    for packet in packets:
        body = packet.octets + bytes(-len(packet.octets) % 4)
        head = (packet.wire_length, len(packet.octets), 24 + len(body), 0)
        octets += struct.pack(">IIIIII", *head, packet.time // SECOND, packet.time % SECOND // 1000) + body
    return octets


@ORDERS
def test_modified_pcap_has_longer_heads(tmp_path: Path, order: str) -> None:
    (tmp_path / "modified").write_bytes(flat(order, TALK, 0xA1B2CD34, extra=b"\1\0\0\0\0\x08\0\0"))
    assert result(tmp_path / "modified") == expected(tmp_path)


@ORDERS
def test_lengths_of_version_2_2_stand_the_other_way_round(tmp_path: Path, order: str) -> None:
    cut = [packet._replace(octets=packet.octets[:60], wire_length=packet.wire_length + 5) for packet in TALK]
    (tmp_path / "old").write_bytes(flat(order, cut, minor=2, swap=True))
    assert result(tmp_path / "old") == expected(tmp_path, cut)


@pytest.mark.parametrize("swap", [False, True])
def test_lengths_of_version_2_3_stand_as_the_writer_pleased(tmp_path: Path, swap: bool) -> None:
    cut = [packet._replace(wire_length=packet.wire_length + 5) for packet in TALK]
    (tmp_path / "old").write_bytes(flat("<", cut, minor=3, swap=swap))
    assert result(tmp_path / "old") == expected(tmp_path, cut)


def test_snoop_is_read(tmp_path: Path) -> None:
    (tmp_path / "solaris").write_bytes(snoop(TALK))
    got = result(tmp_path / "solaris")
    assert got["captures"][0]["format"] == "snoop"
    assert got["flows"] == expected(tmp_path)["flows"]
    assert [packet.octets for packet in packets_of(tmp_path / "solaris")[0]] == [packet.octets for packet in TALK]


def test_snoop_cut_anywhere_gives_the_packets_before(tmp_path: Path) -> None:
    octets = snoop(TALK)
    (tmp_path / "whole").write_bytes(octets)
    whole, _ = packets_of(tmp_path / "whole")
    for cut in range(17, len(octets), 13):
        (tmp_path / "cut").write_bytes(octets[:cut])
        packets, facts = packets_of(tmp_path / "cut")
        assert packets == whole[: len(packets)]
        assert len(facts.problems) == (len(snoop(TALK[: len(packets)])) != cut)


def test_snoop_of_another_version_or_medium_is_told(tmp_path: Path) -> None:
    (tmp_path / "version").write_bytes(snoop(TALK, version=3))
    with pytest.raises(CaptureError, match="snoop version 3"):
        result(tmp_path / "version")
    (tmp_path / "ring").write_bytes(snoop(TALK, link=2))
    [capture] = result(tmp_path / "ring")["captures"]
    assert capture["link_types"] == ["snoop 2"]
    assert capture["skipped"] == {"unsupported_link_type": len(TALK)}


@pytest.mark.parametrize("length", [8, 13, 0x7FFFFFFC, 0xFFFFFFFF])
def test_a_snoop_record_of_impossible_length_is_named(tmp_path: Path, length: int) -> None:
    octets = bytearray(snoop(TALK))
    octets[24:28] = struct.pack(">I", length)
    (tmp_path / "damaged").write_bytes(octets)
    assert problems(result(tmp_path / "damaged"))[0]["offset"] == 16


@given(
    where=st.integers(1, len(TALK)),
    garbage=st.binary(min_size=1, max_size=400),
    size=st.sampled_from([0, 3, 70_000]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_pcapng_goes_on_behind_garbage(
    tmp_path_factory: pytest.TempPathFactory, where: int, garbage: bytes, size: int
) -> None:
    folder = tmp_path_factory.mktemp("garbage")
    noise = b"\xff" * 8 + garbage + random.Random(len(garbage)).randbytes(size)  # a length that cannot be
    octets = b"".join(BLOCKS[:where]) + noise + b"".join(BLOCKS[where:])
    (folder / "damaged").write_bytes(octets)
    (folder / "whole").write_bytes(b"".join(BLOCKS))
    got = result(folder / "damaged")
    assert problems(got)[0]["offset"] == len(b"".join(BLOCKS[:where]))
    assert without_problems(got) == result(folder / "whole")


def test_garbage_up_to_the_end_is_one_problem(tmp_path: Path) -> None:
    (tmp_path / "damaged").write_bytes(b"".join(BLOCKS) + random.Random(1).randbytes(5000))
    assert len(problems(result(tmp_path / "damaged"))) == 1


def test_a_section_of_an_unknown_version_is_passed_over(tmp_path: Path) -> None:
    whole = b"".join(BLOCKS)
    other = bytearray(whole)
    other[12:14] = b"\7\0"
    (tmp_path / "sections").write_bytes(pcapng(TALK[:5]) + bytes(other) + pcapng(TALK[5:], ">"))
    got = result(tmp_path / "sections")
    assert [problem["reason"] for problem in problems(got)] == ["pcapng version 7.0, which nobody has defined"]
    assert got["captures"][0]["packets"] == len(TALK)


@pytest.mark.parametrize(
    "capture",
    [path for path in OF_EACH_KIND if path.stat().st_size <= LARGEST],
    ids=lambda path: path.parent.name,
)
def test_octets_that_are_overwritten_end_in_a_result_or_a_capture_error(tmp_path: Path, capture: Path) -> None:
    rng = random.Random(str(capture.parent.name))
    octets = capture.read_bytes()
    heads = edges(octets)[:-1]
    for _ in range(FLIPS):
        damaged = bytearray(octets)
        for _ in range(rng.randint(1, 5)):
            damaged[rng.choice((rng.choice(heads), rng.randrange(len(damaged))))] = rng.randrange(256)
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            result(tmp_path / "damaged")
        except CaptureError:
            continue
