"""What the kernels found and what the naive tracker found, in one shape to compare."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import naive
from naive_packets import Address
from wirebytes import PCAP_NANOSECONDS

from analyzer.decode import Decoder
from analyzer.kernels import Kernels
from analyzer.measure.flows import address_text
from analyzer.model.columns import Packets, Records, Tracks
from analyzer.tables import fields as layout
from analyzer.tcp import State
from analyzer.track import Tracker

ANSWERS = {layout.ANSWER_IMPLICIT: "data", layout.ANSWER_ACK: "ack", layout.ANSWER_RST: "rst"}
REASONS = {
    layout.RESET_ABORT: "abort",
    layout.RESET_REPLY_TO_PROBE: "reply_to_probe",
    layout.RESET_REPLY_TO_DATA: "reply_to_data",
    layout.RESET_GIVEN_UP: "given_up",
    layout.RESET_REFUSED: "refused",
    layout.RESET_REPLY_TO_ACK: "reply_to_ack",
}
HANDSHAKE = {
    layout.SAW_SYN: "syn",
    layout.SAW_SYN_ACK: "syn_ack",
    layout.SAW_ACK: "ack",
    layout.SAW_SERVER_SYN: "server_syn",
    layout.SAW_REFUSAL: "refusal",
    layout.OLDER_LIFE: "older_life",
    layout.OLDER_RESET: "older_reset",
    layout.CHALLENGED: "challenged",
}


@dataclass(frozen=True)
class SeenProbe:
    """A probe, by frame numbers."""

    frame: int
    sender: str
    answer: int | None
    kind: str | None
    icmp: bool
    proven: bool


@dataclass(frozen=True)
class SeenConnection:
    """One connection; pairs are (client, server)."""

    client: Address
    server: Address
    handshake: frozenset[str]
    states: tuple[State, State]
    packets: tuple[int, int]
    bytes: tuple[int, int]
    fins: tuple[int | None, int | None]
    reset: tuple[str, str] | None
    probes: tuple[SeenProbe, ...]


def from_naive(connection: naive.Connection) -> SeenConnection:
    """A connection of the naive tracker."""
    ends = (connection.client, connection.server)
    probes = [
        SeenProbe(
            probe.packet.frame,
            probe.sender,
            probe.answer.frame if probe.answer is not None else None,
            probe.kind,
            probe.icmp is not None,
            probe.proven,
        )
        for end in ends
        for probe in end.probes
    ]
    return SeenConnection(
        connection.client.address,
        connection.server.address,
        frozenset(connection.handshake),
        (ends[0].state, ends[1].state),
        (ends[0].packets, ends[1].packets),
        (ends[0].bytes, ends[1].bytes),
        (ends[0].fin_frame, ends[1].fin_frame),
        connection.first_reset,
        tuple(sorted(probes, key=lambda probe: probe.frame)),
    )


def from_tables(tracks: Tracks) -> list[SeenConnection]:
    """The connections of the tracker's tables."""
    probes: list[list[SeenProbe]] = [[] for _ in tracks.flows]
    for row in tracks.probes.tolist():
        if row[layout.PROBE_MARKS] & layout.REJECTED == 0:
            probes[row[layout.PROBE_WHO] >> layout.PROBER_SHIFT + 1].append(_probe(row))
    return [_connection(row, seen) for row, seen in zip(tracks.flows.tolist(), probes, strict=True)]


def _probe(row: list[int]) -> SeenProbe:
    return SeenProbe(
        row[layout.PROBE_FRAME],
        ("client", "server")[row[layout.PROBE_WHO] >> layout.PROBER_SHIFT & 1],
        row[layout.ANSWER_FRAME] or None,
        ANSWERS.get(row[layout.PROBE_MARKS] & layout.ANSWER),
        row[layout.PROBE_MARKS] & layout.QUOTED != 0,
        row[layout.PROBE_MARKS] & layout.HELD_BACK == 0,
    )


def _connection(row: list[int], probes: list[SeenProbe]) -> SeenConnection:
    low = (address_text(row[layout.LOW_HI], row[layout.LOW_LO]), row[layout.KEY_PORTS] >> 16)
    high = (address_text(row[layout.HIGH_HI], row[layout.HIGH_LO]), row[layout.KEY_PORTS] & 0xFFFF)
    x, y = layout.HEAD_SIZE, layout.HEAD_SIZE + layout.ENDPOINT_SIZE
    client_is_low = row[layout.ROLES] & layout.CLIENT_IS_LOW
    side = row[layout.RESET_SIDE]
    return SeenConnection(
        low if client_is_low else high,
        high if client_is_low else low,
        frozenset(word for bit, word in HANDSHAKE.items() if row[layout.HANDSHAKE] & bit),
        (State(row[x + layout.STATE]), State(row[y + layout.STATE])),
        (row[x + layout.PACKETS], row[y + layout.PACKETS]),
        (row[x + layout.BYTES], row[y + layout.BYTES]),
        (row[x + layout.FIN_FRAME] or None, row[y + layout.FIN_FRAME] or None),
        (("client", "server")[side - 1], REASONS[row[layout.RESET_WHY]]) if side else None,
        tuple(probes),
    )


def record_rows(capture: bytes) -> list[list[int]]:
    """Where each record of a pcap lies, as rows of layout.RECORD_*."""
    [magic] = struct.unpack("<I", capture[:4])
    [link] = struct.unpack("<I", capture[20:24])
    unit = 1 if magic == PCAP_NANOSECONDS else 1000
    rows = []
    at = 24
    while at < len(capture):
        seconds, fraction, caplen, origlen = struct.unpack("<IIII", capture[at : at + 16])
        rows.append([at + 16, caplen, origlen, seconds * 10**9 + fraction * unit, link])
        at += 16 + caplen
    return rows


def run_kernels(capture: bytes, engines: Sequence[Kernels], sizes: Sequence[int]) -> Tracks:
    """The tables of a capture fed in batches of these sizes, over and over, each with the next of these engines."""
    rows = record_rows(capture)
    decoder, tracker = Decoder(engines[0]), Tracker(engines[0])
    done = batch = 0
    while done < len(rows):
        kernels = engines[min(batch, len(engines) - 1)]
        decoder.use(kernels)
        tracker.use(kernels)
        part = rows[done : done + sizes[batch % len(sizes)]]
        tracker.feed(decoder.feed(_records(capture, part, done, kernels)))
        done += len(part)
        batch += 1
    return tracker.finish()


def decoded_packets(capture: bytes, kernels: Kernels, sizes: Sequence[int]) -> Iterator[Packets]:
    """The packets of a capture in batches of these sizes; each is overwritten by the next."""
    rows, decoder, done = record_rows(capture), Decoder(kernels), 0
    for size in itertools.cycle(sizes):
        if done >= len(rows):
            return
        yield decoder.feed(_records(capture, rows[done : done + size], done, kernels))
        done += size


def _records(capture: bytes, rows: list[list[int]], done: int, kernels: Kernels) -> Records:
    flat: Any = kernels.ints(len(rows) * layout.RECORD_SIZE)
    for i, row in enumerate(rows):
        for place, value in enumerate(row, i * layout.RECORD_SIZE):
            flat[place] = value
    return Records(kernels.view(bytearray(capture)), flat, len(rows), done + 1)
