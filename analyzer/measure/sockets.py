"""Connections of a capture and sockets of hosts: which belong together, and what the kernel's word adds to the packets.

They have the same two ends; a socket's local end says which side of the connection it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from analyzer.measure.flows import KEY_SIZE, endpoints_of
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Endpoint
from analyzer.model.sockets import Held, Sighting
from analyzer.tables.arrays import Column, Mask, are_among
from analyzer.tables.fields import FIRST_TIME, KEY_PORTS

PORT_BITS = 16
Ends = tuple[Endpoint, Endpoint]


class Sightings:
    """Sockets by their two ends."""

    def __init__(self, some: Iterable[Sighting]) -> None:
        self._by_ends: dict[Ends, list[Sighting]] = {}
        for one in some:
            self._by_ends.setdefault((one.socket.local, one.socket.peer), []).append(one)
        pairs = {(local.port, peer.port) for local, peer in self._by_ends}
        both = {first << PORT_BITS | second for pair in pairs for first, second in (pair, pair[::-1])}
        # Of a million connections few have the ports of any socket: the others are not looked at one by one.
        self._ports = np.array(sorted(both), np.int64)

    def __len__(self) -> int:
        return len(self._by_ends)

    def may_match(self, flows: Column) -> Column:
        """The streams with the two ports of a socket."""
        return np.flatnonzero(are_among(flows[:, KEY_PORTS], self._ports))

    def of(self, ends: Ends, began: int) -> tuple[Held, ...]:
        """Those of a connection's client and server; what was gone when it began was another connection's."""
        return tuple(
            Held(side, one)
            for side, pair in zip(SIDES, (ends, ends[::-1]), strict=True)
            for one in self._by_ends.get(pair, ())
            if not one.gone or one.at is None or began <= one.at
        )


def match(flows: Column, sightings: Sightings) -> dict[int, tuple[Held, ...]]:
    """The sockets of each connection that has some, by stream: of several with the same ends, the last one's."""
    found: dict[Ends, tuple[int, tuple[Held, ...]]] = {}
    for stream in sightings.may_match(flows).tolist():
        client, server = endpoints_of(flows[stream, :KEY_SIZE].tolist())
        held = sightings.of((client, server), int(flows[stream, FIRST_TIME]))
        if held:
            found[min(client, server), max(client, server)] = stream, held
    return dict(found.values())


def join(facts: Facts, sightings: Sightings) -> Facts:
    """The same facts, with what is known of the sockets of these connections."""
    held = match(facts.tracks.flows, sightings) if len(sightings) else {}
    if not held:
        return facts
    on, off = _among(facts, held, said=True), _among(facts, held, said=False)
    return replace(facts, held=held, keepalive_on=on, keepalive_off=off & ~on)


def _among(facts: Facts, held: dict[int, tuple[Held, ...]], *, said: bool) -> Mask:
    """Connections of which the kernel of an end says that keepalive is on, or off."""
    mask = np.zeros(len(facts), bool)
    mask[[stream for stream, some in held.items() if any(one.sighting.keepalive is said for one in some)]] = True
    return mask
