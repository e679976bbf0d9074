"""ICMP errors about a connection: which, from whom, how often."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from analyzer.diagnose.phrases import times
from analyzer.model.columns import Facts
from analyzer.tables.fields import EVENT_COUNT, EVENT_FRAME, EVENT_ICMP, EVENT_KIND, EVENT_SINCE, EVENT_WHY, ICMPV6

# RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1; RFC 4443.
NAMES = {
    (4, 3, 0): "network unreachable",
    (4, 3, 1): "host unreachable",
    (4, 3, 2): "protocol unreachable",
    (4, 3, 3): "port unreachable",
    (4, 3, 4): "fragmentation needed",
    (4, 3, 6): "network unknown",
    (4, 3, 7): "host unknown",
    (4, 3, 9): "network prohibited",
    (4, 3, 10): "host prohibited",
    (4, 3, 13): "administratively prohibited",
    (4, 11, 0): "TTL exceeded",
    (6, 1, 0): "no route",
    (6, 1, 1): "administratively prohibited",
    (6, 1, 3): "address unreachable",
    (6, 1, 4): "port unreachable",
    (6, 2, 0): "packet too big",
    (6, 3, 0): "hop limit exceeded",
}
WORD = (1 << 64) - 1


class PathError(NamedTuple):
    """ICMP errors of one kind from one sender."""

    says: str
    sender: str
    number: int
    frames: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.sender} replied {times(self.number)} with {self.says}"


def path_errors(facts: Facts, stream: int) -> list[PathError]:
    """Those about one connection, the most frequent first; at most as many as are logged of one."""
    found: dict[tuple[str, str], list[int]] = {}
    for event in facts.events_of(stream).tolist():
        if event[EVENT_KIND] == EVENT_ICMP:
            found.setdefault((_says(event[EVENT_WHY]), _address(event)), []).append(event[EVENT_FRAME])
    errors = [PathError(says, sender, len(frames), tuple(frames)) for (says, sender), frames in found.items()]
    return sorted(errors, key=lambda error: -error.number)


def _says(kind: int) -> str:
    version = 6 if kind >= ICMPV6 else 4
    number = (kind - 1) & 0xFFFF
    name = NAMES.get((version, number >> 8, number & 0xFF))
    return f"ICMP{'v6' if version == 6 else ''} type {number >> 8} code {number & 0xFF}" + (
        f" ({name})" if name else ""
    )


def _address(event: list[int]) -> str:
    address = ipaddress.IPv6Address((event[EVENT_SINCE] & WORD) << 64 | (event[EVENT_COUNT] & WORD))
    return str(address.ipv4_mapped or address)
