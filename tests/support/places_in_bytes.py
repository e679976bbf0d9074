"""Connections of several hosts as two places on their path capture them: numbered or not, late, by any clock."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from captures_in_bytes import SECOND, Captured, captured, pcap
from frames_in_bytes import ACK, PSH, SYN, ethernet, ipv4, ipv6, tcp, timestamps

START = 1_800_000_000 * SECOND
NEAR, FAR = "near", "far"


@dataclass(frozen=True)
class Kind:
    """What numbers the packets."""

    v6: bool = True
    stamps: bool = False
    ids: bool = False
    frozen: bool = False  # its timestamps stand still


BARE = (Kind(), Kind(v6=False))
NUMBERED = (Kind(stamps=True), Kind(v6=False, ids=True), Kind(v6=False, stamps=True, ids=True))


@dataclass(frozen=True)
class Sent:
    """One packet as its sender sent it."""

    time: int
    by_client: bool
    octets: bytes


@dataclass
class Traffic:
    """What several connections send."""

    kind: Kind
    sent: list[Sent] = field(default_factory=list)
    _ids: dict[tuple[int, bool], int] = field(default_factory=dict)

    def send(
        self, at: float, connection: int, by_client: bool, seq: int, ack: int, flags: int = ACK, payload: bytes = b""
    ) -> None:
        """One segment of a connection, at so many seconds."""
        kind = self.kind
        time = START + round(at * SECOND)
        moved = 0 if kind.frozen else round(at * 1000)
        options = b"\1\1" + timestamps(77_000 + connection + moved, 99_000 + moved) if kind.stamps else b""
        ports = (41_000 + connection, 5432) if by_client else (5432, 41_000 + connection)
        base = 1_000_000 * (connection + 1)
        isn, its = (base, base + 500_000) if by_client else (base + 500_000, base)
        segment = tcp(
            *ports,
            seq=isn + seq,
            ack=its + ack if flags & ACK else 0,
            flags=flags,
            options=options,
            payload=payload,
        )
        if kind.v6:
            ends = ("2001:db8:a::1", "2001:db8:b::2") if by_client else ("2001:db8:b::2", "2001:db8:a::1")
            packet = ipv6(segment, source=ends[0], destination=ends[1])
        else:
            ends = ("192.0.2.1", "198.51.100.2") if by_client else ("198.51.100.2", "192.0.2.1")
            number = self._ids[connection, by_client] = self._ids.get((connection, by_client), 700) + 1
            identification = number & 0xFFFF if kind.ids else 0
            packet = ipv4(segment, source=ends[0], destination=ends[1], identification=identification)
        self.sent.append(Sent(time, by_client, ethernet(packet)))

    def probe(self, at: float, connection: int, *, answered: bool = True) -> None:
        """A keepalive probe of the client and its answer, which is sent at once."""
        self.send(at, connection, True, 99, 300)
        if answered:
            self.send(at + 0.0001, connection, False, 300, 100)

    def idle(self, periods: Sequence[float], rounds: int, *, answered: int | None = None) -> None:
        """Connections that were made before the capture and only probe; of each the first rounds are answered."""
        for connection, period in enumerate(periods):
            for one in range(rounds):
                at = 1 + connection * 0.13 + one * period
                self.probe(at, connection, answered=answered is None or one < answered)

    def request(self, at: float, connection: int, number: int) -> None:
        """A request of ten bytes and a reply of thirty, the `number`-th since the probes' numbers began."""
        asked, told = 100 + 10 * number, 300 + 30 * number
        self.send(at, connection, True, asked, told, PSH | ACK, b"q" * 10)
        self.send(at + 0.001, connection, False, told, asked + 10, PSH | ACK, b"r" * 30)
        self.send(at + 0.002, connection, True, asked + 10, told + 30)

    def handshake(self, at: float, connection: int) -> None:
        """SYN, SYN-ACK, ACK, up to where `request` number 0 begins."""
        self.send(at, connection, True, 99, 0, SYN)
        self.send(at + 0.001, connection, False, 299, 100, SYN | ACK)
        self.send(at + 0.002, connection, True, 100, 300)

    def at(
        self, place: str, *, way: float = 0.02, ahead: float = 0, since: float = 0, until: float = 1e9
    ) -> list[Captured]:
        """What a place sees: near the client, or `way` seconds from there, near the server; by a clock so far ahead."""
        seen = []
        for one in self.sent:
            passes = one.time + round(way * SECOND) * (one.by_client == (place == FAR))
            if START + since * SECOND <= passes <= START + until * SECOND:
                seen.append(captured(one.octets, passes + round(ahead * SECOND)))
        return sorted(seen, key=lambda packet: packet.time)


def rotated(packets: Sequence[Captured], files: int, folder: Path, name: str = "ring") -> list[Path]:
    """The same in so many files of equal time."""
    first, last = packets[0].time, packets[-1].time
    width = (last - first) // files + 1
    paths = []
    for number in range(files):
        part = [packet for packet in packets if (packet.time - first) // width == number]
        paths.append(written(part, folder / f"{name}-{number:02}.pcap"))
    return paths


def written(packets: Iterable[Captured], path: Path) -> Path:
    """A file of these packets."""
    path.write_bytes(pcap(packets, nanoseconds=True))
    return path


def shaken(packets: Sequence[Captured], seed: int, most: float) -> list[Captured]:
    """The same packets up to so many seconds later, each by chance, as a busy path delays them."""
    rng = random.Random(seed)
    late = [packet._replace(time=packet.time + round(rng.random() * most * SECOND)) for packet in packets]
    return sorted(late, key=lambda packet: packet.time)
