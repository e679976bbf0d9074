"""Words that findings share: endpoints, and which side is meant."""

from __future__ import annotations

from analyzer.model.flows import SIDES, Endpoint, Flow, Keepalive

# How findings about two captures of one path are known.
TWO_CAPTURES = "two captures of one network path, matched by addresses, ports, sequence numbers, IP ID and timestamps"


def other_side(side: str) -> str:
    """The peer's."""
    return SIDES[1 - SIDES.index(side)]


def named(flow: Flow, side: str) -> str:
    """The end at this side, as findings name it: a client without its port, which is another for each connection."""
    return flow.client.address if side == SIDES[0] else str(flow.server)


def ends_of(flow: Flow, keepalive: Keepalive) -> tuple[Endpoint, Endpoint]:
    """The prober and its peer."""
    return ends(flow, keepalive.sender)


def ends(flow: Flow, side: str) -> tuple[Endpoint, Endpoint]:
    """This side and the other."""
    return (flow.client, flow.server) if side == SIDES[0] else (flow.server, flow.client)
