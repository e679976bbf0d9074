"""Captures of a fleet that never was, with what is true of each connection: python tests/support/synthetic_fleet.py DIR

DIR/HOST/eth0-NNN.pcap are the files that each host's capture program wrote one after another. Connections between two
hosts are in the captures of both. One host's clock is ahead, one file is missing, and one is cut short.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from conversation import CLIENT, SERVER, Conversation
from fleet_kinds import KINDS, LASTING, SECOND, SLEEPY, Plan
from fleet_truth import FAR_TTL, NEAR_TTL, START, Fleet, Made, Passing, Shape, known, passing, write_file

SETTINGS = ((60, 10, 3), (30, 5, 4), (15, 15, 9))  # the last are those of Go before 1.23
SERVICES = {
    "healthy": ("198.51.100.10", 5432),
    "dead_peer": ("198.51.100.20", 6379),
    "device": ("198.51.100.30", 443),
    "lost_state": ("198.51.100.40", 3306),
    "unprotected": ("198.51.100.50", 8443),
    "close_wait": ("198.51.100.60", 5672),
    "heartbeat": ("198.51.100.70", 6380),
    "refused": ("198.51.100.80", 9092),
    "no_answer": ("198.51.100.90", 9093),
    "closed": ("198.51.100.10", 5433),
}
DEVICE_KINDS = ("device_reset_probe", "device_reset_probe", "device_reset_timer", "device_drop")
OFTEN = ("healthy", "closed", "closed", "unprotected")  # each host has these
SOMETIMES = ("lost_state", "close_wait", "heartbeat", "refused", "no_answer", "unprotected", "closed", "healthy")
BETWEEN = ("closed", "unprotected", "close_wait")  # between two hosts, beside one that probes all the time
INBOUND = ("closed", "dead_peer", "close_wait", "healthy")  # of clients outside
INSIDE_PORT, INBOUND_PORT = 9000, 8080
OPENING, ENDING = 9, 15  # segments of a connection, at most
TRIES = 1000
WHOLE = Shape()


def write_fleet(folder: Path, shape: Shape = WHOLE) -> Fleet:
    """Write the captures; the same every time for one shape."""
    made = list(_connections(shape))
    heaps: dict[tuple[int, int], list[Passing]] = {}
    for one in made:
        for host in one.places:
            for segment in passing(one, host, shape):
                heaps.setdefault((host, shape.file_of(host, segment.time)), []).append(segment)
    if shape.missing:
        heaps.pop(shape.missing, None)
    files = [write_file(folder, shape, place, heap) for place, heap in sorted(heaps.items())]
    return Fleet([known(one, shape) for one in made], files)


def address_of(host: int) -> str:
    """The address of a host."""
    return f"10.0.{host // 250}.{host % 250 + 1}"


def _connections(shape: Shape) -> Iterator[Made]:
    rng = random.Random(shape.seed)
    for host in range(shape.hosts):
        ports = iter(range(40_000 + 7 * host, 60_000))
        yield _between(shape, rng, host, next(ports), "healthy", START + (1 + host) * SECOND // 4)
        for kind in rng.sample(BETWEEN, 2):
            yield _between(shape, rng, host, next(ports), kind)
        for kind in (*OFTEN, *rng.sample(SOMETIMES, 3), *(["dead_peer"] * 2 if host % 2 else [])):
            yield _outbound(shape, rng, host, next(ports), kind)
        if host % 5 == 1:
            yield _outbound(shape, rng, host, next(ports), "healthy", SERVICES["device"], early=True)
            for kind in DEVICE_KINDS:
                yield _outbound(shape, rng, host, next(ports), kind, SERVICES["device"])
        for kind in rng.sample(INBOUND, 2):
            yield _inbound(shape, rng, host, next(ports), kind)


def _between(shape: Shape, rng: random.Random, host: int, port: int, kind: str, begin: int | None = None) -> Made:
    """From a host to the next one, a few milliseconds away."""
    other = (host + 1) % shape.hosts
    ends = ((address_of(host), port), (address_of(other), INSIDE_PORT))
    prober = rng.choice((CLIENT, SERVER)) if kind == "close_wait" else CLIENT
    rtt = (4 + host % 5) / 1000  # of the path, not of the connection
    return _found(shape, rng, kind, ends, (host, other), prober, CLIENT, rtt, begin)


def _outbound(
    shape: Shape,
    rng: random.Random,
    host: int,
    port: int,
    kind: str,
    service: tuple[str, int] | None = None,
    *,
    early: bool = False,
) -> Made:
    """From a host to a service outside."""
    ends = ((address_of(host), port), service or SERVICES[kind])
    rtt = rng.randrange(10, 40) / 1000
    return _found(shape, rng, kind, ends, (host,), CLIENT, CLIENT, rtt, START + 20 * SECOND if early else None)


def _inbound(shape: Shape, rng: random.Random, host: int, port: int, kind: str) -> Made:
    """From a client outside to a host, each client once."""
    client = (f"203.0.{113 + port % 2}.{host + 1}", port)
    rtt = rng.randrange(20, 80) / 1000
    return _found(shape, rng, kind, (client, (address_of(host), INBOUND_PORT)), (host,), SERVER, SERVER, rtt, None)


def _found(
    shape: Shape,
    rng: random.Random,
    kind: str,
    ends: tuple[tuple[str, int], tuple[str, int]],
    places: tuple[int, ...],
    prober: str,
    at: str,
    rtt: float,
    begin: int | None,
) -> Made:
    """One that begins at this time, or at any at which it loses nothing that matters to a file that is missing."""
    mine = places[0]
    settings = SLEEPY if kind == "device_reset_probe" else SETTINGS[mine % len(SETTINGS)]
    for _ in range(TRIES):
        talk = Conversation(rtt=rtt, at=at, client_isn=rng.randrange(1 << 31), server_isn=rng.randrange(1 << 31))
        for name, (address, port) in zip((CLIENT, SERVER), ends, strict=True):
            side = talk.sides[name]
            side.host = replace(side.host, address=address, port=port, ttl=NEAR_TTL if name == at else FAR_TTL)
            side.ip_id = rng.randrange(50_000)
        talk.now, until = _times(shape, rng, kind, inbound=at == SERVER)
        talk.now = talk.now if begin is None else begin
        made = Made(kind, talk, Plan(prober, settings, until), places)
        KINDS[kind](talk, made.plan)
        if not _is_missed(made, shape):
            return made
    raise ValueError(f"no time was found at which {kind} misses no file")


def _times(shape: Shape, rng: random.Random, kind: str, *, inbound: bool) -> tuple[int, int]:
    """When a connection begins, and until when it goes on. A service dies at one time, clients at any."""
    whole = shape.end - START

    def at(least: float, most: float) -> int:
        return START + int(whole * rng.uniform(least, most)) // 1000 * 1000

    if kind in LASTING:
        return at(0.3, 0.7), shape.end - SECOND
    if kind in ("unprotected", "close_wait"):
        return at(0.02, 0.3), 0
    if kind == "dead_peer" and not inbound:
        return at(0.1, 0.5), START + int(whole * 0.6)
    begin = at(0.02, 0.7)
    return begin, begin + int(whole * rng.uniform(0.01, 0.2))


def _is_missed(made: Made, shape: Shape) -> bool:
    """Whether the file that is missing would hold how it begins or ends, not just rounds of probes.

    Of one that lasts to the end no other capture may lack any: where rounds are missing, settings are not sure.
    """
    if shape.missing is None or shape.missing[0] not in made.places:
        return False
    host = shape.missing[0]
    passed = [one.time for one in passing(made, host, shape)]
    matters = passed[:OPENING] + passed[-ENDING:]
    if made.kind in LASTING and len(made.places) == 1:
        matters = passed
    return any(shape.file_of(host, time) == shape.missing[1] for time in matters)


def main() -> None:
    """Write a fleet's captures and TRUTH.json, which says what is in them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("directory", type=Path)
    for name in ("hosts", "files", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Shape, name))
    asked = parser.parse_args()
    fleet = write_fleet(asked.directory, Shape(asked.hosts, asked.files, asked.seed))
    truth = {name: [one._asdict() for one in getattr(fleet, name)] for name in fleet._fields}
    (asked.directory / "TRUTH.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
