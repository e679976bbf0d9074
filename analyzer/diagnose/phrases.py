"""Words that findings share: durations, numbers of things, endpoints."""

from __future__ import annotations

from analyzer.model.flows import SIDES, Endpoint, Flow, Keepalive

# How findings about two captures of one path are known.
TWO_CAPTURES = "two captures of one network path, matched by addresses, ports, sequence numbers, IP ID and timestamps"


def several(number: int, one: str) -> str:
    """`1 probe`, `3 probes`, `1,000 probes`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def connections(number: int) -> str:
    """`1 connection`, `3 connections`."""
    return several(number, "connection")


def times(number: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


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
