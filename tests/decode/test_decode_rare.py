"""Link types, tags and tunnels that few captures have: each with IP inside, cut anywhere, and beside a near miss."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from decoded import Row, decode, only_reason, only_row
from frames_in_bytes import (
    CLIENT,
    CLIENT6,
    IPV4,
    IPV6,
    MACS,
    SERVER,
    SERVER6,
    UDP,
    UNKNOWN_LINK,
    VLAN,
    ethernet,
    ipv4,
    ipv6,
    tcp,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.measure.flows import tunnel_name
from analyzer.tables.fields import TUNNEL_ID

SEGMENT = tcp(seq=77, ack=88, payload=b"hello")
V4, V6 = ipv4(SEGMENT), ipv6(SEGMENT)
ETHERNET, GRE, ETHERIP = 1, 47, 97
OUI = b"\xaa\xaa\x03\0\0\0"
Wrap = Callable[[bytes], bytes]


def kind(packet: bytes) -> bytes:
    """Its ethertype."""
    return struct.pack("!H", IPV4 if packet[0] >> 4 == 4 else IPV6)


def snap(packet: bytes) -> bytes:
    """802.2 with an ethertype (RFC 1042)."""
    return OUI + kind(packet) + packet


def wireless(packet: bytes, control: str = "0801", more: bytes = b"") -> bytes:
    """An 802.11 data frame."""
    return bytes.fromhex(control) + bytes(22) + more + snap(packet)


def ring(packet: bytes, route: bytes = b"", control: int = 0x40) -> bytes:
    """Token ring: access and frame control, addresses, a route that the first bit of the sender's announces."""
    source = bytes([0x80 if route else 0, *range(5)])
    return bytes([0x10, control]) + MACS[:6] + source + route + snap(packet)


def tagged(ethertype: int, tag: bytes) -> Wrap:
    """An Ethernet frame with a tag, and what it announces."""
    return lambda packet: ethernet(tag + kind(packet) + packet, ethertype=ethertype)


def udp(payload: bytes, port: int, source: int = 40_000) -> bytes:
    return ethernet(ipv4(struct.pack("!HHHH", source, port, 8 + len(payload), 0) + payload, UDP))


def gre(payload: bytes, ethertype: int, flags: int = 0, more: bytes = b"") -> bytes:
    return ethernet(ipv4(struct.pack("!HH", flags, ethertype) + more + payload, GRE))


def inner(packet: bytes) -> bytes:
    return ethernet(packet)


def erspan_3(packet: bytes, platform: bytes = b"") -> bytes:
    """draft-foschiano-erspan-03 4.3: session 5, and whether a platform's own header follows."""
    head = struct.pack("!HHIHH", 0x2000, 5, 9, 0, bool(platform))
    return gre(head + platform + inner(packet), 0x22EB, 0x1000, bytes(4))


def frame_relay(packet: bytes) -> bytes:
    return b"\x18\x41\x03" + (b"\xcc" if packet[0] >> 4 == 4 else b"\x8e") + packet


def nsh(packet: bytes, words: int = 6) -> bytes:
    return bytes([0, words, 1, 1 if packet[0] >> 4 == 4 else 2]) + bytes(words * 4 - 4) + packet


RARE: dict[str, tuple[int, Wrap]] = {
    "fddi": (10, lambda packet: b"\x50" + MACS + snap(packet)),
    "fddi-synchronous": (10, lambda packet: b"\xd4" + MACS + snap(packet)),
    "token-ring": (6, ring),
    "token-ring-routed": (6, lambda packet: ring(packet, bytes.fromhex("0610 1001 1000"))),
    "atm-llc": (100, snap),
    "sun-atm": (123, lambda packet: b"\x02\0\0\x64" + snap(packet)),
    "fibre-channel": (122, lambda packet: bytes(16) + snap(packet)),
    "firewire": (138, lambda packet: bytes(16) + kind(packet) + packet),
    "enc": (109, lambda packet: bytes(12) + packet),
    "frame-relay": (107, frame_relay),
    "frame-relay-three-octets-padded": (
        107,
        lambda packet: b"\x18\x40\x41\x03\0\x80\0\0\0" + kind(packet) + packet,
    ),
    "frame-relay-cisco": (107, lambda packet: b"\x18\x41" + kind(packet) + packet),
    "frame-relay-with-direction": (206, lambda packet: b"\0" + frame_relay(packet)),
    "cisco-hdlc-with-direction": (205, lambda packet: b"\1\x0f\0" + kind(packet) + packet),
    "netanalyzer": (240, lambda packet: bytes(4) + ethernet(packet)),
    "mpacket": (274, lambda packet: b"\x55" * 7 + b"\xd5" + ethernet(packet)),
    "switch-broadcom": (281, lambda packet: MACS + bytes(4) + kind(packet) + packet),
    "switch-broadcom-first": (282, lambda packet: bytes(4) + MACS + kind(packet) + packet),
    "switch-marvell": (283, lambda packet: MACS + bytes(4) + kind(packet) + packet),
    "switch-marvell-ethertype": (284, lambda packet: MACS + bytes(8) + kind(packet) + packet),
    "vn-tag": (1, tagged(0x8926, bytes.fromhex("80010002"))),
    "vn-tag-vlan": (1, lambda packet: ethernet(bytes(4) + b"\x81\0\0\7" + kind(packet) + packet, ethertype=0x8926)),
    "hsr": (1, tagged(0x892F, bytes(4))),
    "r-tag": (1, tagged(0xF1C1, bytes(4))),
    "e-tag": (1, tagged(0x893F, bytes(6))),
    "cisco-metadata": (1, tagged(0x8909, bytes.fromhex("010100010002"))),
    "macsec-integrity": (1, tagged(0x88E5, bytes.fromhex("000000000001"))),
    "macsec-integrity-channel": (1, tagged(0x88E5, bytes.fromhex("200000000001") + bytes(8))),
    "trill": (1, lambda packet: ethernet(bytes.fromhex("004200010002 00000000") + inner(packet), ethertype=0x22F3)),
    "jumbo-llc": (1, lambda packet: ethernet(snap(packet), ethertype=0x8870)),
    "nsh": (1, lambda packet: ethernet(nsh(packet), ethertype=0x894F)),
    "aruba": (1, lambda packet: gre(wireless(packet), 0x8200)),
    "aruba-queue": (1, lambda packet: gre(wireless(packet, "8802", b"\6\0"), 0x8340, 0x1000, bytes(4))),
    "aruba-four-addresses": (1, lambda packet: gre(wireless(packet, "0803", bytes(6)), 0x8200)),
    "aruba-controls": (1, lambda packet: gre(wireless(packet, "8881", bytes(6)), 0x8200)),
    "wccp": (1, lambda packet: gre(packet, 0x883E)),
    "wccp-2": (1, lambda packet: gre(b"\0\1\2\3" + packet, 0x883E)),
    "gre-frame-relay": (1, lambda packet: gre(frame_relay(packet), 0x6559)),
    "erspan-3": (1, erspan_3),
    "erspan-3-platform": (1, lambda packet: erspan_3(packet, bytes(range(8)))),
    "erspan-2": (1, lambda packet: gre(struct.pack("!HHI", 0x1000, 5, 9) + inner(packet), 0x88BE, 0x1000, bytes(4))),
    "etherip": (1, lambda packet: ethernet(ipv4(b"\x30\0" + inner(packet), ETHERIP))),
    "vxlan-gpe": (
        1,
        lambda packet: udp(bytes([12, 0, 0, 1 if packet[0] >> 4 == 4 else 2]) + b"\0\0\7\0" + packet, 4790),
    ),
    "vxlan-gpe-ethernet": (1, lambda packet: udp(b"\x0c\0\0\3\0\0\7\0" + inner(packet), 4790)),
    "vxlan-gpe-nsh": (1, lambda packet: udp(b"\x0c\0\0\4\0\0\7\0" + nsh(packet, 2), 4790)),
    "mpls-in-udp": (1, lambda packet: udp(b"\0\1\x01\x40" + packet, 6635)),
    "l2tp": (
        1,
        lambda packet: udp(
            bytes.fromhex("0002 0001 0002 ff03") + (b"\0\x21" if packet[0] >> 4 == 4 else b"\0\x57") + packet, 1701
        ),
    ),
    "l2tp-all-fields": (
        1,
        lambda packet: udp(
            bytes.fromhex("4a02 0040 0001 0002 0003 0004 0002 0000")
            + (b"\x21" if packet[0] >> 4 == 4 else b"\x57")
            + packet,
            50_000,
            1701,
        ),
    ),
    "tzsp": (1, lambda packet: udp(bytes.fromhex("01000001 0a02aabb 00 01") + inner(packet), 37008)),
    "tzsp-wireless": (1, lambda packet: udp(bytes.fromhex("01000012 01") + wireless(packet), 37008)),
}
TEREDO: dict[str, Wrap] = {
    "teredo": lambda packet: udp(packet, 3544),
    "teredo-origin": lambda packet: udp(bytes(8) + packet, 40_000, 3544),
    "teredo-authentication": lambda packet: udp(b"\0\1\2\3" + bytes(2 + 3 + 9) + bytes(8) + packet, 3544),
}
CASES = [(name, packet) for name in RARE for packet in (V4, V6)] + [(name, V6) for name in TEREDO]
EVERY = pytest.mark.parametrize(("name", "packet"), CASES, ids=[f"{name}-{len(packet)}" for name, packet in CASES])


def frame(name: str, packet: bytes) -> tuple[int, bytes]:
    link, wrap = RARE.get(name) or (ETHERNET, TEREDO[name])
    return link, wrap(packet)


def check(row: Row, six: bool) -> None:
    """The row is SEGMENT, from client to server."""
    assert (row.src, row.dst) == ((CLIENT6, SERVER6) if six else (CLIENT, SERVER))
    assert (row.kind, row.sport, row.dport, row.seq, row.ackno) == (0, 40001, 7000, 77, 88)
    assert (row.len, row.octet) == (5, ord("h"))


@EVERY
def test_the_segment_is_found(name: str, packet: bytes) -> None:
    link, octets = frame(name, packet)
    check(only_row(octets, link), packet is V6)


@EVERY
def test_a_frame_cut_anywhere_gives_nothing_wrong(name: str, packet: bytes) -> None:
    link, octets = frame(name, packet)
    start = len(octets) - len(SEGMENT)
    rows, skipped = decode([(link, octets[:cut]) for cut in range(start + 16)])
    assert rows == []
    assert set(skipped) <= {"truncated", "not_tcp", "not_ip"}
    check(only_row(octets, link, snaplen=start + 25), packet is V6)


def test_tunnels_have_names() -> None:
    names = {name: only_row(octets, link).tunnel & TUNNEL_ID for name in RARE for link, octets in [frame(name, V4)]}
    assert {name: tunnel_name(tunnel) for name, tunnel in names.items() if tunnel} == {
        **dict.fromkeys(("erspan-2", "erspan-3", "erspan-3-platform"), "gre 5"),
        **dict.fromkeys(("vxlan-gpe", "vxlan-gpe-ethernet", "vxlan-gpe-nsh"), "vxlan 7"),
    }


NEAR_MISSES: dict[str, tuple[int, bytes, str]] = {
    "fddi station management": (10, b"\x41" + MACS + snap(V4), "not_ip"),
    "token ring media access": (6, ring(V4, control=0), "not_ip"),
    "spanning tree on token ring": (6, ring(V4)[:14] + b"\x42\x42\x03" + bytes(40), "not_ip"),
    "encrypted macsec": (1, tagged(0x88E5, bytes.fromhex("0c0000000001"))(V4), "not_ip"),
    "arp behind vn-tag": (1, ethernet(bytes(4) + b"\x08\x06" + bytes(46), ethertype=0x8926), "not_ip"),
    "frame relay management": (107, b"\0\x01\x03\x08\0\x75\x95\1\1\0" + bytes(20), "not_ip"),
    "nsh of another protocol": (1, ethernet(bytes([0, 2, 1, 6]) + bytes(4) + V4, ethertype=0x894F), "not_ip"),
    "aruba, protected": (1, gre(wireless(V4, "0841"), 0x8200), "not_ip"),
    "aruba, several frames in one": (1, gre(wireless(V4, "8801", b"\x80\0"), 0x8200), "not_ip"),
    "capwap keep-alive": (1, udp(bytes.fromhex("0010000800000000") + inner(V4), 5247), "not_tcp"),
    "capwap, second fragment": (1, udp(bytes.fromhex("0010008000010400") + inner(V4), 5247), "ip_fragment"),
    "aruba, beyond its numbers": (1, gre(wireless(V4), 0x8380), "not_ip"),
    "l2tp control": (1, udp(bytes.fromhex("c802000c0001000000000000") + V4, 1701), "not_tcp"),
    "l2tp version 3": (1, udp(bytes.fromhex("000300010002ff030021") + V4, 1701), "not_tcp"),
    "teredo bubble": (1, udp(ipv6(b"", 59), 3544), "not_tcp"),
    "ipv4 on teredo's port": (1, udp(V4, 3544), "not_tcp"),
    "tzsp keepalive": (1, udp(bytes.fromhex("0104000001") + ethernet(V4), 37008), "not_tcp"),
    "words on tzsp's port": (1, udp(b"hello, world", 37008), "not_tcp"),
    "vlan, unknown inside": (1, ethernet(b"\x12\x34" + bytes(40), VLAN, ethertype=0x7777), "not_ip"),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_what_is_near_is_not_taken_for_it(name: str) -> None:
    link, octets, reason = NEAR_MISSES[name]
    assert only_reason(octets, link) == reason


@settings(max_examples=200, deadline=None)
@given(
    case=st.sampled_from(CASES),
    damage=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 255)), max_size=5),
    cut=st.integers(0, 200),
)
def test_no_octets_can_crash_the_decoder_or_have_it_read_on(
    case: tuple[str, bytes], damage: list[tuple[int, int]], cut: int
) -> None:
    link, octets = frame(*case)
    damaged = bytearray(octets)
    for place, value in damage:
        damaged[place % len(damaged)] = value
    one = (link, bytes(damaged[:cut]))
    filler = (UNKNOWN_LINK, b"\xff" * 64)
    alone, between = decode([one]), decode([filler, one, filler])
    assert [row[3:] for row in between.rows] == [row[3:] for row in alone.rows]
