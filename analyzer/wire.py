"""Numbers that other people assigned: capture file formats, link types, ethertypes, IP protocols."""

from __future__ import annotations

# Classic pcap (draft-ietf-opsawg-pcap): the magic as its first four bytes read in little-endian order.
PCAP_MICROSECONDS = 0xA1B2C3D4
PCAP_NANOSECONDS = 0xA1B23C4D
PCAP_HEADER_SIZE = 24
PCAP_RECORD_SIZE = 16

# pcapng (draft-ietf-opsawg-pcapng).
PCAPNG_SECTION_HEADER = 0x0A0D0D0A  # the same in both byte orders
PCAPNG_BYTE_ORDER = 0x1A2B3C4D
PCAPNG_INTERFACE = 1
PCAPNG_PACKET = 2  # obsolete, still met (appendix A)
PCAPNG_SIMPLE_PACKET = 3
PCAPNG_ENHANCED_PACKET = 6
# Blocks that are no packets but that Wireshark numbers as frames: systemd journal, custom, sysdig.
PCAPNG_OTHER_RECORDS = (9, 0x0BAD, 0x40000BAD, 0x204, 0x208, 0x216, 0x221)
PCAPNG_IF_TSRESOL = 9
PCAPNG_IF_TSOFFSET = 14
PCAPNG_END_OF_OPTIONS = 0
PCAPNG_DEFAULT_TSRESOL = 6  # 10**-6 s

GZIP_MAGIC = b"\x1f\x8b"

# Link types (tcpdump.org "Link-layer header types").
LINKTYPE_NULL = 0
LINKTYPE_ETHERNET = 1
LINKTYPE_RAW_12 = 12  # DLT_RAW as Linux and BSD write it
LINKTYPE_RAW_14 = 14  # DLT_RAW as OpenBSD writes it
LINKTYPE_RAW = 101
LINKTYPE_LOOP = 108
LINKTYPE_LINUX_SLL = 113
LINKTYPE_IPV4 = 228
LINKTYPE_IPV6 = 229
LINKTYPE_LINUX_SLL2 = 276

_LINK_TYPE_NAMES = {
    LINKTYPE_NULL: "NULL",
    LINKTYPE_ETHERNET: "ETHERNET",
    LINKTYPE_RAW_12: "RAW",
    LINKTYPE_RAW_14: "RAW",
    LINKTYPE_RAW: "RAW",
    LINKTYPE_LOOP: "LOOP",
    LINKTYPE_LINUX_SLL: "LINUX_SLL",
    LINKTYPE_IPV4: "IPV4",
    LINKTYPE_IPV6: "IPV6",
    LINKTYPE_LINUX_SLL2: "LINUX_SLL2",
}


def link_type_name(number: int) -> str:
    """The link type's name as tcpdump.org lists it, without LINKTYPE_; its number where we know no name."""
    return _LINK_TYPE_NAMES.get(number, str(number))


# Ethertypes (IEEE 802 Numbers, IANA).
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_QINQ = 0x88A8

# Address families in NULL and LOOP headers: 2 everywhere; IPv6 is 24 (NetBSD, OpenBSD), 28 (FreeBSD), 30 (macOS),
# 10 (Linux).
AF_INET = 2
AF_INET6 = (10, 24, 28, 30)

# IP protocol numbers (IANA); the extension headers of IPv6 (RFC 8200 4.1) share the number space.
IPPROTO_HOPOPTS = 0
IPPROTO_ICMP = 1
IPPROTO_TCP = 6
IPPROTO_ROUTING = 43
IPPROTO_FRAGMENT = 44
IPPROTO_AH = 51
IPPROTO_ICMPV6 = 58
IPPROTO_DSTOPTS = 60
IPPROTO_MOBILITY = 135

# ICMP messages that quote the packet they are about (RFC 792, RFC 4443).
ICMP_UNREACHABLE = 3
ICMP_SOURCE_QUENCH = 4
ICMP_TIME_EXCEEDED = 11
ICMP_PARAMETER_PROBLEM = 12
ICMPV6_LAST_ERROR = 127  # types 0 to 127 are errors
ICMP_HEADER_SIZE = 8
