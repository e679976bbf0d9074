"""An independent judge: what scapy reads in a frame, in the words of our rows."""

from __future__ import annotations

import random
import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # scapy warns of ciphers that it will not need here
    from scapy.config import conf
    from scapy.layers.inet import IP, TCP, IPOption_Router_Alert
    from scapy.layers.inet6 import (
        IPv6,
        IPv6ExtHdrDestOpt,
        IPv6ExtHdrFragment,
        IPv6ExtHdrHopByHop,
        IPv6ExtHdrRouting,
    )
    from scapy.layers.l2 import CookedLinux, Dot1AD, Dot1Q, Ether
    from scapy.packet import Packet, Raw

conf.verb = 0
Facts = dict[str, Any]


def random_frame(rng: random.Random) -> tuple[int, bytes]:
    """A link type and a frame of it with TCP inside, as scapy builds it."""
    link, packet = _random_link(rng)
    packet = packet / _random_ip(rng) / _random_tcp(rng)
    if rng.random() < 0.6:
        packet = packet / Raw(rng.randbytes(rng.choice((1, 2, 10, 1400))))
    octets = bytes(packet)
    if link == 1 and rng.random() < 0.5:
        octets = octets.ljust(60, b"\xee")
    return link, octets


def judged(link: int, octets: bytes) -> Facts:
    """What scapy reads there."""
    readers: dict[int, Any] = {1: Ether, 101: _raw, 113: CookedLinux}
    packet = readers[link](octets)
    tcp = packet[TCP]
    over_ipv6 = IPv6 in packet
    ip = packet[IPv6] if over_ipv6 else packet[IP]
    options = dict(tcp.options)
    stamps = options.get("Timestamp", (0, 0))
    left, right = (options.get("SAck") or (0, 0))[:2]
    end = ip.plen + 40 if over_ipv6 else ip.len
    start = len(ip) - len(tcp) if not over_ipv6 else len(bytes(ip)) - len(bytes(tcp))
    return {
        "src": ip.src,
        "dst": ip.dst,
        "sport": tcp.sport,
        "dport": tcp.dport,
        "seq": tcp.seq,
        "ackno": tcp.ack,
        "flags": int(tcp.flags) & 0xFF,
        "len": end - start - tcp.dataofs * 4,
        "window": tcp.window,
        "ttl": ip.hlim if over_ipv6 else ip.ttl,
        "ip_id": -1 if over_ipv6 else ip.id,
        "tsval": stamps[0],
        "tsecr": stamps[1],
        "sack_left": left,
        "sack_right": right,
    }


def _raw(octets: bytes) -> Packet:
    return IPv6(octets) if octets[0] >> 4 == 6 else IP(octets)


def _random_link(rng: random.Random) -> tuple[int, Any]:
    link = rng.choice((1, 1, 1, 101, 113))
    if link == 113:
        return link, CookedLinux()
    if link == 101:
        return link, Raw()
    packet: Any = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for _ in range(rng.choice((0, 0, 1, 2))):
        packet = packet / rng.choice((Dot1Q, Dot1AD))(vlan=rng.randrange(4096))
    return link, packet


def _random_ip(rng: random.Random) -> Any:
    if rng.random() < 0.5:
        options = [IPOption_Router_Alert()] * rng.choice((0, 0, 1, 3))
        addresses = [".".join(str(rng.randrange(256)) for _ in range(4)) for _ in "ab"]
        return IP(src=addresses[0], dst=addresses[1], id=rng.randrange(65536), ttl=rng.randrange(256), options=options)
    words = [":".join(f"{rng.randrange(65536):x}" for _ in range(8)) for _ in "ab"]
    packet: Any = IPv6(src=words[0], dst=words[1], hlim=rng.randrange(256))
    for header in rng.sample((IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment), rng.randrange(3)):
        packet = packet / header()
    if rng.random() < 0.2:
        packet = packet / IPv6ExtHdrRouting(addresses=["2001:db8::9"], segleft=0)
    return packet


def _random_tcp(rng: random.Random) -> Any:
    def number() -> int:
        return rng.choice((rng.randrange(1 << 32), 0, 0xFFFFFFFF, 0x80000000))

    known = [("MSS", 1460), ("WScale", rng.randrange(15)), ("SAckOK", b""), ("Timestamp", (number(), number()))]
    known += [("NOP", None), ("NOP", None), ("SAck", (number(), number()))]
    options = rng.sample(known, rng.randrange(len(known)))
    return TCP(
        sport=rng.randrange(1, 65536),
        dport=rng.randrange(1, 65536),
        seq=number(),
        ack=number(),
        flags=rng.randrange(256),
        window=rng.randrange(65536),
        options=options,
    )
