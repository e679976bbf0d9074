"""Frames with a TCP segment in every tunnel, built by scapy; by hand where scapy has no such layer."""

from __future__ import annotations

import importlib
import logging
import struct
from functools import cache
from typing import Any

from frames_in_bytes import ethernet, ipv4, tcp


def layer(module: str, name: str) -> Any:
    """One of scapy's layers: its types say nothing that a test could use."""
    logging.getLogger("scapy").setLevel(logging.CRITICAL)
    return getattr(importlib.import_module(f"scapy.{module}"), name)


GENEVE, GeneveOptions = (layer("contrib.geneve", name) for name in ("GENEVE", "GeneveOptions"))
GTP, GTPSession = (layer("contrib.gtp", name) for name in ("GTP_U_Header", "GTPPDUSessionContainer"))
ERSPAN_II, ERSPAN_III, ERSPANPlatform = (
    layer("contrib.erspan", name) for name in ("ERSPAN_II", "ERSPAN_III", "ERSPAN_PlatformSpecific")
)
MPLS, VXLAN, AH = layer("contrib.mpls", "MPLS"), layer("layers.vxlan", "VXLAN"), layer("layers.ipsec", "AH")
Dot11, Dot11QoS, RadioTap = (layer("layers.dot11", name) for name in ("Dot11", "Dot11QoS", "RadioTap"))
IP, TCP, UDP = (layer("layers.inet", name) for name in ("IP", "TCP", "UDP"))
IPv6 = layer("layers.inet6", "IPv6")
Ether, Dot1Q, Dot1AD, GRE, LLC, SNAP = (
    layer("layers.l2", name) for name in ("Ether", "Dot1Q", "Dot1AD", "GRE", "LLC", "SNAP")
)
PPP, PPPoE = layer("layers.ppp", "PPP"), layer("layers.ppp", "PPPoE")

CLIENT, SERVER, CLIENT6, SERVER6 = "10.1.2.3", "10.4.5.6", "2001:db8:1::3", "2001:db8:2::6"
SEQ, PAYLOAD = 77, b"inside"
OUTER, OUTER6 = IP(src="192.0.2.1", dst="192.0.2.2"), IPv6(src="2001:db8::1", dst="2001:db8::2")
SEGMENT = TCP(sport=40001, dport=7000, flags="A", seq=SEQ, ack=5) / PAYLOAD
V4 = IP(src=CLIENT, dst=SERVER) / SEGMENT
V6 = IPv6(src=CLIENT6, dst=SERVER6) / SEGMENT
FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
AUTHENTICATED = AH(spi=1, seq=2, icv=b"x" * 12, payloadlen=4, nh=6) / SEGMENT
INNER4, INNER6 = FRAME / V4, FRAME / V6
WIRELESS = Dot11(type=2, subtype=8, FCfield=1) / Dot11QoS() / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP()


def gtp_u(**fields: Any) -> Any:
    return OUTER / UDP(sport=2152, dport=2152) / GTP(teid=7, gtp_type=255, **fields)


def capwap(inner: bytes, header: str) -> bytes:
    """RFC 5415 4.3, with a header of this many words as hexadecimal."""
    return bytes(OUTER / UDP(sport=5247, dport=5247) / (bytes.fromhex(header) + inner))


@cache
def tunnels() -> dict[str, tuple[bytes, bool, str | None]]:
    """By name: what follows the Ethernet header of the frame, whether IPv6 is inside, and the tunnel's name."""
    cases: dict[str, tuple[Any, bool, str | None]] = {
        "gre": (OUTER / GRE() / V4, False, None),
        "gre-v6-inside": (OUTER / GRE() / V6, True, None),
        "gre-over-v6": (OUTER6 / GRE() / V4, False, None),
        "gre-key": (OUTER / GRE(key_present=1, key=0xFFFFFFFE) / V4, False, "gre 4294967294"),
        "gre-all": (OUTER / GRE(chksum_present=1, key_present=1, key=9, seqnum_present=1) / V4, False, "gre 9"),
        "gre-ethernet": (OUTER / GRE(proto=0x6558, key_present=1, key=5) / INNER6, True, "gre 5"),
        "gre-mpls": (OUTER / GRE(proto=0x8847) / MPLS(label=3, s=1, ttl=4) / V4, False, None),
        "erspan-1": (OUTER / GRE(proto=0x88BE) / INNER4, False, None),
        "erspan-2": (OUTER / GRE(proto=0x88BE, seqnum_present=1) / ERSPAN_II(session_id=99) / INNER4, False, "gre 99"),
        "erspan-3": (OUTER / GRE(proto=0x22EB, seqnum_present=1) / ERSPAN_III(session_id=1023) / INNER4, False,
                     "gre 1023"),
        "erspan-3-platform": (
            OUTER / GRE(proto=0x22EB, seqnum_present=1) / ERSPAN_III(session_id=3, o=1) / ERSPANPlatform()
            / INNER6, True, "gre 3"),
        "pptp": (
            IP(src="192.0.2.1", dst="192.0.2.2", proto=47) / struct.pack("!HHHHII", 0x3081, 0x880B, 60, 1, 7, 8)
            / b"\xff\x03\x00\x21" / V4, False, None),
        "ip-in-ip": (OUTER / V4, False, None),
        "6-in-4": (OUTER / V6, True, None),
        "4-in-6": (OUTER6 / V4, False, None),
        "6-in-6": (OUTER6 / V6, True, None),
        "vxlan": (OUTER / UDP(dport=4789) / VXLAN(vni=42, flags="Instance") / INNER4, False, "vxlan 42"),
        "vxlan-8472": (OUTER6 / UDP(dport=8472) / VXLAN(vni=0xFFFFFF, flags="Instance") / INNER6, True,
                       "vxlan 16777215"),
        "vxlan-vlan": (OUTER / UDP(dport=4789) / VXLAN(vni=1, flags="Instance") / FRAME / Dot1Q(vlan=3) / V4, False,
                       "vxlan 1"),
        "geneve": (OUTER / UDP(dport=6081) / GENEVE(vni=17, proto=0x6558) / INNER4, False, "geneve 17"),
        "geneve-ip": (OUTER / UDP(dport=6081) / GENEVE(vni=18, proto=0x0800) / V4, False, "geneve 18"),
        "geneve-options": (
            OUTER / UDP(dport=6081)
            / GENEVE(vni=19, proto=0x6558, options=[GeneveOptions(classid=1, type=2, data=b"12345678")]) / INNER6,
            True, "geneve 19"),
        "gtp-u": (gtp_u() / V4, False, None),
        "gtp-u-sequence": (gtp_u(S=1, seq=9) / V6, True, None),
        "gtp-u-extension": (gtp_u(E=1, next_ex=0x85) / GTPSession(type=0, QFI=5) / V4, False, None),
        "ah": (IP(src=CLIENT, dst=SERVER) / AUTHENTICATED, False, None),
        "ah-6": (IPv6(src=CLIENT6, dst=SERVER6) / AUTHENTICATED, True, None),
        "vxlan-in-gre": (
            OUTER / GRE(key_present=1, key=4) / OUTER6 / UDP(dport=4789) / VXLAN(vni=8, flags="Instance") / INNER4,
            False, "vxlan 8"),
        "capwap-802.3": (capwap(bytes(INNER4), "0010000000000000"), False, None),
        "capwap-802.11": (capwap(bytes(WIRELESS / V4), "0020032000000000" + "04bf230000000000"), False, None),
    }  # fmt: skip
    return {name: (bytes(packet), six, tunnel) for name, (packet, six, tunnel) in cases.items()}


@cache
def links() -> dict[str, tuple[bytes, bool]]:
    """By name: a whole Ethernet frame with tags, labels or sessions, and whether IPv6 is inside."""
    wire = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
    outer = Ether(**wire)
    cases = {
        "qinq": (outer / Dot1AD(vlan=2) / Dot1Q(vlan=3) / V4, False),
        "qinq-9100": (Ether(**wire, type=0x9100) / Dot1Q(vlan=3, type=0x8100) / Dot1Q(vlan=4) / V6, True),
        "mpls": (outer / MPLS(label=16, s=1, ttl=9) / V4, False),
        "mpls-3": (outer / MPLS(label=16, s=0) / MPLS(label=17, s=0) / MPLS(label=18, s=1) / V6, True),
        "mpls-ethernet": (outer / MPLS(label=16, s=1) / bytes(INNER4), False),
        "mpls-control-word": (outer / MPLS(label=16, s=1) / (bytes(4) + bytes(INNER6)), True),
        "pppoe": (outer / PPPoE(sessionid=5) / PPP(proto=0x21) / V4, False),
        "pppoe-6": (outer / PPPoE(sessionid=5) / PPP(proto=0x57) / V6, True),
        "vlan-pppoe": (outer / Dot1Q(vlan=7) / PPPoE(sessionid=5) / PPP(proto=0x21) / V4, False),
        "snap": (
            bytes.fromhex("020000000002020000000001") + struct.pack("!H", len(V4) + 8)
            + bytes.fromhex("aaaa030000000800") + bytes(V4), False),
        "backbone": (bytes.fromhex("02000000000202000000000188e700123456") + bytes(INNER4), False),
        "fabricpath": (bytes.fromhex("02000000000202000000000189030001") + bytes(INNER4), False),
    }  # fmt: skip
    return {name: (bytes(frame), six) for name, (frame, six) in cases.items()}


def radiotap(packet: Any) -> bytes:
    """A frame as a monitoring interface captures it."""
    return bytes(RadioTap() / WIRELESS / packet)


def conversation(vni: int | None, first: int) -> list[bytes]:
    """Ten segments of one connection, in VXLAN or not, with numbers from `first` on."""
    frames = []
    for i in range(5):
        for by_client in (True, False):
            ports = (40001, 7000) if by_client else (7000, 40001)
            addresses = (CLIENT, SERVER) if by_client else (SERVER, CLIENT)
            seq, ack = first + 10 * i, first + 5000 + 10 * i
            if not by_client:
                seq, ack = ack, seq + 10
            segment = tcp(*ports, seq=seq, ack=ack, payload=b"0123456789")
            packet = ipv4(segment, source=addresses[0], destination=addresses[1], identification=i + 1)
            frame = ethernet(packet)
            if vni is not None:
                inner = VXLAN(vni=vni, flags="Instance") / frame
                frame = ethernet(bytes(OUTER / UDP(dport=4789) / inner))
            frames.append(frame)
    return frames
