"""The finding overlapping-tunnels."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.columns import Facts
from analyzer.model.flows import Flow
from analyzer.tables.arrays import Mask
from analyzer.tables.fields import EVENT_TUNNEL, HANDSHAKE, MIXED_TUNNELS


def mixes_tunnels(facts: Facts) -> Mask:
    """Connections whose segments came in several tunnels, with numbers that do not fit together: (flows,)."""
    mixed: Mask = (facts.tracks.flows[:, HANDSHAKE] & MIXED_TUNNELS) != 0
    return mixed


@rule(
    "overlapping-tunnels",
    severity="medium",
    where=mixes_tunnels,
    title="Tunnels overlap: {connections} to {whom} mixed several connections",
)
def overlapping_tunnels(flow: Flow, context: Context) -> Iterator[Claim]:
    """Two connections with the same addresses and ports, in two tunnels, were counted as one.

    Tenants of a network may use the same private addresses, each in a tunnel with its own ID. A connection is
    identified by its innermost addresses and ports, whatever the tunnel, because one packet is often captured both
    inside and outside a tunnel. Here segments with the same addresses and ports came in tunnels with different IDs, and
    their sequence numbers are too far apart for one connection. The verdict of this connection is unreliable.

    Look at: whether the IDs belong to two tenants, or to one that moved.

    With --split-tunnels the ID (a VXLAN or GENEVE network identifier, a GRE key, an ERSPAN session) is part of what
    identifies a connection.
    """
    yield Claim(
        summary=f"{flow.client} to {flow.server} is several connections in tunnels with different IDs",
        remedy="Analyse the capture again with --split-tunnels.",
        frames=context.facts.event_frames(flow.stream, EVENT_TUNNEL),
        observed="sequence numbers far apart, in tunnels with different IDs",
        expected="one sequence of numbers in each direction",
        source="RFC 9293 3.4",
        confidence="likely",
    )
