"""The finding keepalive-race."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.phrases import named, seconds
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Flow
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

# A request crosses a FIN when it is sent before that can have arrived: within a round trip, and what a busy host adds.
CROSSING_NS = 100_000_000
PROMPT_NS = IDLE_NS = 1_000_000_000
SERVER = 2  # of RESET_SIDE


def _crossed(facts: Facts) -> Mask:
    """Connections reset by the end that had closed, right after data of the other crossed its FIN."""
    return np.concatenate([_crossed_in(part) for part in facts.parts()])


def _crossed_in(facts: Facts) -> Mask:
    flows, endpoints = facts.tracks.flows, facts.tracks.endpoints
    fin, sent = endpoints(FIN_TIME)[:, 1], endpoints(LAST_DATA)
    asked = sent[:, 0]
    on_its_way = np.maximum(endpoints(MIN_RTT).max(axis=1), 0) + CROSSING_NS
    knew = endpoints(KNOWN)[:, 0] & AFTER_FIN != 0  # what acknowledges a FIN has not crossed it
    crossed = ~knew & (fin > 0) & (asked > 0) & (np.abs(asked - fin) <= on_its_way)
    prompt = (flows[:, RESET_TIME] >= asked) & (flows[:, RESET_TIME] - asked <= PROMPT_NS)
    return np.asarray((flows[:, RESET_SIDE] == SERVER) & crossed & prompt & (fin - sent[:, 1] >= IDLE_NS))


@rule(
    "keepalive-race",
    severity="medium",
    where=_crossed,
    title="{whom} closed {connections} just as a request was sent",
)
def keepalive_race(flow: Flow, context: Context) -> Iterator[Claim]:
    """A request was sent on a connection that the other end was just closing.

    The server (or a proxy) had waited for its idle limit and sent FIN; the next request crossed it on the way, and was
    answered with RST. The client cannot know whether it was carried out, and reports a connection reset, or a proxy a
    502. HTTP's keep-alive, not TCP's: the limits of both ends are too close to each other.

    Look at: the idle limits of both ends; the FIN comes a whole number of seconds after the last response.

    Make the end that sends requests forget idle connections some seconds before the other closes them: for instance
    keepAliveTimeout of Node.js (5 s) above the idle timeout of the load balancer before it (60 s).
    """
    row = context.facts.tracks.flows[flow.stream].tolist()
    client, server = HEAD_SIZE, HEAD_SIZE + ENDPOINT_SIZE
    fin = row[server + FIN_FRAME]
    apart = abs(row[client + LAST_DATA] - row[server + FIN_TIME])
    frames = {fin, row[REQUEST_FRAME], flow.ending.frame or 0} - {0}
    yield Claim(
        summary=f"{flow.client} sent something {seconds(apart)} from the FIN of {flow.server}, which answered with RST",
        remedy="Let the end that sends requests close idle connections well before the other does; repeat requests "
        "that may be repeated.",
        frames=tuple(sorted(frames)),
        observed="data that crossed a FIN, and a RST in answer",
        expected="no request on a connection that is about to be closed",
        source="RFC 9112 9.3.1 and 9.5",
        confidence="possible",
        at=row[server + FIN_TIME] or None,
        whom=named(flow, SIDES[1]),
    )
