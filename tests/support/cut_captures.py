"""Recordings cut into several files, also without what numbers their packets; results in which that must not show."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from captures_in_bytes import ETHERNET, Captured, enhanced, interface, pcap, section

from analyzer import analyze
from analyzer.capture import open_capture
from analyzer.kernels import plain
from analyzer.tables.fields import RECORD_SIZE

IPV4, IPV6, VLAN, TCP = 0x0800, 0x86DD, 0x8100, 6
END, NOP, TIMESTAMPS = 0, 1, 8


def packets_in(path: Path) -> list[Captured]:
    """All packets of a recording, as they were captured."""
    found = []
    for batch in open_capture(str(path), plain()).batches():
        for row in range(0, batch.size * RECORD_SIZE, RECORD_SIZE):
            offset, caplen, origlen, time, link = batch.rows[row : row + RECORD_SIZE]
            found.append(Captured(bytes(batch.buffer[offset : offset + caplen]), time, origlen, link))
    return found


def unnumbered(packets: Sequence[Captured]) -> list[Captured]:
    """The same without IP IDs and timestamps, where that is Ethernet and TCP right in IP; others as they are."""
    return [packet._replace(octets=_unnumbered(packet.octets)) for packet in packets if packet.link == ETHERNET]


def _unnumbered(octets: bytes) -> bytes:
    frame = bytearray(octets)
    at = 12
    while len(frame) >= at + 4 and struct.unpack_from(">H", frame, at)[0] == VLAN:
        at += 4
    kind, ip = struct.unpack_from(">H", frame, at)[0], at + 2
    if kind == IPV4 and len(frame) >= ip + 20 and frame[ip + 9] == TCP:
        frame[ip + 4 : ip + 6] = b"\0\0"
        tcp = ip + 4 * (frame[ip] & 0xF)
    elif kind == IPV6 and len(frame) >= ip + 40 and frame[ip + 6] == TCP:
        tcp = ip + 40
    else:
        return octets
    if len(frame) < tcp + 20:
        return bytes(frame)
    option, end = tcp + 20, min(tcp + 4 * (frame[tcp + 12] >> 4), len(frame))
    while option < end and frame[option] != END:
        if frame[option] == NOP:
            option += 1
            continue
        length = frame[option + 1] if option + 1 < end else 0
        if length < 2:
            break
        if frame[option] == TIMESTAMPS:
            frame[option : option + length] = bytes([NOP]) * length
        option += length
    return bytes(frame)


def cut(packets: Sequence[Captured], bounds: Sequence[int], folder: Path) -> list[Path]:
    """Files of the packets between these bounds, in order of name."""
    paths = []
    for number, (begin, end) in enumerate(pairwise([0, *sorted(bounds), len(packets)])):
        paths.append(folder / f"part-{number:03}.pcap")
        paths[-1].write_bytes(file_of(packets[begin:end]))
    return paths


def file_of(packets: Sequence[Captured]) -> bytes:
    """One capture file; pcapng where packets are of several link types."""
    links = sorted({packet.link for packet in packets})
    if len(links) < 2:
        return pcap(packets, nanoseconds=True, link=links[0] if links else ETHERNET)
    blocks = [section("<"), *(interface("<", link, tsresol=9) for link in links)]
    for packet in packets:
        blocks.append(enhanced("<", links.index(packet.link), packet.time, packet.octets, packet.wire_length))
    return b"".join(blocks)


def story(paths: Sequence[Path], **how: Any) -> dict[str, Any]:
    """What is said of these captures, with frames numbered through all files, and without what a file is called."""
    analysis = analyze(*map(str, paths), engine="plain", **how)
    whole = json.loads(analysis.to_json())
    before, counts = [0], []
    for capture in whole["captures"]:
        counts.append(capture["packets"])
        before.append(before[-1] + capture["packets"])

    def through(frame: Any) -> Any:
        if not isinstance(frame, str):
            return frame
        file, _, number = frame.partition(":")
        return before[int(file)] + int(number)

    def turn(node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            return {name: turn(value, name) for name, value in node.items() if name != "display_filter"}
        if isinstance(node, list):
            return [turn(value, key) for value in node]
        return through(node) if key in ("frame", "answer_frame", "frames") else node

    return {
        "flows": turn(whole["flows"]),
        "hosts": turn(whole["hosts"]),
        "findings": sorted((turn(one) for one in whole["findings"]), key=json.dumps),
        "duplicates": sum(capture["duplicates"] for capture in whole["captures"]),
        "joined": [capture["path"] for capture in whole["captures"] if capture["same_traffic_as"] is not None],
        "why": [capture["same_traffic_why"] for capture in whole["captures"] if capture["same_traffic_why"]],
    }


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two stories differ, some words each."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [line for name in one for line in differences(one[name], other.get(name), f"{where}.{name}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            line for i, pair in enumerate(zip(one, other, strict=True)) for line in differences(*pair, f"{where}[{i}]")
        ]
    return [] if one == other else [f"{where}: {str(one)[:200]} | {str(other)[:200]}"]
