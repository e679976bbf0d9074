"""Community ID: one text for a connection's addresses and ports, the same in Zeek, Suricata and here (version 1)."""

from __future__ import annotations

import base64
import hashlib
import socket

from analyzer.model.flows import Endpoint


def community_id(one: Endpoint, other: Endpoint, seed: int = 0) -> str:
    """`1:...`, the same from both ends (github.com/corelight/community-id-spec)."""
    ends = sorted((_octets(end.address), end.port.to_bytes(2)) for end in (one, other))
    (low, low_port), (high, high_port) = ends
    hashed = hashlib.sha1(
        seed.to_bytes(2) + low + high + bytes((socket.IPPROTO_TCP, 0)) + low_port + high_port, usedforsecurity=False
    )
    return "1:" + base64.b64encode(hashed.digest()).decode()


def _octets(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
