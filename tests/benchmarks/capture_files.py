"""Render TCP segments as a pcap or pcapng file of Ethernet frames."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from conversations import CLIENT, SERVER, Booleans, Integers, Table
from segments import SYN

# 2026-01-05T00:00:00Z
CAPTURE_START_NS = 1_767_571_200 * 1_000_000_000
CHUNK_BYTES = 16_000_000
ETHERNET, VLAN_TAG, IPV4, IPV6, TCP = 14, 4, 20, 40, 20
SYN_OPTIONS, TIMESTAMPS_OPTION = 20, 12
MTU = 1500
TTL = {CLIENT: 64, SERVER: 57}
SYN_WINDOW, SCALED_WINDOW = 64240, 502
PCAP_RECORD, EPB_HEADER, EPB_TRAILER = 16, 28, 4
LINKTYPE_ETHERNET = 1
# Ethernet, IPv4, UDP to VXLAN's port and a VXLAN header with the identifier 42 (RFC 7348); lengths are filled in.
OUTER = (
    struct.pack(">6s6sH", b"\2\0\0\0\0\4", b"\2\0\0\0\0\3", 0x0800)
    + struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 0, 0x4000, 64, 17, 0, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
    + struct.pack(">HHHH", 50000, 4789, 0, 0)
    + struct.pack(">II", 0x08000000, 42 << 8)
)
OUTER_IP_LENGTH, OUTER_UDP_LENGTH = 16, 38


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """Shape of the frames and of the file that holds them; snaplen in bytes."""

    snaplen: int
    ipv6: bool
    vlan: bool
    pcapng: bool
    vxlan: bool = False

    @property
    def inner_at(self) -> int:
        """Offset of the Ethernet frame that the tunnel carries; 0 without one."""
        return len(OUTER) * self.vxlan

    @property
    def ip_at(self) -> int:
        """Offset of the IP header in the frame."""
        return self.inner_at + ETHERNET + VLAN_TAG * self.vlan

    @property
    def tcp_at(self) -> int:
        """Offset of the TCP header in the frame."""
        return self.ip_at + (IPV6 if self.ipv6 else IPV4)

    @property
    def longest_header(self) -> int:
        """Bytes before the payload of a SYN, the least snaplen that cuts no header."""
        return self.tcp_at + TCP + SYN_OPTIONS

    @property
    def record_header(self) -> int:
        """Bytes before the frame in a packet record."""
        return EPB_HEADER if self.pcapng else PCAP_RECORD

    @property
    def mss(self) -> int:
        """The MSS option's value, which leaves the TCP options out of account (RFC 9293, 3.7.1)."""
        return MTU - TCP - (IPV6 if self.ipv6 else IPV4)

    @property
    def largest_payload(self) -> int:
        """Bytes of payload in a full segment."""
        return self.mss - TIMESTAMPS_OPTION


def write_capture(path: Path, frame: FrameFormat, plan: Table, segments: Table) -> None:
    """Write the segments to a file in time order."""
    order = np.argsort(segments["time_ns"], kind="stable")
    rows = max(1, CHUNK_BYTES // (frame.record_header + frame.snaplen))
    with path.open("wb") as file:
        file.write(pcapng_header(frame) if frame.pcapng else pcap_header(frame))
        for start in range(0, len(order), rows):
            file.write(render(frame, plan, segments[order[start : start + rows]]))


def pcap_header(frame: FrameFormat) -> bytes:
    """Return the file header of a microsecond pcap."""
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, frame.snaplen, LINKTYPE_ETHERNET)


def pcapng_header(frame: FrameFormat) -> bytes:
    """Return a section header and the description of one interface with nanosecond timestamps."""
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    if_tsresol = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
    interface = struct.pack("<IIHHI", 1, 32, LINKTYPE_ETHERNET, 0, frame.snaplen)
    return section + interface + if_tsresol + struct.pack("<I", 32)


def record_fields(frame: FrameFormat) -> Iterator[tuple[str, str, int]]:
    """Yield name, numpy format and offset of the fields of the packet record's header."""
    pcap = ("seconds", "fraction", "captured", "original")
    enhanced = ("block_type", "block_length", "interface", "time_high", "time_low", "captured", "original")
    for number, name in enumerate(enhanced if frame.pcapng else pcap):
        yield name, "<u4", 4 * number


def frame_fields(frame: FrameFormat) -> Iterator[tuple[str, str, int]]:
    """Yield name, numpy format and offset in the frame of every header field that is filled in."""
    ip, tcp = frame.ip_at, frame.tcp_at
    inner = frame.inner_at
    yield from (("mac_destination", "S6", inner), ("mac_source", "S6", inner + 6), ("ethertype", ">u2", ip - 2))
    if frame.vxlan:
        yield from (("outer_length", ">u2", OUTER_IP_LENGTH), ("udp_length", ">u2", OUTER_UDP_LENGTH))
    if frame.vlan:
        yield from (("tpid", ">u2", inner + 12), ("vlan", ">u2", inner + 14))
    if frame.ipv6:
        yield from (("version", "u1", ip), ("length", ">u2", ip + 4), ("protocol", "u1", ip + 6))
        yield from (("ttl", "u1", ip + 7), ("source", ">u4", ip + 20), ("destination", ">u4", ip + 36))
        yield from (("source_prefix", ">u4", ip + 8), ("destination_prefix", ">u4", ip + 24))
    else:
        yield from (("version", "u1", ip), ("length", ">u2", ip + 2), ("ip_id", ">u2", ip + 4))
        yield from (("fragment", ">u2", ip + 6), ("ttl", "u1", ip + 8), ("protocol", "u1", ip + 9))
        yield from (("checksum", ">u2", ip + 10), ("source", ">u4", ip + 12), ("destination", ">u4", ip + 16))
    yield from (("source_port", ">u2", tcp), ("destination_port", ">u2", tcp + 2), ("seq", ">u4", tcp + 4))
    yield from (("ack", ">u4", tcp + 8), ("tcp_header", "u1", tcp + 12), ("flags", "u1", tcp + 13))
    yield from (("window", ">u2", tcp + 14), ("options", ">u4", tcp + 20))
    yield from (("tsval", ">u4", tcp + 24), ("tsecr", ">u4", tcp + 28))


def row_layout(frame: FrameFormat) -> np.dtype[np.void]:
    """Return the dtype of one packet record, padded to the longest that the snaplen allows."""
    ahead = frame.record_header
    fields = [*record_fields(frame), *((name, kind, ahead + at) for name, kind, at in frame_fields(frame))]
    width = ahead + -(-frame.snaplen // 4) * 4 + EPB_TRAILER * frame.pcapng
    names, formats, offsets = zip(*fields, strict=True)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": width})


def render(frame: FrameFormat, plan: Table, segments: Table) -> memoryview:
    """Return the packet records of the segments as bytes."""
    layout = row_layout(frame)
    # The payload stays zero: snapped, it is nothing that tshark's dissectors of these ports call malformed.
    grid = np.zeros((len(segments), layout.itemsize), dtype=np.uint8)
    if frame.vxlan:
        grid[:, frame.record_header : frame.record_header + len(OUTER)] = np.frombuffer(OUTER, np.uint8)
    rows: Table = grid.view(layout)[:, 0]
    syn = (segments["flags"] & SYN) != 0
    headers = frame.tcp_at + TCP + np.where(syn, SYN_OPTIONS, TIMESTAMPS_OPTION)
    original = headers + segments["payload"].astype(np.int64)
    captured = np.minimum(original, frame.snaplen)
    fill_ip(frame, plan, segments, original, rows)
    if frame.vxlan:
        rows["outer_length"], rows["udp_length"] = original - OUTER_IP_LENGTH + 2, original - OUTER_UDP_LENGTH + 4
    fill_tcp(plan, segments, syn, rows)
    fill_syn_options(frame, segments[syn], syn, grid)
    fill_record(frame, segments, original, captured, rows)
    return pack_rows(frame, grid, captured)


def fill_ip(frame: FrameFormat, plan: Table, segments: Table, original: Integers, rows: Table) -> None:
    """Fill in the Ethernet and IP headers."""
    connection, side = segments["connection"], segments["side"]
    client_mac, server_mac = b"\x02\x00\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\x02"
    rows["mac_source"] = np.where(side == SERVER, server_mac, client_mac)
    rows["mac_destination"] = np.where(side == SERVER, client_mac, server_mac)
    if frame.vlan:
        rows["tpid"], rows["vlan"] = 0x8100, 100
    rows["source"] = plan["address"][connection, side]
    rows["destination"] = plan["address"][connection, 1 - side]
    rows["ttl"] = np.where(side == SERVER, TTL[SERVER], TTL[CLIENT])
    rows["protocol"] = 6
    if frame.ipv6:
        rows["ethertype"], rows["version"] = 0x86DD, 0x60
        rows["length"] = original - frame.tcp_at
        # The documentation prefix of RFC 3849, with the IPv4 address as the last 32 bits.
        rows["source_prefix"] = rows["destination_prefix"] = 0x20010DB8
    else:
        rows["ethertype"], rows["version"] = 0x0800, 0x45
        rows["length"] = original - frame.ip_at
        rows["ip_id"], rows["fragment"] = segments["ip_id"], 0x4000
        rows["checksum"] = ipv4_checksum(rows)


def ipv4_checksum(rows: Table) -> npt.NDArray[np.int64]:
    """Return the header checksum of every row (RFC 1071)."""
    total = 0x4500 + rows["length"].astype(np.int64) + rows["ip_id"] + rows["fragment"]
    total += rows["ttl"].astype(np.int64) * 256 + rows["protocol"]
    for address in (rows["source"].astype(np.int64), rows["destination"].astype(np.int64)):
        total += (address >> 16) + (address & 0xFFFF)
    total = (total >> 16) + (total & 0xFFFF)
    total = (total >> 16) + (total & 0xFFFF)
    checksum: npt.NDArray[np.int64] = ~total & 0xFFFF
    return checksum


def fill_tcp(plan: Table, segments: Table, syn: Booleans, rows: Table) -> None:
    """Fill in the TCP headers; the checksum stays 0, as no snapped payload could confirm it."""
    connection, side = segments["connection"], segments["side"]
    rows["source_port"] = plan["port"][connection, side]
    rows["destination_port"] = plan["port"][connection, 1 - side]
    for name in ("seq", "ack", "flags", "tsval", "tsecr"):
        rows[name] = segments[name]
    rows["tcp_header"] = np.where(syn, (TCP + SYN_OPTIONS) << 2, (TCP + TIMESTAMPS_OPTION) << 2)
    rows["window"] = np.where(syn, SYN_WINDOW, SCALED_WINDOW)
    # Two NOPs align the timestamps option (RFC 7323, appendix A).
    rows["options"] = 0x0101080A


def fill_syn_options(frame: FrameFormat, segments: Table, syn: Booleans, grid: npt.NDArray[np.uint8]) -> None:
    """Fill in the options of SYN segments in Linux's order: MSS, SACK-permitted, timestamps, wscale 7."""
    options = np.zeros((len(segments), 5), dtype=">u4")
    options[:, 0] = 0x02040000 | frame.mss
    options[:, 1] = 0x0402080A
    options[:, 2], options[:, 3] = segments["tsval"], segments["tsecr"]
    options[:, 4] = 0x01030307
    start = frame.record_header + frame.tcp_at + TCP
    grid[syn, start : start + SYN_OPTIONS] = options.view(np.uint8)


def fill_record(frame: FrameFormat, segments: Table, original: Integers, captured: Integers, rows: Table) -> None:
    """Fill in the packet record's header: capture time and the two lengths."""
    time_ns = segments["time_ns"] + CAPTURE_START_NS
    rows["captured"], rows["original"] = captured, original
    if frame.pcapng:
        rows["block_type"], rows["block_length"] = 6, EPB_HEADER + padded(captured) + EPB_TRAILER
        rows["time_high"], rows["time_low"] = time_ns >> 32, time_ns & 0xFFFFFFFF
    else:
        rows["seconds"], rows["fraction"] = time_ns // 1_000_000_000, time_ns % 1_000_000_000 // 1_000


def padded(length: Integers) -> Integers:
    """Return the lengths rounded up to whole 32-bit words, as pcapng blocks are."""
    return length + -length % 4


def pack_rows(frame: FrameFormat, grid: npt.NDArray[np.uint8], captured: Integers) -> memoryview:
    """Return the rows cut to their record lengths, one after the other."""
    lengths = frame.record_header + captured
    if frame.pcapng:
        lengths = frame.record_header + padded(captured) + EPB_TRAILER
    packed = grid[np.arange(grid.shape[1]) < lengths[:, np.newaxis]]
    if frame.pcapng:
        end_blocks(packed, np.cumsum(lengths), lengths, padded(captured) - captured)
    return packed.data


def end_blocks(packed: npt.NDArray[np.uint8], ends: Integers, lengths: Integers, padding: Integers) -> None:
    """Zero the padding of every enhanced packet block and repeat the block's length behind it."""
    for number in range(1, 4):
        packed[ends[padding >= number] - EPB_TRAILER - number] = 0
    trailer = lengths.astype("<u4").view(np.uint8).reshape(-1, EPB_TRAILER)
    for number in range(EPB_TRAILER):
        packed[ends - EPB_TRAILER + number] = trailer[:, number]
