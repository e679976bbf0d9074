"""Link layers and IP: where TCP starts in a frame, whatever lies before it."""

from __future__ import annotations

from collections.abc import Callable

import frames_in_bytes as frames
import pytest
from decoded import Row, address, decode, only_reason, only_row
from frames_in_bytes import (
    ARP,
    AUTHENTICATION,
    CLIENT,
    CLIENT6,
    DESTINATION,
    FRAGMENT,
    HOP_BY_HOP,
    IPV6,
    MOBILITY,
    QINQ,
    ROUTING,
    SERVER,
    SERVER6,
    TCP,
    UDP,
    UNKNOWN_LINK,
    VLAN,
    authentication_header,
    ethernet,
    extension,
    fragment_header,
    ipv4,
    ipv6,
    null,
    sll,
    sll2,
    tcp,
)

from analyzer.tables import fields as layout

SEGMENT = tcp(seq=77, ack=88, payload=b"hello")
V4, V6 = ipv4(SEGMENT), ipv6(SEGMENT)
LINKS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "ethernet": (1, ethernet),
    "vlan": (1, lambda packet: ethernet(packet, VLAN)),
    "qinq": (1, lambda packet: ethernet(packet, QINQ, VLAN)),
    "two-vlans": (1, lambda packet: ethernet(packet, VLAN, VLAN)),
    "linux-sll": (113, sll),
    "linux-sll-vlan": (113, lambda packet: sll(packet, VLAN)),
    "linux-sll2": (276, sll2),
    "linux-sll2-vlan": (276, lambda packet: sll2(packet, VLAN)),
    "linux-sll2-qinq": (276, lambda packet: sll2(packet, QINQ, VLAN)),
    "null-little": (0, null),
    "null-big": (0, lambda packet: null(packet, ">")),
    "loop": (108, lambda packet: null(packet, ">")),
    "raw-12": (12, bytes),
    "raw-14": (14, bytes),
    "raw": (101, bytes),
}
EVERY_LINK = pytest.mark.parametrize("link", LINKS)


def check(row: Row, v6: bool = False) -> None:
    """The row is SEGMENT, from client to server."""
    assert (row.src, row.dst) == ((CLIENT6, SERVER6) if v6 else (CLIENT, SERVER))
    assert (row.kind, row.sport, row.dport, row.seq, row.ackno) == (0, 40001, 7000, 77, 88)
    assert (row.len, row.octet, row.window, row.ttl) == (5, ord("h"), 502, 64)
    assert row.ip_id == (-1 if v6 else 0)


def test_rows_have_the_columns_that_layout_names() -> None:
    assert [getattr(layout, name.upper()) for name in Row._fields] == list(range(len(Row._fields)))


@EVERY_LINK
def test_every_link_type_leads_to_ipv4(link: str) -> None:
    number, wrap = LINKS[link]
    check(only_row(wrap(V4), number))


@EVERY_LINK
def test_every_link_type_leads_to_ipv6(link: str) -> None:
    number, wrap = LINKS[link]
    check(only_row(wrap(V6), number), v6=True)


def test_ip_link_types_lead_to_their_ip() -> None:
    check(only_row(V4, 228))
    check(only_row(V6, 229), v6=True)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("family", [10, 24, 28, 30], ids=["linux", "netbsd", "freebsd", "macos"])
def test_every_systems_number_for_ipv6_is_known(order: str, family: int) -> None:
    check(only_row(null(V6, order, family), 0), v6=True)


@EVERY_LINK
def test_a_frame_cut_anywhere_before_the_tcp_window_is_truncated(link: str) -> None:
    number, wrap = LINKS[link]
    for packet in (V4, V6):
        whole = wrap(packet)
        start = len(whole) - len(SEGMENT)
        cuts = [(number, whole[:cut]) for cut in range(start + 16)]
        assert decode(cuts).skipped == {"truncated": len(cuts)}
        assert [row.seq for row in decode([(number, whole[: start + 16])]).rows] == [77]


@pytest.mark.parametrize("number", [UNKNOWN_LINK, 163, 277, 0x03FFFFFF])
def test_other_link_types_are_unsupported(number: int) -> None:
    assert only_reason(ethernet(V4), number) == "unsupported_link_type"


@pytest.mark.parametrize(
    ("number", "octets"),
    [
        (1, ethernet(bytes(46), ethertype=ARP)),
        (1, ethernet(bytes(46), VLAN, ethertype=ARP)),
        (1, ethernet(b"\xaa\xaa\x03" + bytes(43), ethertype=46)),  # IEEE 802.3: a length, then LLC
        (113, sll(bytes(46), ethertype=ARP)),
        (276, sll2(bytes(46), ethertype=ARP)),
        (0, null(bytes(40), family=23)),
        (101, bytes(40)),
        (101, b"\x50" + bytes(40)),
    ],
)
def test_what_is_not_ip_says_so(number: int, octets: bytes) -> None:
    assert only_reason(octets, number) == "not_ip"


def test_tags_without_end_are_malformed() -> None:
    assert only_reason(ethernet(V4, *[VLAN] * 200)) == "malformed"


@pytest.mark.parametrize("size", [4, 8, 20, 40])
def test_ipv4_options_are_passed_over(size: int) -> None:
    check(only_row(ethernet(ipv4(SEGMENT, options=b"\x94\x04" + bytes(size - 2)))))


def test_total_length_zero_means_to_the_end_of_the_frame() -> None:
    """Segmentation offload: the card fills the length in, the capture saw the packet before that."""
    check(only_row(ethernet(ipv4(SEGMENT, total=0))))
    big = ethernet(ipv4(tcp(payload=bytes(30000)), total=0))
    assert only_row(big).len == 30000
    assert only_row(big, snaplen=96).len == 30000


def test_ipv6_payload_length_zero_means_to_the_end_of_the_frame() -> None:
    check(only_row(ethernet(ipv6(SEGMENT, length=0))), v6=True)
    assert only_row(ethernet(ipv6(tcp(payload=bytes(30000)), length=0)), snaplen=96).len == 30000


def test_ethernet_padding_is_no_payload() -> None:
    row = only_row(ethernet(ipv4(tcp())).ljust(60, b"\xee"))
    assert (row.len, row.octet) == (0, -1)
    row = only_row(ethernet(ipv4(tcp(payload=b"\0"))).ljust(60, b"\xee"))
    assert (row.len, row.octet) == (1, 0)
    assert only_row(ethernet(ipv6(tcp())) + b"\xee" * 4).len == 0


@pytest.mark.parametrize("octets", [
    ipv4(SEGMENT, total=19), ipv4(SEGMENT, total=39), b"\x44" + V4[1:], b"\x4f" + V4[1:24], ipv4(SEGMENT, total=20)
])  # fmt: skip
def test_ipv4_lengths_that_cannot_be_are_malformed_or_truncated(octets: bytes) -> None:
    assert only_reason(ethernet(octets)) in ("malformed", "truncated")


def test_ip_versions_that_contradict_the_link_layer_are_malformed() -> None:
    assert only_reason(ethernet(V6, ethertype=frames.IPV4)) == "malformed"
    assert only_reason(ethernet(V4, ethertype=IPV6)) == "malformed"


@pytest.mark.parametrize("offset", [1, 185, 0x1FFF])
@pytest.mark.parametrize("more", [0, 0x2000])
def test_later_fragments_are_counted(offset: int, more: int) -> None:
    assert only_reason(ethernet(ipv4(bytes(40), fragment=offset | more))) == "ip_fragment"
    later = ipv6(fragment_header(TCP, offset, bool(more)) + bytes(40), FRAGMENT)
    assert only_reason(ethernet(later)) == "ip_fragment"


def test_first_fragments_and_the_dont_fragment_bit_hide_nothing() -> None:
    check(only_row(ethernet(ipv4(SEGMENT, fragment=0x2000))))
    check(only_row(ethernet(ipv4(SEGMENT, fragment=0x4000))))
    check(only_row(ethernet(ipv6(fragment_header(TCP, 0, True) + SEGMENT, FRAGMENT))), v6=True)


@pytest.mark.parametrize("kind", [HOP_BY_HOP, ROUTING, DESTINATION, MOBILITY])
@pytest.mark.parametrize("size", [8, 16, 24, 2048])
def test_ipv6_extension_headers_are_passed_over(kind: int, size: int) -> None:
    check(only_row(ethernet(ipv6(extension(TCP, size) + SEGMENT, kind))), v6=True)


@pytest.mark.parametrize("size", [12, 16, 24])
def test_the_authentication_header_counts_in_words(size: int) -> None:
    check(only_row(ethernet(ipv6(authentication_header(TCP, size) + SEGMENT, AUTHENTICATION))), v6=True)


def chain(*kinds: int) -> bytes:
    """An IPv6 packet with these extension headers before SEGMENT."""
    rest = SEGMENT
    following = [*kinds[1:], TCP]
    for kind, after in reversed(list(zip(kinds, following, strict=True))):
        if kind == FRAGMENT:
            rest = fragment_header(after) + rest
        else:
            rest = (authentication_header if kind == AUTHENTICATION else extension)(after) + rest
    return ipv6(rest, kinds[0])


def test_extension_headers_may_follow_each_other_in_the_order_of_rfc_8200() -> None:
    kinds = (HOP_BY_HOP, DESTINATION, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION)
    check(only_row(ethernet(chain(*kinds))), v6=True)
    whole = ethernet(chain(*kinds))
    start = len(whole) - len(SEGMENT)
    assert decode([(1, whole[:cut]) for cut in range(start + 16)]).skipped == {"truncated": start + 16}


def test_extension_headers_without_end_are_malformed() -> None:
    assert only_reason(ethernet(chain(*[DESTINATION] * 200))) == "malformed"


@pytest.mark.parametrize("protocol", [UDP, 50, 59, 132, 255])
def test_other_protocols_are_not_tcp(protocol: int) -> None:
    assert only_reason(ethernet(ipv4(bytes(40), protocol))) == "not_tcp"
    assert only_reason(ethernet(ipv6(bytes(40), protocol))) == "not_tcp"
    assert only_reason(ethernet(ipv6(extension(protocol) + bytes(40), DESTINATION))) == "not_tcp"


def test_ipv4_identification_and_addresses_are_read_unsigned() -> None:
    row = only_row(ethernet(ipv4(SEGMENT, source="255.255.255.254", identification=0xFFFE, ttl=255)))
    assert (row.src, row.ip_id, row.ttl) == ("255.255.255.254", 0xFFFE, 255)
    row = only_row(ethernet(ipv6(SEGMENT, source="ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", hops=255)))
    assert (row.src, row.ttl) == (address(-1, -2), 255)


def test_every_reason_is_counted_in_one_batch() -> None:
    samples = {
        "unsupported_link_type": (UNKNOWN_LINK, bytes(60)),
        "not_ip": (1, ethernet(bytes(46), ethertype=ARP)),
        "not_tcp": (1, ethernet(ipv4(bytes(8), UDP))),
        "ip_fragment": (1, ethernet(ipv4(bytes(40), fragment=9))),
        "truncated": (1, ethernet(V4)[:40]),
        "malformed": (1, ethernet(ipv4(SEGMENT, total=10))),
        "icmp_without_tcp": (1, ethernet(ipv4(frames.icmp_error(3, 1, ipv4(bytes(8), UDP)), frames.ICMP))),
    }
    assert {*samples, "no_packet"} == set(layout.SKIP_REASONS)  # that one is no frame at all
    batch = [sample for count, sample in enumerate(samples.values(), 1) for _ in range(count)]
    rows, skipped = decode([*batch, (1, ethernet(V4))])
    assert skipped == {reason: count for count, reason in enumerate(samples, 1)}
    assert [(row.frame, row.time) for row in rows] == [(len(batch) + 1, 1000 + len(batch))]


def test_the_ip_header_is_believed_where_the_frame_is_shorter() -> None:
    assert only_row(ethernet(ipv4(SEGMENT, total=9000))).len == 9000 - 40
