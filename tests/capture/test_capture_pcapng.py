"""pcapng: sections, interfaces with their own clocks, packet blocks, and everything that is passed over."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import pytest
from captures_in_bytes import (
    CUSTOM,
    ETHERNET,
    NAMES,
    SECOND,
    SECRETS,
    STATISTICS,
    Captured,
    block,
    captured,
    enhanced,
    interface,
    pcapng,
    section,
    simple,
)
from results import packets_of, result
from talks_in_bytes import START, ethernet_talk

RAW = 101
ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
FRAME = bytes(range(61))


def written(tmp_path: Path, *blocks: bytes) -> Path:
    path = tmp_path / "made.pcapng"
    path.write_bytes(b"".join(blocks))
    return path


def times(path: Path) -> list[int]:
    return [packet.time for packet in packets_of(path)[0]]


@ORDERS
@pytest.mark.parametrize("tsresol", [6, 9])
def test_every_packet_comes_back(tmp_path: Path, order: str, tsresol: int) -> None:
    unit = 10 ** (9 - tsresol)
    packets, facts = packets_of(written(tmp_path, pcapng(ethernet_talk(), order, tsresol=tsresol)))
    assert packets == [packet._replace(time=packet.time // unit * unit) for packet in ethernet_talk()]
    assert (facts.format, facts.link_types, facts.problems, facts.digits) == ("pcapng", ["ETHERNET"], [], tsresol)


@ORDERS
@pytest.mark.parametrize(
    ("tsresol", "per_second"),
    [(None, 10**6), (0, 1), (3, 10**3), (6, 10**6), (7, 10**7), (9, 10**9), (12, 10**12)]
    + [(0x80 | bits, 2**bits) for bits in (0, 1, 10, 20, 30, 32)],
)
def test_ticks_are_counted_in_the_units_of_the_interface(
    tmp_path: Path, order: str, tsresol: int | None, per_second: int
) -> None:
    first = START if START * per_second < SECOND << 64 else 1_000_000 * SECOND  # what 64 bits of such ticks can say
    ticks = [int(Fraction(first, SECOND) * per_second) + step for step in (0, 1, 2, per_second, 7 * per_second // 3)]
    blocks = [enhanced(order, 0, count, FRAME, 61) for count in ticks]
    path = written(tmp_path, section(order), interface(order, tsresol=tsresol), *blocks)
    assert times(path) == [count * SECOND // per_second for count in ticks]


@pytest.mark.parametrize("bits", [33, 40, 52, 63])
def test_finer_binary_units_lose_no_more_than_a_nanosecond(tmp_path: Path, bits: int) -> None:
    ticks = [(1 << 63) // 3, (1 << 62) + 12345, 1, 0]
    blocks = [enhanced("<", 0, count, FRAME, 61) for count in ticks]
    path = written(tmp_path, section("<"), interface("<", tsresol=0x80 | bits), *blocks)
    for time, count in zip(times(path), ticks, strict=True):
        assert -1 <= time - count * SECOND // 2**bits <= 0


@ORDERS
@pytest.mark.parametrize("tsresol", [None, 6, 9, 0x80 | 32])
def test_ticks_of_a_clock_before_1970_are_negative(tmp_path: Path, order: str, tsresol: int | None) -> None:
    """The draft knows no sign, but a writer whose clock was never set writes one."""
    per_second = 2**32 if tsresol == 0x80 | 32 else 10 ** (tsresol or 6)
    packet = enhanced(order, 0, (1 << 64) - 505 * per_second, FRAME, 61)
    assert times(written(tmp_path, section(order), interface(order, tsresol=tsresol), packet)) == [-505 * SECOND]


@ORDERS
@pytest.mark.parametrize("offset", [0, 1, 1_600_000_000, -1, -3600])
@pytest.mark.parametrize("tsresol", [3, 6, 9, 0x80 | 32])
def test_tsoffset_adds_seconds(tmp_path: Path, order: str, offset: int, tsresol: int) -> None:
    per_second = 2 ** (tsresol & 0x7F) if tsresol & 0x80 else 10**tsresol
    blocks = [section(order), interface(order, tsresol=tsresol, tsoffset=offset)]
    path = written(tmp_path, *blocks, enhanced(order, 0, 5000 * per_second, FRAME, 61))
    assert times(path) == [(5000 + offset) * SECOND]


@ORDERS
def test_each_interface_has_its_own_link_type_and_clock(tmp_path: Path, order: str) -> None:
    path = written(
        tmp_path,
        section(order),
        interface(order, ETHERNET, 6),
        interface(order, RAW, 9, tsoffset=100),
        enhanced(order, 1, 7 * SECOND, FRAME, 61),
        enhanced(order, 0, 7_000_001, FRAME, 1500),
        interface(order, 276, 0x80 | 10),  # an interface may be described when its first packet comes
        enhanced(order, 2, 7 * 1024 + 512, FRAME, 61),
        enhanced(order, 1, 8 * SECOND, FRAME, 61),
    )
    packets, facts = packets_of(path)
    assert packets == [
        Captured(FRAME, 107 * SECOND, 61, RAW),
        Captured(FRAME, 7_000_001_000, 1500, ETHERNET),
        Captured(FRAME, 7_500_000_000, 61, 276),
        Captured(FRAME, 108 * SECOND, 61, RAW),
    ]
    assert facts.link_types == ["ETHERNET", "RAW", "LINUX_SLL2"]
    assert facts.digits == 9


@ORDERS
def test_simple_packets_belong_to_the_first_interface_and_are_cut_at_its_snaplen(tmp_path: Path, order: str) -> None:
    """They have no time of their own; the last time that is known stands in."""
    path = written(
        tmp_path,
        section(order),
        interface(order, RAW, 6, snaplen=50),
        interface(order, ETHERNET, 6),
        enhanced(order, 1, 9_000_000, FRAME, 61),
        simple(order, FRAME[:50], 61),
        simple(order, FRAME[:41], 41),
    )
    assert packets_of(path)[0] == [
        Captured(FRAME, 9 * SECOND, 61, ETHERNET),
        Captured(FRAME[:50], 9 * SECOND, 61, RAW),
        Captured(FRAME[:41], 9 * SECOND, 41, RAW),
    ]


@ORDERS
def test_simple_packets_of_an_unlimited_interface_are_whole(tmp_path: Path, order: str) -> None:
    path = written(tmp_path, section(order), interface(order), simple(order, FRAME, 61))
    assert [packet.octets for packet in packets_of(path)[0]] == [FRAME]


@ORDERS
@pytest.mark.parametrize("kind", [NAMES, STATISTICS, SECRETS, CUSTOM, 0x0BAD, 0x7FFFFFFF, 0x80000001])
@pytest.mark.parametrize("size", [0, 4, 1000, 3 << 20], ids=str)
def test_other_blocks_are_passed_over_wherever_they_stand(tmp_path: Path, order: str, kind: int, size: int) -> None:
    other = block(order, kind, bytes(size))
    first, second = (enhanced(order, 0, time, FRAME, 61) for time in (1, 2))
    path = written(
        tmp_path, section(order), other, interface(order), other, first, other, other, second, other, section(order)
    )
    packets, facts = packets_of(path)
    assert packets == [Captured(FRAME, 1000, 61), Captured(FRAME, 2000, 61)]
    assert facts.problems == []


@ORDERS
@pytest.mark.parametrize("kind", [9, 0x0BAD, CUSTOM, 0x204], ids=["journal", "custom", "custom-not-copied", "sysdig"])
def test_frames_are_numbered_as_wireshark_numbers_them(tmp_path: Path, order: str, kind: int) -> None:
    """It shows some blocks that are no packets as frames, and counts them; statistics and names it does not."""
    packets = [enhanced(order, 0, packet.time, packet.octets, packet.wire_length) for packet in ethernet_talk()]
    head = [section(order), interface(order, tsresol=9)]
    other = [block(order, kind, struct.pack(order + "I", 32473) + bytes(28)), block(order, STATISTICS, bytes(12))]
    numbers = []
    for blocks in (packets, [*packets[:7], *other, *packets[7:]]):
        (flow,) = result(written(tmp_path, *head, *blocks))["flows"]
        numbers.append([probe["frame"] for e in flow["keepalive"][0]["episodes"] for probe in e["probes"]])
    plain, counted = numbers
    assert counted == [number + (number > 7) for number in plain]


@ORDERS
def test_obsolete_packet_blocks_are_packets(tmp_path: Path, order: str) -> None:
    """Block type 2 (draft-ietf-opsawg-pcapng, obsolete blocks): written by the first tools that knew the format."""
    head = struct.pack(order + "HHIIII", 1, 0xFFFF, 0, 5_000_000, 61, 1500)
    path = written(tmp_path, section(order), interface(order), interface(order, RAW), block(order, 2, head + FRAME))
    assert packets_of(path)[0] == [Captured(FRAME, 5 * SECOND, 1500, RAW)]


def test_options_do_not_get_in_the_way(tmp_path: Path) -> None:
    packets = [enhanced("<", 0, 1, FRAME, 61, comment=b"a probe"), enhanced("<", 0, 2, FRAME, 61)]
    path = written(tmp_path, section("<", options=b"\4\0\4\0lab!\0\0\0\0"), interface("<"), *packets)
    assert [packet.octets for packet in packets_of(path)[0]] == [FRAME, FRAME]


def test_every_section_begins_its_interfaces_anew_perhaps_in_the_other_byte_order(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        section("<"),
        interface("<", ETHERNET, 6),
        enhanced("<", 0, 1, FRAME, 61),
        section(">", length=1000),
        interface(">", RAW, 9),
        interface(">", ETHERNET, 3),
        enhanced(">", 1, 2, FRAME, 61),
        enhanced(">", 0, 3, FRAME, 61),
        section("<"),
        interface("<", 113, 6),
        simple("<", FRAME, 61),
        enhanced("<", 0, 4, FRAME, 61),
    )
    packets, facts = packets_of(path)
    assert [(packet.time, packet.link) for packet in packets] == [
        (1000, ETHERNET),
        (2_000_000, ETHERNET),
        (3, RAW),
        (3, 113),
        (4000, 113),
    ]
    assert facts.problems == []


def test_a_section_alone_is_a_capture_without_packets(tmp_path: Path) -> None:
    (capture,) = result(written(tmp_path, section(">")))["captures"]
    assert (capture["packets"], capture["link_types"], capture["problems"]) == (0, [], [])


def test_both_formats_tell_the_same_story(tmp_path: Path) -> None:
    from captures_in_bytes import pcap

    path = tmp_path / "same.pcap"
    path.write_bytes(pcap(ethernet_talk(), nanoseconds=True))
    ours, other = result(path), result(written(tmp_path, pcapng(ethernet_talk())))
    assert ours["flows"] == other["flows"]
    assert ours["findings"] == other["findings"]


@pytest.mark.parametrize("ticks", [1 << 63, (1 << 64) - 1], ids=["half", "all"])
@pytest.mark.parametrize("tsresol", [0, 3, 6, 9, 12, 0x80, 0x80 | 10, 0x80 | 32, 0x80 | 63])
@pytest.mark.parametrize("tsoffset", [0, -(1 << 63), (1 << 63) - 1], ids=["none", "least", "most"])
def test_a_time_beyond_all_reason_harms_nothing(tmp_path: Path, ticks: int, tsresol: int, tsoffset: int) -> None:
    sane, absurd = (enhanced("<", i, ticks, ethernet_talk()[0].octets, 60) for i, ticks in enumerate((7, ticks)))
    path = written(tmp_path, section("<"), interface("<"), interface("<", 1, tsresol, tsoffset), sane, absurd, sane)
    whole = result(path)
    assert whole["captures"][0]["packets"] + len(whole["captures"][0]["problems"]) >= 3
    assert whole == result(path, engine="compiled")


def test_captured_interfaces_are_counted_in_32_bits(tmp_path: Path) -> None:
    """An absurd interface number is damage, not an index."""
    head = struct.pack("<IIIII", 0xFFFFFFFF, 0, 1, len(FRAME), 61)
    path = written(tmp_path, section("<"), interface("<"), block("<", 6, head + FRAME))
    packets, facts = packets_of(path)
    assert packets == []
    assert [problem.offset for problem in facts.problems] == [path.read_bytes().index(head) - 8]


def test_lengths_on_the_wire_may_be_unknown(tmp_path: Path) -> None:
    packets = packets_of(written(tmp_path, section("<"), interface("<"), enhanced("<", 0, 1, FRAME, 0)))[0]
    assert packets == [captured(FRAME, 1000)._replace(wire_length=0)]
