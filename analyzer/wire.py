"""Numbers that other people assigned: capture file formats, link types, ethertypes, IP protocols."""

from __future__ import annotations

# Classic pcap (draft-ietf-opsawg-pcap): the magic as its first four bytes read in little-endian order.
PCAP_MICROSECONDS = 0xA1B2C3D4
PCAP_NANOSECONDS = 0xA1B23C4D
PCAP_MODIFIED = 0xA1B2CD34  # Alexey Kuznetzov's tcpdump: interface, protocol and packet type follow the lengths
PCAP_HEADER_SIZE = 24
PCAP_RECORD_SIZE = 16
PCAP_MODIFIED_RECORD_SIZE = 24
PCAP_LENGTHS_IN_ORDER = 4  # minor version: before 2.3 captured and original length stood the other way round, in 2.3
# some wrote it so and some so (libpcap sf-pcap.c)

# snoop (RFC 1761).
SNOOP_MAGIC = b"snoop\0\0\0"
SNOOP_HEADER_SIZE = 16
SNOOP_RECORD_SIZE = 24
SNOOP_VERSION = 2
SNOOP_IEEE_802_3 = 0
SNOOP_ETHERNET = 4

# pcapng (draft-ietf-opsawg-pcapng).
PCAPNG_SECTION_HEADER = 0x0A0D0D0A  # the same in both byte orders
PCAPNG_BYTE_ORDER = 0x1A2B3C4D
PCAPNG_INTERFACE = 1
PCAPNG_PACKET = 2  # obsolete, still met (appendix A)
PCAPNG_SIMPLE_PACKET = 3
PCAPNG_ENHANCED_PACKET = 6
PCAPNG_SECRETS = 10
PCAPNG_TLS_KEY_LOG = 0x544C534B  # a kind of secrets: draft-ietf-opsawg-pcapng 4.7
# Blocks that are no packets but that Wireshark numbers as frames: systemd journal, custom, sysdig.
PCAPNG_OTHER_RECORDS = (9, 0x0BAD, 0x40000BAD, 0x204, 0x208, 0x216, 0x221)
PCAPNG_COMMENT = 1
PCAPNG_IF_NAME = 2
PCAPNG_USER_APPLICATION = 4  # of a section header
PCAPNG_IF_TSRESOL = 9
PCAPNG_IF_TSOFFSET = 14
PCAPNG_END_OF_OPTIONS = 0
PCAPNG_DEFAULT_TSRESOL = 6  # 10**-6 s

# Compressed files: RFC 1952, RFC 8878, the LZ4 frame format, the .xz file format, bzip2.
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
LZ4_MAGIC = b"\x04\x22\x4d\x18"
XZ_MAGIC = b"\xfd7zXZ\x00"
BZIP2_MAGIC = b"BZh"
COMPRESSED = (GZIP_MAGIC, ZSTD_MAGIC, LZ4_MAGIC, XZ_MAGIC, BZIP2_MAGIC)
LONGEST_MAGIC = max(map(len, COMPRESSED))

# Ethertypes (IEEE 802 Numbers, IANA).
SMALLEST_ETHERTYPE = 0x0600  # below it the field is a length (IEEE 802.3 3.2.6)
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPE_TRANSPARENT_ETHERNET = 0x6558
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_MPLS = 0x8847
ETHERTYPE_MPLS_MULTICAST = 0x8848
ETHERTYPE_PPPOE_SESSION = 0x8864
ETHERTYPE_QINQ = 0x88A8
ETHERTYPE_ERSPAN_2 = 0x88BE
ETHERTYPE_ERSPAN_3 = 0x22EB
ETHERTYPE_PPP = 0x880B
ETHERTYPE_PROVIDER_BACKBONE = 0x88E7  # IEEE 802.1ah
ETHERTYPE_EOIP = 0x6400  # MikroTik's Ethernet over IP, in GRE
ETHERTYPE_FABRICPATH = 0x8903
ETHERTYPE_TRILL = 0x22F3  # RFC 6325 3
ETHERTYPE_FRAME_RELAY = 0x6559
ETHERTYPE_JUMBO_LLC = 0x8870
ETHERTYPE_MACSEC = 0x88E5  # IEEE 802.1AE
ETHERTYPE_CISCO_METADATA = 0x8909  # TrustSec's security group tag
ETHERTYPE_VNTAG = 0x8926
ETHERTYPE_HSR = 0x892F  # IEC 62439-3
ETHERTYPE_E_TAG = 0x893F  # IEEE 802.1BR
ETHERTYPE_NSH = 0x894F  # RFC 8300
ETHERTYPE_R_TAG = 0xF1C1  # IEEE 802.1CB
ETHERTYPE_WCCP = 0x883E  # in GRE
# In GRE, between Aruba's access points and controllers: an 802.11 frame, the queue in the second byte (Wireshark
# epan/dissectors/packet-gre.h).
ETHERTYPE_ARUBA_FIRST = 0x8200
ETHERTYPE_ARUBA_LAST = 0x8370
ETHERTYPE_QINQ_OLD = 0x9100  # before IEEE 802.1ad

# Those link types (tcpdump.org "Link-layer header types") that code speaks of.
LINKTYPE_NULL = 0
LINKTYPE_ETHERNET = 1
LINKTYPE_IEEE802_5 = 6
LINKTYPE_FDDI = 10
LINKTYPE_RAW = 101
LINKTYPE_IEEE802_11 = 105
LINKTYPE_LOOP = 108
LINKTYPE_PFLOG = 117
LINKTYPE_ARCNET_LINUX = 129
LINKTYPE_NFLOG = 239
LINKTYPE_PKTAP = 258
# LINK_TYPE is NO_IP once a frame of another is known to hold no IP.
NO_IP = -1
NO_LINK_TYPE = -2  # one of another numbering that has no counterpart

# What stands for an ethertype in the table of link types where there is none.
IP_BY_VERSION = 0xFFFF  # IPv4 or IPv6, as the first nibble says
OWN_KERNEL = -1  # no header of fixed size: read by a function in kernels/decode/links.py
LEFT_TO_SCAPY = -2

# Every link type that we know: its name at tcpdump.org, how many bytes stand before the packet, and what tells the
# packet's protocol: below SMALLEST_ETHERTYPE, where among those bytes the ethertype stands; from there on, the
# ethertype that all frames of this link type would have.
LINK_TYPES = {
    LINKTYPE_NULL: ("NULL", 0, OWN_KERNEL),
    LINKTYPE_ETHERNET: ("ETHERNET", 14, 12),
    LINKTYPE_IEEE802_5: ("IEEE802_5", 0, OWN_KERNEL),
    9: ("PPP", 0, ETHERTYPE_PPP),
    LINKTYPE_FDDI: ("FDDI", 0, OWN_KERNEL),
    12: ("RAW", 0, IP_BY_VERSION),  # DLT_RAW as Linux and BSD write it
    14: ("RAW", 0, IP_BY_VERSION),  # DLT_RAW as OpenBSD writes it
    50: ("PPP_HDLC", 0, ETHERTYPE_PPP),
    51: ("PPP_ETHER", 0, ETHERTYPE_PPPOE_SESSION),
    100: ("ATM_RFC1483", 0, ETHERTYPE_JUMBO_LLC),
    LINKTYPE_RAW: ("RAW", 0, IP_BY_VERSION),
    104: ("C_HDLC", 0, ETHERTYPE_PPP),
    LINKTYPE_IEEE802_11: ("IEEE802_11", 0, OWN_KERNEL),
    107: ("FRELAY", 0, ETHERTYPE_FRAME_RELAY),
    LINKTYPE_LOOP: ("LOOP", 0, OWN_KERNEL),
    109: ("ENC", 12, IP_BY_VERSION),  # behind family, SPI and flags of OpenBSD's IPsec
    113: ("LINUX_SLL", 16, 14),
    LINKTYPE_PFLOG: ("PFLOG", 0, OWN_KERNEL),
    119: ("IEEE802_11_PRISM", 0, LEFT_TO_SCAPY),
    122: ("IP_OVER_FC", 16, ETHERTYPE_JUMBO_LLC),  # behind two addresses of eight bytes (RFC 2625)
    123: ("SUNATM", 4, ETHERTYPE_JUMBO_LLC),  # behind the kind, and the channel
    127: ("IEEE802_11_RADIOTAP", 0, LEFT_TO_SCAPY),
    LINKTYPE_ARCNET_LINUX: ("ARCNET_LINUX", 0, OWN_KERNEL),
    138: ("APPLE_IP_OVER_IEEE1394", 18, 16),
    166: ("PPP_PPPD", 2, ETHERTYPE_PPP),  # direction stands where the address would
    192: ("PPI", 0, LEFT_TO_SCAPY),
    204: ("PPP_WITH_DIR", 1, ETHERTYPE_PPP),
    205: ("C_HDLC_WITH_DIR", 1, ETHERTYPE_PPP),
    206: ("FRELAY_WITH_DIR", 1, ETHERTYPE_FRAME_RELAY),
    219: ("MPLS", 0, ETHERTYPE_MPLS),
    228: ("IPV4", 0, IP_BY_VERSION),
    229: ("IPV6", 0, IP_BY_VERSION),
    LINKTYPE_NFLOG: ("NFLOG", 0, OWN_KERNEL),
    240: ("NETANALYZER", 4 + 14, 4 + 12),
    242: ("IPOIB", 44, 40),  # behind a global route header
    LINKTYPE_PKTAP: ("PKTAP", 0, OWN_KERNEL),
    274: ("ETHERNET_MPACKET", 8 + 14, 8 + 12),  # behind the preamble
    276: ("LINUX_SLL2", 20, 0),
    # What a switch tells its CPU: before the frame, or between addresses and ethertype (Linux net/dsa).
    281: ("DSA_TAG_BRCM", 4 + 14, 4 + 12),
    282: ("DSA_TAG_BRCM_PREPEND", 4 + 14, 4 + 12),
    283: ("DSA_TAG_DSA", 4 + 14, 4 + 12),
    284: ("DSA_TAG_EDSA", 8 + 14, 8 + 12),
}
DECODED_LINK_TYPES = frozenset(number for number, row in LINK_TYPES.items() if row[2] != LEFT_TO_SCAPY)
DECODED_NAMES = frozenset(LINK_TYPES[number][0] for number in DECODED_LINK_TYPES)
# For kernels, by number: the bytes before the packet, and what tells its protocol.
_ROWS = [LINK_TYPES.get(number, ("", 0, LEFT_TO_SCAPY)) for number in range(max(LINK_TYPES) + 1)]
LINK_HEADERS = tuple(header for _, header, _ in _ROWS)
LINK_PROTOCOLS = tuple(protocol for _, _, protocol in _ROWS)


def link_type_name(number: int) -> str:
    """The link type's name as tcpdump.org lists it, without LINKTYPE_; its number where we know no name."""
    return LINK_TYPES[number][0] if number in LINK_TYPES else str(number)


# 802.2: source and destination service access points.
LLC_IP = 0x0606
LLC_SNAP = 0xAAAA

# Network layer protocol identifiers (RFC 2427 3).
NLPID_SNAP = 0x80
NLPID_IPV6 = 0x8E
NLPID_IPV4 = 0xCC

# PPP DLL protocol numbers (IANA), and what stands before them: address and control (RFC 1662 3.1), or Cisco's own.
PPP_IPV4 = 0x0021
PPP_IPV6 = 0x0057
PPP_MPLS = 0x0281
PPP_MPLS_MULTICAST = 0x0283
PPP_ADDRESS_CONTROL = 0xFF03
CISCO_HDLC_UNICAST = 0x0F00
CISCO_HDLC_MULTICAST = 0x8F00

ARCNET_IPV4 = 212  # RFC 1201; 240 in RFC 1051, without its header of fragments
ARCNET_IPV4_OLD = 240
NFLOG_PAYLOAD = 9  # LINKTYPE_NFLOG: the attribute that holds the packet

# Address families in NULL and LOOP headers: 2 everywhere; IPv6 is 24 (NetBSD, OpenBSD), 28 (FreeBSD), 30 (macOS),
# 10 (Linux).
AF_INET = 2
AF_INET6 = (10, 24, 28, 30)

# IP protocol numbers (IANA); the extension headers of IPv6 (RFC 8200 4.1) share the number space.
IPPROTO_HOPOPTS = 0
IPPROTO_ICMP = 1
IPPROTO_IPV4 = 4
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_IPV6 = 41
IPPROTO_ROUTING = 43
IPPROTO_FRAGMENT = 44
IPPROTO_GRE = 47
IPPROTO_AH = 51
IPPROTO_ICMPV6 = 58
IPPROTO_DSTOPTS = 60
IPPROTO_ETHERIP = 97  # RFC 3378
IPPROTO_MOBILITY = 135
IPPROTO_MPLS = 137

# TCP ports (IANA, Service Name and Transport Protocol Port Number Registry; some are in use under another name than
# there) that tell the server of a connection whose beginning was not captured, though other hosts take their clients'
# ports from the same range. All below PORTS_RESERVED do; from there to 1023 some are clients' (bindresvport, glibc
# sunrpc/bindrsvprt.c).
PORTS_RESERVED = 600
SERVICE_PORTS = (
    *(631, 636, 646, 853, 873, 902, 989, 990, 992, 993, 995),
    *(1080, 1194, 1352, 1433, 1494, 1521, 1723, 1883, 2049, 2179, 2181, 2222, 2375, 2376, 2379, 2380, 2404, 2598, 2775),
    *(3000, 3128, 3260, 3268, 3269, 3306, 3389, 3690, 3868, 4190, 4222, 4369, 4444, 4505, 4506, 4840, 5000),
    *(5060, 5061, 5222, 5269, 5432, 5601, 5671, 5672, 5900, 5938, 5984, 5985, 5986, 6379, 6443, 6514, 6667, 6697),
    *(7000, 7001, 7687, 8000, 8008, 8080, 8081, 8086, 8088, 8090, 8443, 8500, 8883, 8888, 9000, 9042, 9090, 9092),
    *(9100, 9200, 9300, 9418, 9443, 10_000, 10_050, 10_051, 11_211, 18_245, 19_999, 20_000, 25_565, 27_017),
    *(34_962, 34_964, 44_818, 50_000),
)
# Where clients take their ports from: Windows until XP and old BSD, Linux, and what RFC 6335 6 leaves for it.
EPHEMERAL_XP = (1025, 5000)
EPHEMERAL_LINUX = (32_768, 60_999)
EPHEMERAL_IANA = (49_152, 65_535)

# UDP ports of tunnels (IANA; 8472 is what Linux used for VXLAN before 4789 was assigned, and flannel and Cilium do).
PORT_L2TP = 1701
PORT_GTP_U = 2152
PORT_TEREDO = 3544
PORT_VXLAN = 4789
PORT_VXLAN_GPE = 4790
PORT_CAPWAP_DATA = 5247
PORT_GENEVE = 6081
PORT_MPLS = 6635
PORT_VXLAN_LINUX = 8472
PORT_TZSP = 37008  # TaZmen's, not IANA's: what MikroTik's sniffer streams

# ICMP messages that quote the packet they are about (RFC 792, RFC 4443).
ICMP_UNREACHABLE = 3
ICMP_SOURCE_QUENCH = 4
ICMP_TIME_EXCEEDED = 11
ICMP_PARAMETER_PROBLEM = 12
ICMPV6_LAST_ERROR = 127  # types 0 to 127 are errors
ICMP_HEADER_SIZE = 8
