"""What is said of a capture of which nothing was understood: the link type or the reason, in every output."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from commands import ALSO_WITHOUT_MATCH, as_json, inside, keepalive
from frames_in_bytes import ARP, UDP, UNKNOWN_LINK, ethernet, ipv4, tcp

from analyzer.wire import link_type_name

SEGMENT = ethernet(ipv4(tcp(payload=b"hello")))


def capture(path: Path, link: int, *frames: bytes) -> str:
    records = [struct.pack("<IIII", 100 + i, 0, len(one), len(one)) + one for i, one in enumerate(frames)]
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, link) + b"".join(records))
    return str(path)


@pytest.mark.parametrize(("link", "name"), [(UNKNOWN_LINK, str(UNKNOWN_LINK)), (65_537, "65537"), (220, "220")])
def test_a_link_type_that_is_not_decoded_is_named(tmp_path: Path, link: int, name: str) -> None:
    path = capture(tmp_path / "a.pcap", link, SEGMENT, SEGMENT)
    assert f"2 packets of link type {name}, which is not decoded" in inside("analyze", path)
    assert link_type_name(link) == name


def test_without_any_tcp_the_reasons_are_told(tmp_path: Path) -> None:
    datagram = ethernet(ipv4(bytes(8), UDP))
    path = capture(tmp_path / "a.pcap", 1, datagram, ethernet(bytes(28), ethertype=ARP), datagram)
    said = inside("analyze", path)
    assert "no TCP: 2 x IP, but neither TCP nor an ICMP error; 1 x no IP packet" in said


def test_where_there_is_tcp_nothing_is_said_of_the_rest(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", 1, SEGMENT, ethernet(bytes(28), ethertype=ARP))
    said = inside("analyze", path)
    assert "1 TCP, 1 other" in said
    assert "no TCP" not in said


OUTPUTS = [
    ("analyze", "--format", "text"),
    ("analyze", "--format", "ndjson"),
    ("analyze", "--format", "csv"),
    ("report", "-o", "report.html"),
    ("report", "-o", "report.md"),
    ("extract", "--stream", "0", "-o", "extracted.pcapng"),
    ("chart", "--kind", "idle", "-o", "idle.svg"),
]


@pytest.mark.parametrize("link", [65_536, 65_537, 0x03FF_FFFF])
def test_a_link_type_beyond_sixteen_bits_crashes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: int
) -> None:
    path = capture(tmp_path / "a.pcap", link, SEGMENT)
    monkeypatch.chdir(tmp_path)
    for command, *options in OUTPUTS:
        inside(command, path, *options, statuses=ALSO_WITHOUT_MATCH)
    [said] = as_json(path)["captures"]
    assert said["link_types"] == [str(link)]
    assert said["skipped"] == {"unsupported_link_type": 1}
    annotated = keepalive("annotate", path, "-o", "annotated.pcapng")
    assert annotated.returncode == 4
    assert f"pcapng has no room for link type {link}".encode() in annotated.stderr
