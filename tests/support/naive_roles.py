"""The second look at who is the client, once all connections are known: the slow twin of analyzer.track.roles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from naive_packets import Address

from analyzer.wire import PORTS_RESERVED, SERVICE_PORTS

if TYPE_CHECKING:
    from naive import Connection

OTHER = {"client": "server", "server": "client"}


def settle(connections: Sequence[Connection]) -> None:
    """Swap the ends whose beginning was not captured where several share the client's port, and none the server's."""
    peers: dict[Address, set[int]] = defaultdict(set)
    for one in connections:
        peers[one.client.address].add(one.server.address[1])
        peers[one.server.address].add(one.client.address[1])
    for one in connections:
        port = one.server.address[1]
        known = port < PORTS_RESERVED or port in SERVICE_PORTS
        shared, alone = len(peers[one.client.address]) > 1, len(peers[one.server.address]) == 1
        if not one.handshake - {"older_life"} and shared and alone and not known:
            swap(one)


def swap(connection: Connection) -> None:
    """Exchange client and server."""
    connection.client, connection.server = connection.server, connection.client
    for end in (connection.client, connection.server):
        end.name = OTHER[end.name]
        for probe in end.probes:
            probe.sender = OTHER[probe.sender]
    if connection.first_reset is not None:
        by, why = connection.first_reset
        connection.first_reset = (OTHER[by], why)
