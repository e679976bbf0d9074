"""Transport headers: TCP with its options, and ICMP errors that quote a TCP segment; one row of packets each."""

from __future__ import annotations

from analyzer.kernels.arithmetic import be16, be32, seq_diff
from analyzer.kernels.decode.ethertypes import past, raw_ip
from analyzer.kernels.decode.links import link_layer
from analyzer.kernels.decode.networks import IPV4_HEADER_SIZE, ipv4, network_layer
from analyzer.kernels.decode.payloads import heartbeat_payload
from analyzer.kernels.decode.tunnels import inside
from analyzer.kernels.decode.wireless import wireless_data
from analyzer.kernels.engine.registry import Buffer, Ints, kernel
from analyzer.tables.fields import (
    ACKNO,
    CAPLEN,
    DPORT,
    FIRST_SKIP,
    FLAGS,
    FRAME,
    HEARTBEAT,
    ICMP_PACKETS,
    ICMP_WITHOUT_TCP,
    ICMPV6,
    KIND,
    LEN,
    LINK_TYPE,
    MALFORMED,
    NOT_TCP,
    OCTET,
    OFFSET,
    OPTIONS,
    ORIGLEN,
    PACKET_SIZE,
    RECORD_SIZE,
    RECORD_TIME,
    SACK_LEFT,
    SACK_RIGHT,
    SEQ,
    SPLIT,
    SPORT,
    SRC_HI,
    SRC_LO,
    TCP_PACKETS,
    TIME,
    TRUNCATED,
    TSECR,
    TSVAL,
    TUNNEL,
    TUNNEL_SPLIT,
    WINDOW,
)
from analyzer.tables.heartbeats import LONGEST
from analyzer.tcp import (
    HAS_DSACK,
    HAS_MSS,
    HAS_OTHER,
    HAS_SACK,
    HAS_SACK_PERMITTED,
    HAS_TIMESTAMPS,
    HAS_WSCALE,
    OPTION_END,
    OPTION_MSS,
    OPTION_NOP,
    OPTION_SACK,
    OPTION_SACK_PERMITTED,
    OPTION_TIMESTAMPS,
    OPTION_WSCALE,
    OPTIONS_CUT,
)
from analyzer.wire import (
    ETHERTYPE_IPV4,
    ICMP_HEADER_SIZE,
    ICMP_PARAMETER_PROBLEM,
    ICMP_SOURCE_QUENCH,
    ICMP_TIME_EXCEEDED,
    ICMP_UNREACHABLE,
    ICMPV6_LAST_ERROR,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_TCP,
    LINKTYPE_ETHERNET,
    LINKTYPE_IEEE802_11,
)

ETHERNET_HEADER_SIZE = 14
TCP_HEADER_SIZE = 20
MAX_TUNNELS = 8  # one in another
TCP_NEEDED = 16  # up to the window; what a snaplen cuts after that does not change who said what
TIMESTAMPS_ALONE = 0x0101080A  # NOP, NOP, kind 8, length 10: RFC 7323 appendix A, nearly every segment there is


@kernel
def tcp_option(buf: Buffer, at: int, size: int, packets: Ints, row: int) -> int:
    """Read the option at `at` into the row; return the tcp.HAS_* bits that it sets."""
    option = buf[at]
    if option == OPTION_TIMESTAMPS and size == 10:
        packets[row + TSVAL] = be32(buf, at + 2)
        packets[row + TSECR] = be32(buf, at + 6)
        return HAS_TIMESTAMPS
    if option == OPTION_SACK and size >= 10:
        packets[row + SACK_LEFT] = be32(buf, at + 2)
        packets[row + SACK_RIGHT] = be32(buf, at + 6)
        if seq_diff(packets[row + SACK_RIGHT], packets[row + ACKNO]) <= 0:
            return HAS_SACK | HAS_DSACK
        return HAS_SACK
    if option == OPTION_WSCALE and size == 3:
        return HAS_WSCALE
    if option == OPTION_SACK_PERMITTED:
        return HAS_SACK_PERMITTED
    if option == OPTION_MSS:
        return HAS_MSS
    return HAS_OTHER


@kernel
def tcp_options(buf: Buffer, at: int, end: int, captured: int, packets: Ints, row: int) -> int:
    """Read the options in [at, end), of which the bytes before `captured` are there; return tcp.HAS_* bits."""
    if end - at == 12 and end <= captured and be32(buf, at) == TIMESTAMPS_ALONE:
        packets[row + TSVAL] = be32(buf, at + 4)
        packets[row + TSECR] = be32(buf, at + 8)
        return HAS_TIMESTAMPS
    bits = 0
    while at < end:
        if at >= captured:
            return bits | OPTIONS_CUT
        if buf[at] == OPTION_END:
            break
        if buf[at] == OPTION_NOP:
            at += 1
            continue
        if at + 2 > captured:
            return bits | OPTIONS_CUT
        size = buf[at + 1]
        if size < 2 or at + size > end:
            return bits | HAS_OTHER
        if at + size > captured:
            return bits | OPTIONS_CUT
        bits |= tcp_option(buf, at, size, packets, row)
        at += size
    return bits


@kernel
def tcp(buf: Buffer, at: int, end: int, packets: Ints, row: int) -> int:
    """Read a TCP header (RFC 9293 3.1) into the row; return 0, or -1 - reason."""
    if at + TCP_NEEDED > end:
        return -1 - TRUNCATED
    header = (buf[at + 12] >> 4) * 4
    wire_end = packets[row + LEN]
    if header < TCP_HEADER_SIZE or at + header > wire_end:
        return -1 - MALFORMED
    packets[row + KIND] = 0
    packets[row + SPORT] = be16(buf, at)
    packets[row + DPORT] = be16(buf, at + 2)
    packets[row + SEQ] = be32(buf, at + 4)
    packets[row + ACKNO] = be32(buf, at + 8)
    packets[row + FLAGS] = buf[at + 13]
    packets[row + WINDOW] = be16(buf, at + 14)
    packets[row + LEN] = wire_end - at - header
    packets[row + TSVAL] = 0
    packets[row + TSECR] = 0
    packets[row + SACK_LEFT] = 0
    packets[row + SACK_RIGHT] = 0
    packets[row + OPTIONS] = tcp_options(buf, at + TCP_HEADER_SIZE, at + header, end, packets, row)
    packets[row + OCTET] = -1
    packets[row + HEARTBEAT] = 0
    if at + header < min(end, wire_end):
        packets[row + OCTET] = buf[at + header]
        if wire_end <= end and wire_end - at - header <= LONGEST:
            packets[row + HEARTBEAT] = heartbeat_payload(buf, at + header, wire_end - at - header)
    return 0


@kernel
def icmp(buf: Buffer, at: int, end: int, protocol: int, packets: Ints, row: int) -> int:
    """Read the TCP segment that an ICMP error quotes (RFC 792, RFC 4443) into the row; return 0, or -1 - reason."""
    if at + ICMP_HEADER_SIZE > end:
        return -1 - TRUNCATED
    kind = buf[at]
    if protocol == IPPROTO_ICMPV6:
        is_error = kind <= ICMPV6_LAST_ERROR
    else:
        is_error = (
            kind == ICMP_UNREACHABLE
            or kind == ICMP_SOURCE_QUENCH
            or kind == ICMP_TIME_EXCEEDED
            or kind == ICMP_PARAMETER_PROBLEM
        )
    if not is_error:
        return -1 - NOT_TCP
    code = be16(buf, at)
    packets[row + TSVAL] = packets[row + SRC_HI]  # who sent it: what it quotes has no use for these
    packets[row + TSECR] = packets[row + SRC_LO]
    quoted = raw_ip(buf, at + ICMP_HEADER_SIZE, end)
    if quoted < 0:
        return -1 - ICMP_WITHOUT_TCP
    found = network_layer(buf, quoted, end, end, packets, row)
    # The first eight bytes of the quoted header are all that RFC 792 promises: ports and sequence number.
    if found < 0 or found & 0xFFFF != IPPROTO_TCP or (found >> 16) + 8 > end:
        return -1 - ICMP_WITHOUT_TCP
    at = found >> 16
    packets[row + KIND] = 1 + code + (ICMPV6 if protocol == IPPROTO_ICMPV6 else 0)
    packets[row + SPORT] = be16(buf, at)
    packets[row + DPORT] = be16(buf, at + 2)
    packets[row + SEQ] = be32(buf, at + 4)
    packets[row + FLAGS] = 0
    packets[row + LEN] = 0
    return 0


@kernel
def is_plain(buf: Buffer, start: int, end: int) -> bool:
    """Whether this Ethernet frame carries IPv4 and that TCP, with nothing between: most there are."""
    at = start + ETHERNET_HEADER_SIZE
    if at + IPV4_HEADER_SIZE > end:
        return False
    return be16(buf, at - 2) == ETHERTYPE_IPV4 and buf[at + 9] == IPPROTO_TCP


@kernel
def frame(buf: Buffer, start: int, end: int, wire_end: int, link: int, packets: Ints, row: int) -> int:
    """Decode one captured frame into the row; return 0, or -1 - reason."""
    packets[row + TUNNEL] = 0
    if link == LINKTYPE_ETHERNET and is_plain(buf, start, end):  # the same as below, straight on
        found = ipv4(buf, start + ETHERNET_HEADER_SIZE, end, wire_end, packets, row)
        return found if found < 0 else tcp(buf, found >> 16, end, packets, row)
    if link == LINKTYPE_IEEE802_11:
        found = past(buf, wireless_data(buf, start, end), end)
    else:
        found = link_layer(buf, start, end, link)
    for _ in range(MAX_TUNNELS):
        if found < 0:
            return found
        found = network_layer(buf, found, end, wire_end, packets, row)
        if found < 0:
            return found
        protocol = found & 0xFFFF
        if protocol == IPPROTO_TCP:
            return tcp(buf, found >> 16, end, packets, row)
        if protocol == IPPROTO_ICMP or protocol == IPPROTO_ICMPV6:
            return icmp(buf, found >> 16, end, protocol, packets, row)
        wire_end = packets[row + LEN]
        found = inside(buf, found >> 16, end, protocol, packets, row)
    return -1 - MALFORMED


@kernel
def decode(buf: Buffer, records: Ints, count: int, first_frame: int, packets: Ints, counts: Ints) -> int:
    """Decode `count` records into rows of packets, which has room for as many; return how many rows there are."""
    rows = 0
    for i in range(count):
        record = i * RECORD_SIZE
        start = records[record + OFFSET]
        row = rows * PACKET_SIZE
        result = frame(
            buf,
            start,
            start + records[record + CAPLEN],
            start + records[record + ORIGLEN],
            records[record + LINK_TYPE],
            packets,
            row,
        )
        if result < 0:
            counts[FIRST_SKIP - 1 - result] += 1
            continue
        packets[row + FRAME] = first_frame + i
        packets[row + TIME] = records[record + RECORD_TIME]
        if counts[SPLIT]:
            packets[row + TUNNEL] |= TUNNEL_SPLIT
        if packets[row + KIND] == 0:
            counts[TCP_PACKETS] += 1
        else:
            counts[ICMP_PACKETS] += 1
        rows += 1
    return rows
