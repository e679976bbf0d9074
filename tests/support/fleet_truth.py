"""What captures of a made-up fleet hold of its connections, and what is true of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from captures_in_bytes import Captured, pcap
from conversation import CLIENT, SERVER, Conversation
from fleet_kinds import SECOND, Plan
from wirebytes import Segment, frame_bytes

START = 1_772_404_200 * SECOND  # 2026-03-01T22:30:00Z: midnight is within
FILE_S = 900
NEAR_TTL, FAR_TTL = 64, 57
HALF_A_RECORD = b"\0" * 7


class Known(NamedTuple):
    """What is true of one connection: times in nanoseconds since 1970 by a clock that is right."""

    kind: str
    hosts: tuple[str, ...]  # in whose captures it is, the first to see it first
    client: tuple[str, int]
    server: tuple[str, int]
    start: int
    end: int  # its last packet, where that passed first
    prober: str | None  # client or server, where there are probes
    settings: tuple[int, int, int] | None  # of the prober: idle time, interval, count; seconds
    received: int | None  # when the prober last received anything
    leaks: str | None  # client or server: who never closes, though the other end has
    silence: int  # the longest time between two packets
    files: int  # of the first host, with packets of it


class File(NamedTuple):
    """What is true of one capture file: times by the clock of its host."""

    host: str
    name: str
    packets: int
    first: int
    last: int
    shared: int  # packets that the other end's capture has, too, and had before
    cut_short: bool
    ahead_s: float  # of its host's clock


class Fleet(NamedTuple):
    """The truth of a whole fleet."""

    connections: list[Known]
    files: list[File]


@dataclass(frozen=True)
class Shape:
    """How large a fleet is, and what is wrong with its captures; hosts and files count from 0."""

    hosts: int = 20
    files: int = 10
    seed: int = 1
    ahead: tuple[int, float] | None = (3, 2.5)  # a host, seconds
    missing: tuple[int, int] | None = (7, 4)  # a host, a file of it
    cut_short: int | None = 5  # a host, its last file

    @property
    def end(self) -> int:
        """When all captures end."""
        return START + self.files * FILE_S * SECOND

    def clock(self, host: int) -> int:
        """Nanoseconds that a host's clock is ahead."""
        return round(self.ahead[1] * SECOND) if self.ahead and self.ahead[0] == host else 0

    def file_of(self, host: int, time: int) -> int:
        """Which of its files a packet is in that passes at this time."""
        return min((time + self.clock(host) - START) // (FILE_S * SECOND), self.files - 1)


class Made(NamedTuple):
    """A connection with the hosts (by number) that capture it: one, or the client's and the server's."""

    kind: str
    talk: Conversation
    plan: Plan
    places: tuple[int, ...]


class Passing(NamedTuple):
    """A segment as it passes a host, and the (host, file) that captured it before, at the other end."""

    time: int
    segment: Segment
    hops: int  # farther than where the conversation was built
    before: tuple[int, int] | None


def name_of(host: int) -> str:
    """What a host is called: its directory."""
    return f"app-{host + 1:02}"


def passing(made: Made, host: int, shape: Shape) -> Iterator[Passing]:
    """What passes a host of a connection; of one between two hosts nothing is lost."""
    talk, first = made.talk, made.places[0]
    if len(made.places) == 1:
        yield from (Passing(segment.time, segment, 0, None) for segment in talk.segments if segment.captured)
        return
    other, way = made.places[host == first], talk.rtt // 2
    for segment in talk.segments:
        ours = (segment.sender == CLIENT) == (host == first)
        far = segment.time + (way if segment.sender == CLIENT else -way)
        time, elsewhere = (segment.time, far) if host == first else (far, segment.time)
        hops = segment.source.ttl - (NEAR_TTL if ours else FAR_TTL)
        yield Passing(time, segment, hops, None if ours else (other, shape.file_of(other, elsewhere)))


def write_file(folder: Path, shape: Shape, place: tuple[int, int], heap: list[Passing]) -> File:
    """Write what one host captured while it wrote one file."""
    host, number = place
    heap.sort(key=lambda one: one.time)
    packets = []
    for one in heap:
        octets = frame_bytes(one.segment, one.hops)
        packets.append(Captured(octets, one.time + shape.clock(host), len(octets)))
    cut_short = shape.cut_short == host and number == shape.files - 1
    path = folder / name_of(host) / f"eth0-{number:03}.pcap"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pcap(packets, nanoseconds=True) + HALF_A_RECORD * cut_short)
    shared = sum(one.before not in (None, shape.missing) for one in heap)
    span = packets[0].time, packets[-1].time
    return File(name_of(host), path.name, len(heap), *span, shared, cut_short, shape.clock(host) / SECOND)


def known(made: Made, shape: Shape) -> Known:
    """What is true of a connection."""
    talk, plan = made.talk, made.plan
    passed = [list(passing(made, host, shape)) for host in made.places]
    times = [one.time for one in passed[0]]
    files = {(made.places[0], shape.file_of(made.places[0], time)) for time in times}
    received = [segment.time for segment in talk.segments if segment.sender != plan.prober]
    probes = bool(talk.truth.probes)
    client, server = ((side.host.address, side.host.port) for side in (talk.sides[CLIENT], talk.sides[SERVER]))
    return Known(
        kind=made.kind,
        hosts=tuple(map(name_of, made.places)),
        client=client,
        server=server,
        start=min(times),
        end=max(map(min, zip(*([one.time for one in some] for some in passed), strict=True))),
        prober=plan.prober if probes else None,
        settings=plan.settings if probes else None,
        received=max(received, default=None) if probes else None,
        leaks=plan.prober if made.kind == "close_wait" else None,
        silence=max((later - sooner for sooner, later in pairwise(times)), default=0),
        files=len(files - {shape.missing}),
    )
