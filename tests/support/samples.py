"""What is tried of recordings and of bytes: a sample that holds each kind, or with KEEPALIVE_LONG=1 everything."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captures_in_bytes import SECTION_HEADER, boundaries
from results import CAPTURES

LONG = os.environ.get("KEEPALIVE_LONG") == "1"
PCAPNG = SECTION_HEADER.to_bytes(4, "little")
ALL_OF_THE_FIRST = 2048 if LONG else 128  # bytes: the second has a file's own header, and the head of its first record
RECORDS = 100
AROUND = (-1, 0, 1, 7, 8, 15, 16)  # a record's end; kind and length of a pcapng block; head of a pcap record


def _kinds(capture: Path) -> Iterator[tuple[Any, ...]]:
    """What of a recording others may lack: how it is written, what it shows, and what is said of that."""
    octets = capture.read_bytes()
    yield "file", octets[:4]
    if octets[:4] != PCAPNG:
        # Of the first packet, were it Ethernet: what comes next, and what comes after an IPv4 or IPv6 header.
        yield "packet", octets[20:24], octets[52:54], octets[60], octets[63]
    truth = json.loads((capture.parent / "truth.json").read_text(encoding="utf-8"))
    yield from (("finding", finding) for finding in truth["findings"])
    for one in truth["connections"]:
        yield "verdict", one["verdict"]
        yield "ending", *one["ending"].values()
        yield "opening", one["handshake"], one["roles"]
        yield "states", *one["state"].values()


def of_each(*aspects: str) -> list[Path]:
    """Recordings, small ones rather than large, among which is every kind that there is among all, in these aspects."""
    if LONG:
        return CAPTURES
    seen: set[tuple[Any, ...]] = set()
    chosen = []
    for capture in sorted(CAPTURES, key=lambda path: (path.stat().st_size, path)):
        kinds = {kind for kind in _kinds(capture) if not aspects or kind[0] in aspects}
        if kinds - seen:
            chosen.append(capture)
            seen |= kinds
    return sorted(chosen)


def _each(captures: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("capture", captures, ids=lambda path: path.parent.name)


OF_EACH_KIND = of_each()
CAPTURES_OF_EACH_KIND = _each(OF_EACH_KIND)
CAPTURES_OF_EACH_VERDICT = _each(of_each("verdict"))


def edges(octets: bytes) -> list[int]:
    """Places in a capture: around the ends of all records and of their heads, and everywhere in the first."""
    places = {begin + by for begin in boundaries(octets)[:RECORDS] for by in AROUND} | set(range(ALL_OF_THE_FIRST))
    return sorted(place for place in places if 0 <= place <= len(octets))
