"""The innermost TCP segment, whatever it is wrapped in; every wrapping cut anywhere and filled with noise."""

from __future__ import annotations

from typing import Any

import pytest
from decoded import Row, decode, only_reason, only_row
from frames_in_bytes import ethernet, icmp_error, ipv4, tcp
from hypothesis import given, settings
from hypothesis import strategies as st
from test_decode_layers import LINKS
from test_decode_rare import RARE
from tunnelled import (
    CLIENT,
    CLIENT6,
    OUTER,
    PAYLOAD,
    SEQ,
    SERVER,
    SERVER6,
    UDP,
    V4,
    V6,
    VXLAN,
    WIRELESS,
    links,
    radiotap,
    tunnels,
)

from analyzer.measure.flows import tunnel_name
from analyzer.tables.fields import TUNNEL_ID
from analyzer.wire import DECODED_LINK_TYPES

EVERY_TUNNEL = pytest.mark.parametrize("name", tunnels())
EVERY_LINK = pytest.mark.parametrize("name", links())
NEEDED = 20 + len(PAYLOAD) - 16  # of the segment's bytes, those after the window


def check(row: Row, six: bool) -> None:
    assert (row.src, row.dst) == ((CLIENT6, SERVER6) if six else (CLIENT, SERVER))
    assert (row.kind, row.sport, row.dport, row.seq, row.len) == (0, 40001, 7000, SEQ, len(PAYLOAD))
    assert row.octet == PAYLOAD[0]


def never_another(frames: list[bytes], link: int = 1) -> None:
    """Whatever comes of these frames, no row is of another connection or of a number that is not there."""
    for row in decode([(link, frame) for frame in frames]).rows:
        assert (row.sport, row.dport, row.seq) == (40001, 7000, SEQ)


@EVERY_TUNNEL
def test_the_segment_in_a_tunnel_is_found(name: str) -> None:
    packet, six, tunnel = tunnels()[name]
    row = only_row(ethernet(packet))
    check(row, six)
    assert tunnel_name(row.tunnel & TUNNEL_ID) == tunnel


@EVERY_TUNNEL
def test_a_tunnel_cut_before_the_window_gives_nothing_wrong(name: str) -> None:
    packet, _, _ = tunnels()[name]
    whole = ethernet(packet)
    cuts = [(1, whole[:cut]) for cut in range(len(whole) - NEEDED)]
    assert decode(cuts).rows == []
    assert len(decode([(1, whole[: len(whole) - NEEDED])]).rows) == 1


@EVERY_LINK
def test_the_segment_behind_tags_and_labels_is_found(name: str) -> None:
    frame, six = links()[name]
    check(only_row(frame), six)


@EVERY_LINK
def test_tags_and_labels_cut_before_the_window_give_nothing_wrong(name: str) -> None:
    frame, _ = links()[name]
    never_another([frame[:cut] for cut in range(len(frame))])


@given(data=st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_noise_in_the_headers_of_a_tunnel_breaks_nothing(data: Any) -> None:
    """Both engines agree on it, which `decode` sees to."""
    packet, _, _ = tunnels()[data.draw(st.sampled_from(sorted(tunnels())))]
    frame = bytearray(ethernet(packet))
    for _ in range(data.draw(st.integers(1, 6))):
        frame[data.draw(st.integers(12, len(frame) - 1))] = data.draw(st.integers(0, 255))
    decode([(1, bytes(frame)), (1, ethernet(packet))])


@pytest.mark.parametrize(
    ("name", "packet"),
    [
        ("gre-routing", OUTER.copy() / bytes.fromhex("40000800") / bytes(V4)),
        ("vxlan-without-id", OUTER / UDP(dport=4789) / VXLAN(flags=0) / bytes(60)),
        ("geneve-version-1", OUTER / UDP(dport=6081) / bytes.fromhex("4000655800001100") / bytes(60)),
        ("gtp-echo", OUTER / UDP(dport=2152) / bytes.fromhex("3001000400000000") / bytes(V4)),
        ("capwap-dtls", OUTER / UDP(dport=5247) / bytes.fromhex("0100000000000000") / bytes(60)),
        ("plain-udp", OUTER / UDP(dport=53) / bytes(V4)),
    ],
)
def test_what_only_resembles_a_tunnel_is_none(name: str, packet: Any) -> None:
    octets = bytearray(bytes(packet))
    if name.startswith("gre"):
        octets[9] = 47
    assert only_reason(ethernet(bytes(octets))) == "not_tcp"


def test_tunnels_in_tunnels_without_end_are_malformed() -> None:
    packet = tcp()
    for _ in range(12):
        packet = ipv4(packet, 4)
    assert only_reason(ethernet(packet)) == "malformed"


def test_an_icmp_error_inside_of_a_tunnel_quotes_the_segment_inside() -> None:
    error = ipv4(icmp_error(3, 1, bytes(V4)), 1)
    row = only_row(ethernet(bytes(OUTER / UDP(dport=4789) / VXLAN(vni=6, flags="Instance") / ethernet(error))))
    assert row.kind != 0
    assert (row.src, row.sport, row.seq) == (CLIENT, 40001, SEQ)


def test_offload_inside_of_a_tunnel_takes_the_length_of_what_is_around() -> None:
    inner = bytearray(bytes(V4))
    inner[2:4] = bytes(2)
    assert only_row(ethernet(ipv4(bytes(inner), 4))).len == len(PAYLOAD)


# By link type: what stands before an IPv4 packet and before an IPv6 packet, hexadecimal.
HEADS = [
    (9, "0021", "0057"), (9, "ff030021", "ff030057"), (9, "21", "57"), (9, "0f000800", "0f0086dd"),
    (50, "ff030021", "ff030057"), (50, "0f000800", "8f0086dd"),
    (51, "11000001003e0021", "11000001003e0057"),
    (104, "0f000800", "8f0086dd"), (166, "01030021", "00030057"), (204, "00ff030021", "01ff030057"),
    (219, "00010140", "0001004000020140"),
    (242, "00" * 40 + "08000000", "00" * 40 + "86dd0000"),
    (117, "3d02" + "00" * 62, "3d1c" + "00" * 62),
    (239, "02000000" "08000a0000000000" "32000900", "0a000000" "08000a0000000000" "46000900"),
    (258, "2c00000001000000" "0c000000" + "00" * 32, "2c00000001000000" "0c000000" + "00" * 32),
    (12, "", ""), (14, "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("link", "before_v4", "before_v6"), HEADS)
def test_every_link_type_leads_to_its_ip(link: int, before_v4: str, before_v6: str) -> None:
    check(only_row(bytes.fromhex(before_v4) + bytes(V4), link), six=False)
    check(only_row(bytes.fromhex(before_v6) + bytes(V6), link), six=True)


def test_every_link_type_that_is_decoded_has_a_frame_in_these_tests() -> None:
    framed = {link for link, *_ in [*HEADS, *LINKS.values(), *RARE.values()]}
    elsewhere = {105, 129, 228, 229}  # 802.11 and ARCNET below; raw IP of one version in test_decode_layers
    unseen = DECODED_LINK_TYPES - framed - elsewhere
    assert not unseen, f"link types {unseen} have no frame in LINKS, RARE or HEADS: see CONTRIBUTING, A link type"
    assert framed | elsewhere == DECODED_LINK_TYPES


@pytest.mark.parametrize("head", ["01020000d4000001", "01020000f0"])
def test_arcnet_leads_to_ipv4(head: str) -> None:
    check(only_row(bytes.fromhex(head) + bytes(V4), 129), six=False)


@pytest.mark.parametrize(("link", "before_v4", "before_v6"), HEADS)
def test_a_seldom_link_type_cut_anywhere_gives_nothing_wrong(link: int, before_v4: str, before_v6: str) -> None:
    for whole in (bytes.fromhex(before_v4) + bytes(V4), bytes.fromhex(before_v6) + bytes(V6)):
        never_another([whole[:cut] for cut in range(len(whole))], link)


@pytest.mark.parametrize("six", [False, True])
def test_wireless_frames_lead_to_their_ip(six: bool) -> None:
    packet = V6 if six else V4
    check(only_row(bytes(WIRELESS / packet), 105), six)
    check(only_row(radiotap(packet), 127), six)


def test_wireless_frames_without_ip_are_counted() -> None:
    beacon = bytes.fromhex("80000000") + bytes(30)
    rows, skipped = decode([(127, bytes.fromhex("0000080000000000") + beacon), (127, b"\0"), (127, radiotap(V4))])
    assert len(rows) == 1
    assert skipped == {"not_ip": 2}


def test_protected_wireless_frames_are_not_looked_into() -> None:
    frame = bytearray(bytes(WIRELESS / V4))
    frame[1] |= 0x40
    assert only_reason(bytes(frame), 105) == "not_ip"
