"""TCP headers and options, and the segments that ICMP errors quote."""

from __future__ import annotations

from itertools import permutations

import pytest
from decoded import Row, decode, only_reason, only_row
from frames_in_bytes import (
    ACK,
    CLIENT,
    CLIENT6,
    DESTINATION,
    FIN,
    FRAGMENT,
    ICMP,
    ICMPV6,
    PSH,
    RST,
    SERVER,
    SERVER6,
    SYN,
    TCP,
    UDP,
    ethernet,
    extension,
    fragment_header,
    icmp_error,
    ipv4,
    ipv6,
    sack,
    tcp,
    timestamps,
)

from analyzer.tables.fields import ICMPV6 as OVER_IPV6
from analyzer.tcp import (
    HAS_DSACK,
    HAS_MSS,
    HAS_OTHER,
    HAS_SACK,
    HAS_SACK_PERMITTED,
    HAS_TIMESTAMPS,
    HAS_WSCALE,
    OPTIONS_CUT,
)

NOP, END = b"\1", b"\0"
MSS, WSCALE, SACK_PERMITTED, FAST_OPEN = b"\2\4\5\xb4", b"\3\3\7", b"\4\2", b"\x22\6abcd"
STAMP = timestamps(0xFFFFFFFE, 7)
QUOTED = tcp(seq=0xFFFFFFF0, ack=5)


def segment(options: bytes = b"", snaplen: int | None = None, ack: int = 2000) -> Row:
    return only_row(ethernet(ipv4(tcp(options=options, ack=ack))), snaplen=snaplen)


@pytest.mark.parametrize("flags", [SYN, SYN | ACK, ACK, PSH | ACK, FIN | ACK, RST, RST | ACK, 0, 0xFF])
@pytest.mark.parametrize("number", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_header_fields_are_read_unsigned(flags: int, number: int) -> None:
    row = only_row(ethernet(ipv4(tcp(65535, 65534, seq=number, ack=number, flags=flags, window=65535))))
    assert (row.sport, row.dport, row.seq, row.ackno) == (65535, 65534, number, number)
    assert (row.flags, row.window, row.len, row.octet) == (flags, 65535, 0, -1)


@pytest.mark.parametrize("words", [0, 1, 4, 6, 15])
def test_a_header_length_that_cannot_be_is_malformed(words: int) -> None:
    assert only_reason(ethernet(ipv4(tcp(header_words=words)))) == "malformed"


def test_options_are_read_in_any_order() -> None:
    options = {MSS: HAS_MSS, WSCALE: HAS_WSCALE, SACK_PERMITTED: HAS_SACK_PERMITTED, STAMP: HAS_TIMESTAMPS}
    orders = list(permutations(options))
    rows, _ = decode([(1, ethernet(ipv4(tcp(options=b"".join(order))))) for order in orders])
    assert len(rows) == len(orders)
    for row in rows:
        assert row.options == HAS_MSS | HAS_WSCALE | HAS_SACK_PERMITTED | HAS_TIMESTAMPS
        assert (row.tsval, row.tsecr) == (0xFFFFFFFE, 7)


@pytest.mark.parametrize("options", [
    NOP + NOP + STAMP, STAMP + NOP + NOP, NOP + STAMP + NOP, STAMP, NOP * 3 + STAMP + NOP * 7,
    SACK_PERMITTED + STAMP, STAMP + END + b"\xff\xff",
], ids=bytes.hex)  # fmt: skip
def test_timestamps_are_found_wherever_they_stand(options: bytes) -> None:
    row = segment(options)
    assert row.options & ~HAS_SACK_PERMITTED == HAS_TIMESTAMPS
    assert (row.tsval, row.tsecr) == (0xFFFFFFFE, 7)


def test_without_options_nothing_is_claimed() -> None:
    row = segment()
    assert (row.options, row.tsval, row.tsecr, row.sack_left, row.sack_right) == (0, 0, 0, 0, 0)


def test_nothing_is_read_after_the_end_of_options() -> None:
    row = segment(END + NOP + STAMP)
    assert (row.options, row.tsval) == (0, 0)


@pytest.mark.parametrize("kind", [2, 3, 4, 5, 8, 34, 253])
@pytest.mark.parametrize("size", [0, 1])
def test_an_option_shorter_than_its_own_head_ends_them(kind: int, size: int) -> None:
    row = segment(bytes([kind, size]) + STAMP)
    assert (row.options, row.tsval) == (HAS_OTHER, 0)


@pytest.mark.parametrize("kind", [2, 3, 5, 8, 34])
def test_an_option_longer_than_the_header_ends_them(kind: int) -> None:
    row = segment(NOP + NOP + bytes([kind, 40]) + bytes(8))
    assert (row.options, row.tsval) == (HAS_OTHER, 0)


@pytest.mark.parametrize(
    "option",
    [b"\x08\x08" + bytes(6), b"\x08\x0c" + bytes(10), b"\x03\x04\x07\0", b"\x05\x02", b"\x05\x06" + bytes(4)],
    ids=bytes.hex,
)
def test_a_known_option_of_the_wrong_length_is_not_believed(option: bytes) -> None:
    row = segment(option + STAMP)
    assert row.options & ~HAS_OTHER == HAS_TIMESTAMPS
    assert (row.tsval, row.sack_right) == (0xFFFFFFFE, 0)


def test_unknown_options_are_passed_over() -> None:
    row = segment(FAST_OPEN + STAMP)
    assert (row.options, row.tsval) == (HAS_OTHER | HAS_TIMESTAMPS, 0xFFFFFFFE)


@pytest.mark.parametrize(("left", "right", "ack", "duplicate"), [
    (1000, 1001, 2000, True), (1999, 2000, 2000, True), (2000, 2001, 2000, False), (3000, 4000, 2000, False),
    (0xFFFFFFFF, 0, 0, True), (0xFFFFFFFE, 0xFFFFFFFF, 5, True), (5, 9, 0xFFFFFFF0, False),
])  # fmt: skip
def test_a_sack_block_below_the_acknowledgement_is_a_duplicate_one(
    left: int, right: int, ack: int, duplicate: bool
) -> None:
    """RFC 2883 4: how Linux answers a keepalive probe that carries a byte."""
    row = segment(NOP + NOP + sack((left, right), (7000, 8000)), ack=ack)
    assert row.options == HAS_SACK | HAS_DSACK * duplicate
    assert (row.sack_left, row.sack_right) == (left, right)


@pytest.mark.parametrize("snaplen", [54, 60, 66, 68, 96])
def test_options_that_the_snaplen_cut_are_marked(snaplen: int) -> None:
    """Ethernet, IPv4 and TCP take 54 bytes; NOP, NOP, timestamps reach to 66."""
    row = segment(NOP + NOP + STAMP, snaplen)
    assert (row.seq, row.ackno, row.window, row.len) == (1000, 2000, 502, 0)
    assert row.options == (HAS_TIMESTAMPS if snaplen >= 66 else OPTIONS_CUT)
    assert row.tsval == (0xFFFFFFFE if snaplen >= 66 else 0)


def test_options_before_the_cut_are_read() -> None:
    whole = ethernet(ipv4(tcp(options=MSS + SACK_PERMITTED + STAMP + NOP + WSCALE)))
    rows = [only_row(whole, snaplen=54 + kept) for kept in range(21)]
    assert [row.options & HAS_MSS > 0 for row in rows] == [kept >= 4 for kept in range(21)]
    assert [row.options & HAS_SACK_PERMITTED > 0 for row in rows] == [kept >= 6 for kept in range(21)]
    assert [row.options & HAS_TIMESTAMPS > 0 for row in rows] == [kept >= 16 for kept in range(21)]
    assert [bool(row.options & HAS_WSCALE) for row in rows] == [False] * 20 + [True]
    assert [row.options & OPTIONS_CUT > 0 for row in rows] == [True] * 20 + [False]


@pytest.mark.parametrize("snaplen", [54, 60, 66, 68, 96])
def test_the_payload_length_survives_the_snaplen(snaplen: int) -> None:
    row = only_row(ethernet(ipv4(tcp(payload=b"xyz" * 400))), snaplen=snaplen)
    assert (row.len, row.octet) == (1200, -1 if snaplen == 54 else ord("x"))


def error4(quoted: bytes, kind: int = 3, code: int = 1) -> bytes:
    return ethernet(ipv4(icmp_error(kind, code, quoted), ICMP, source="203.0.113.1"))


def error6(quoted: bytes, kind: int = 1, code: int = 3) -> bytes:
    return ethernet(ipv6(icmp_error(kind, code, quoted), ICMPV6, source="2001:db8::1"))


def check_quote(row: Row, kind: int, v6: bool = False) -> None:
    """The row is about QUOTED, the segment of the client."""
    assert row.kind == kind
    assert (row.src, row.dst) == ((CLIENT6, SERVER6) if v6 else (CLIENT, SERVER))
    assert (row.sport, row.dport, row.seq, row.flags, row.len) == (40001, 7000, 0xFFFFFFF0, 0, 0)


@pytest.mark.parametrize("kept", [8, 16, 20])
@pytest.mark.parametrize(("kind", "code"), [(3, 0), (3, 1), (3, 3), (3, 13), (4, 0), (11, 0), (11, 1), (12, 0)])
def test_an_icmp_error_tells_of_the_segment_that_it_quotes(kind: int, code: int, kept: int) -> None:
    """RFC 792 promises eight bytes of TCP: ports and sequence number."""
    quoted = ipv4(QUOTED)[: 20 + kept]
    check_quote(only_row(error4(quoted, kind, code)), 1 + kind * 256 + code)


@pytest.mark.parametrize(("kind", "code"), [(1, 0), (1, 3), (1, 4), (2, 0), (3, 0), (4, 1)])
@pytest.mark.parametrize("kept", [8, 20])
def test_an_icmpv6_error_tells_of_the_segment_that_it_quotes(kind: int, code: int, kept: int) -> None:
    row = only_row(error6(ipv6(QUOTED)[: 40 + kept], kind, code))
    check_quote(row, 1 + kind * 256 + code + OVER_IPV6, v6=True)


def test_a_quoted_packet_may_have_ip_options_and_extension_headers() -> None:
    check_quote(only_row(error4(ipv4(QUOTED, options=b"\x94\4\0\0")[:32])), 1 + 3 * 256 + 1)
    row = only_row(error6(ipv6(extension(TCP) + QUOTED, DESTINATION)[:56]))
    check_quote(row, 1 + 256 + 3 + OVER_IPV6, v6=True)


def test_an_error_packet_may_have_options_itself() -> None:
    whole = ipv4(icmp_error(3, 1, ipv4(QUOTED)), ICMP, options=b"\x94\4\0\0")
    check_quote(only_row(ethernet(whole)), 1 + 3 * 256 + 1)


@pytest.mark.parametrize("quoted", [
    b"", ipv4(QUOTED)[:19], ipv4(QUOTED)[:27], ipv4(bytes(20), UDP), ipv4(QUOTED, fragment=5), bytes(60),
    ipv6(QUOTED)[:47], ipv6(bytes(20), UDP), ipv6(fragment_header(TCP, 3) + QUOTED, FRAGMENT),
    ipv4(icmp_error(3, 1, ipv4(QUOTED)), ICMP),
], ids=range(10))  # fmt: skip
def test_an_error_about_something_else_is_counted(quoted: bytes) -> None:
    assert only_reason(error4(quoted)) == "icmp_without_tcp"
    assert only_reason(error6(quoted)) == "icmp_without_tcp"


def test_other_icmp_messages_are_no_errors() -> None:
    for kind in (0, 8, 5, 13):
        assert only_reason(error4(ipv4(QUOTED), kind)) == "not_tcp"
    for kind in (128, 129, 135, 255):
        assert only_reason(error6(ipv6(QUOTED), kind)) == "not_tcp"


def test_errors_cut_by_the_snaplen_are_truncated_or_without_tcp() -> None:
    whole = error4(ipv4(QUOTED)[:28])
    reasons = [only_reason(whole, snaplen=kept) for kept in range(len(whole))]
    assert reasons == ["truncated"] * (14 + 20 + 8) + ["icmp_without_tcp"] * 28
