"""Classic pcap: byte orders, resolutions, snaplens, link types."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from captures_in_bytes import SECOND, Captured, captured, pcap, pcap_header, pcap_record
from frames_in_bytes import UNKNOWN_LINK
from results import packets_of, result
from talks_in_bytes import PROBES_ANSWERED, PROBES_LOST, as_captured, ethernet_talk

ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
RESOLUTIONS = pytest.mark.parametrize("nanoseconds", [False, True], ids=["microseconds", "nanoseconds"])


def rounded(packets: list[Captured], unit: int) -> list[Captured]:
    return [packet._replace(time=packet.time // unit * unit) for packet in packets]


@ORDERS
@RESOLUTIONS
def test_every_packet_comes_back_in_either_byte_order_and_resolution(
    tmp_path: Path, order: str, nanoseconds: bool
) -> None:
    path = tmp_path / "talk.pcap"
    path.write_bytes(pcap(ethernet_talk(), order, nanoseconds))
    packets, facts = packets_of(path)
    assert packets == rounded(ethernet_talk(), 1 if nanoseconds else 1000)
    assert (facts.format, facts.link_types, facts.problems) == ("pcap", ["ETHERNET"], [])
    assert facts.digits == (9 if nanoseconds else 6)
    assert (facts.first_time, facts.last_time) == (packets[0].time, packets[-1].time)


@RESOLUTIONS
def test_the_byte_order_does_not_matter_to_the_result(tmp_path: Path, nanoseconds: bool) -> None:
    for order in "<>":
        (tmp_path / f"{ord(order)}.pcap").write_bytes(pcap(ethernet_talk(), order, nanoseconds))
    assert result(tmp_path / f"{ord('<')}.pcap") == result(tmp_path / f"{ord('>')}.pcap")


def test_the_connection_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "talk.pcap"
    path.write_bytes(pcap(ethernet_talk()))
    (flow,) = result(path)["flows"]
    assert flow["verdict"] == "dead_peer"
    (entry,) = flow["keepalive"]
    assert (entry["answered"], entry["unanswered"]) == (PROBES_ANSWERED, PROBES_LOST)


@pytest.mark.parametrize("snaplen", [0, 54, 60, 66, 96])
def test_the_length_on_the_wire_outlives_the_snaplen(tmp_path: Path, snaplen: int) -> None:
    sent = [captured(bytes(1500), SECOND, snaplen=snaplen)]
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap(sent))
    assert packets_of(path)[0] == sent
    assert sent[0].wire_length == 1500


def test_the_upper_bits_of_the_link_type_are_not_the_link_type(tmp_path: Path) -> None:
    """draft-ietf-opsawg-pcap 4: the FCS length and two flags share the word."""
    path = tmp_path / "fcs.pcap"
    sent = [captured(bytes(60), SECOND)]
    path.write_bytes(pcap(sent, link=0x14000001))
    packets, facts = packets_of(path)
    assert packets == sent
    assert facts.link_types == ["ETHERNET"]


@pytest.mark.parametrize(
    ("link", "name"),
    [(0, "NULL"), (12, "RAW"), (14, "RAW"), (101, "RAW"), (108, "LOOP"), (113, "LINUX_SLL"), (228, "IPV4"),
     (229, "IPV6"), (276, "LINUX_SLL2"), (UNKNOWN_LINK, str(UNKNOWN_LINK))],
)  # fmt: skip
def test_link_types_have_the_names_of_tcpdump_org(tmp_path: Path, link: int, name: str) -> None:
    path = tmp_path / "link.pcap"
    path.write_bytes(pcap([], link=link))
    assert packets_of(path)[1].link_types == [name]


def test_a_snaplen_beyond_libpcaps_maximum_allows_longer_records(tmp_path: Path) -> None:
    sent = [captured(bytes(1 << 20), SECOND), captured(b"\1" * 60, 2 * SECOND)]
    path = tmp_path / "long.pcap"
    records = b"".join(pcap_record("<", False, packet) for packet in sent)
    path.write_bytes(pcap_header("<", False, snaplen=1 << 21) + records)
    assert packets_of(path)[0] == sent


def test_a_header_alone_is_a_capture_without_packets(tmp_path: Path) -> None:
    path = tmp_path / "none.pcap"
    path.write_bytes(pcap([]))
    (capture,) = result(path)["captures"]
    assert (capture["packets"], capture["first_time"], capture["problems"]) == (0, None, [])


def test_the_connection_is_the_same_over_every_link_type(tmp_path: Path) -> None:
    flows = []
    for link, wrap in [(1, "ethernet"), (0, "null"), (101, ""), (113, "sll"), (228, ""), (276, "sll2")]:
        path = tmp_path / f"{link}.pcap"
        path.write_bytes(pcap(as_captured(link, wrap), link=link))
        flows.append(result(path)["flows"])
    assert all(flow == flows[0] for flow in flows)


def test_seconds_beyond_2038_are_unsigned(tmp_path: Path) -> None:
    path = tmp_path / "late.pcap"
    path.write_bytes(pcap_header("<", False) + struct.pack("<IIII", 0xFFFFFFFF, 999999, 0, 60))
    assert packets_of(path)[0] == [Captured(b"", 0xFFFFFFFF * SECOND + 999_999_000, 60)]
