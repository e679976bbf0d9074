"""The finding keepalive-race."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.phrases import named
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Flow
from analyzer.model.quantities import duration
from analyzer.tables.arrays import Mask
from analyzer.tables.fields import (
    AFTER_FIN,
    ENDPOINT_SIZE,
    FIN_FRAME,
    FIN_TIME,
    HEAD_SIZE,
    KNOWN,
    LAST_DATA,
    MIN_RTT,
    REQUEST_FRAME,
    RESET_SIDE,
    RESET_TIME,
)
from analyzer.tcp import SECOND

# A request crosses a FIN when it is sent before that can have arrived: within a round trip, and what a busy host adds.
CROSSING_NS = 100_000_000
PROMPT_NS = IDLE_NS = 1_000_000_000
SERVER = 2  # of RESET_SIDE


def _crossed(facts: Facts) -> Mask:
    """Connections reset by the end that had closed, right after data of the other crossed its FIN."""
    flows, mask = facts.tracks.flows, np.zeros(len(facts), bool)
    streams = np.flatnonzero(flows[:, RESET_SIDE] == SERVER)
    endpoints = partial(facts.tracks.endpoints, streams=streams)
    fin, sent, reset = endpoints(FIN_TIME)[:, 1], endpoints(LAST_DATA), flows[streams, RESET_TIME]
    asked = sent[:, 0]
    on_its_way = np.maximum(endpoints(MIN_RTT).max(axis=1), 0) + CROSSING_NS
    knew = endpoints(KNOWN)[:, 0] & AFTER_FIN != 0  # what acknowledges a FIN has not crossed it
    crossed = ~knew & (fin > 0) & (asked > 0) & (np.abs(asked - fin) <= on_its_way)
    prompt = (reset >= asked) & (reset - asked <= PROMPT_NS)
    mask[streams] = crossed & prompt & (fin - sent[:, 1] >= IDLE_NS)
    return mask


@rule(
    "keepalive-race",
    severity="medium",
    where=_crossed,
    title="{whom} closed {connections} just as a request was sent",
    moment="FIN",
)
def keepalive_race(flow: Flow, context: Context) -> Iterator[Claim]:
    """A request crossed the FIN of a server that was closing an idle connection.

    The server (or a proxy) reached its idle limit and sent FIN. The next request was already on the way, and the server
    answered it with RST. The client cannot know whether the request was carried out. It reports a connection reset; a
    proxy reports a 502. This is about keep-alive in HTTP, not in TCP: the idle limits of both sides are too close
    together.

    Look at: the idle limits of both sides. The FIN usually comes a round number of seconds after the last response.

    Make the side that sends requests close idle connections a few seconds before the other side does. For example,
    set keepAliveTimeout of a Node.js server (default 5 s) above the idle timeout of the load balancer in front (60 s).
    """
    row = context.facts.tracks.flows[flow.stream].tolist()
    client, server = HEAD_SIZE, HEAD_SIZE + ENDPOINT_SIZE
    fin = row[server + FIN_FRAME]
    apart = abs(row[client + LAST_DATA] - row[server + FIN_TIME])
    when = "before" if row[server + FIN_TIME] <= row[client + LAST_DATA] else "after"
    frames = {fin, row[REQUEST_FRAME], flow.ending.frame or 0} - {0}
    yield Claim(
        summary=f"{flow.server} closed the idle connection {duration(apart)} {when} {flow.client} sent a request, and "
        "answered the request with RST",
        remedy=_remedy(row[server + FIN_TIME] - row[server + LAST_DATA]),
        frames=tuple(sorted(frames)),
        observed="data that crossed a FIN, and an RST in reply",
        expected="no request on a connection that is about to be closed",
        source="RFC 9112 9.3.1 and 9.5",
        confidence="possible",
        at=row[server + FIN_TIME] or None,
        whom=named(flow, SIDES[1]),
    )


def _remedy(idle: int) -> str:
    """A limit for the client below the one that was seen."""
    limit = round(idle / SECOND)
    below = f"after less than {limit} s" if limit > 1 else "sooner"
    return (
        f"Have the client close idle connections {below}: the server closed after {duration(idle)}. Or raise the "
        "server's idle limit above the client's. Retry requests that are safe to repeat."
    )
