"""The finding overlapping-tunnels."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.registry import Claim, Context, rule
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

    Tenants of a network may use the same private addresses, each in a tunnel with its own id. A connection is known by
    the innermost addresses and ports, whatever tunnel it is captured in, because one packet is often captured inside
    and outside of a tunnel. Here segments with one set of addresses and ports came in tunnels with different ids, and
    their sequence numbers lie too far apart to belong to one connection. What is said of this connection is worth
    nothing.

    Look at: whether the ids are of two tenants, or of one that moved. With --split-tunnels the ids (a VXLAN or GENEVE
    network identifier, a GRE key, an ERSPAN session) tell connections apart.
    """
    yield Claim(
        summary=f"{flow.client} and {flow.server} stand for several connections, in tunnels with different ids",
        remedy="Analyse again with --split-tunnels.",
        frames=context.facts.event_frames(flow.stream, EVENT_TUNNEL),
        observed="sequence numbers far apart, in tunnels with different ids",
        expected="one run of sequence numbers in each direction",
        source="RFC 9293 3.4",
        confidence="likely",
    )
