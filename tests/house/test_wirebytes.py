"""The bytes of made-up conversations are those that scapy makes of the same segments."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from conversation import Conversation
from hypothesis import given
from hypothesis import strategies as st
from noise import noise
from timelines import conversations
from wirebytes import WRAP, Encapsulation, Host, Segment, frame_bytes

logging.getLogger("scapy").setLevel(logging.CRITICAL)
from scapy.layers.inet import ICMP, IP, TCP  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    ICMPv6DestUnreach,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Dot1Q, Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402


def tcp_layers(segment: Segment) -> Any:
    tcp = TCP(
        sport=segment.source.port,
        dport=segment.target.port,
        seq=segment.seq % WRAP,
        ack=segment.ack % WRAP,
        flags=segment.flags,
        window=segment.window,
        options=segment.options,
    )
    ip: Any
    if segment.around.v6:
        ip = IPv6(src=segment.source.address, dst=segment.target.address, hlim=segment.source.ttl)
        if segment.around.extension_headers:
            ip = ip / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt()
    else:
        ip = IP(src=segment.source.address, dst=segment.target.address, ttl=segment.source.ttl, id=segment.ip_id)
    return ip / tcp / Raw(segment.payload) if segment.payload else ip / tcp


def icmp_layers(segment: Segment, about: Segment) -> Any:
    quoted = bytes(tcp_layers(about))
    if segment.around.v6:
        return IPv6(src=segment.source.address, dst=segment.target.address) / ICMPv6DestUnreach(code=3) / quoted
    return IP(src=segment.source.address, dst=segment.target.address) / ICMP(type=3, code=1) / quoted[:28]


def by_scapy(segment: Segment, copy: int) -> bytes:
    ether = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
    if segment.around.vlan is not None:
        ether = ether / Dot1Q(vlan=segment.around.vlan)
    layers = tcp_layers(segment) if segment.error_about is None else icmp_layers(segment, segment.error_about)
    if copy:
        name = "hlim" if segment.around.v6 else "ttl"
        setattr(layers, name, segment.source.ttl - copy)
    return bytes(ether / layers)


@given(talk=st.one_of(conversations(), noise()), copy=st.integers(0, 1), more=st.booleans())
def test_scapy_makes_the_same_octets(talk: Conversation, copy: int, more: bool) -> None:
    for segment in talk.segments:
        one = replace(segment, around=replace(segment.around, extension_headers=more))
        assert frame_bytes(one, copy) == by_scapy(one, copy)


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("vlan", [None, 7])
@pytest.mark.parametrize("copy", [0, 1])
@pytest.mark.parametrize(
    "options", [[], [("SAck", (5, 6, 9, 11))], [("WScale", 3), ("NOP", None), ("Timestamp", (1, 2))]]
)
def test_so_it_does_of_icmp_errors(v6: bool, vlan: int | None, copy: int, options: list[tuple[str, Any]]) -> None:
    ends = [Host(f"2001:db8::{n}" if v6 else f"192.0.2.{n}", 1000 * n, ttl=60 + n) for n in (1, 2, 3)]
    around = Encapsulation(v6=v6, vlan=vlan)
    asked = Segment(0, "client", ends[0], ends[1], "PA", WRAP + 5, payload=b"odd", options=options, around=around)
    error = Segment(1, "router", ends[2], ends[0], "", 0, around=around, error_about=asked)
    for segment in (asked, error):
        assert frame_bytes(segment, copy) == by_scapy(segment, copy)
