"""The finding keepalive-race."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.diagnose.words import ends, seconds
from analyzer.layout import FIN_FRAME, FIN_TIME, LAST_DATA, REQUEST_FRAME, RESET_SIDE, RESET_TIME
from analyzer.model import SIDES, Facts, Flow, Mask

# A request crosses a FIN when it is sent before the FIN can have arrived; what else is sent after it was meant to be.
CROSSING_NS = 1_000_000_000


def _crossed(facts: Facts) -> Mask:
    """Connections reset by the end that had closed, right after data of the other crossed its FIN."""
    return np.concatenate([_crossed_in(part) for part in facts.parts()])


def _crossed_in(facts: Facts) -> Mask:
    flows = facts.tracks.flows
    side = np.maximum(flows[:, RESET_SIDE] - 1, 0)
    index = np.arange(len(flows))
    fin, data = facts.tracks.endpoints(FIN_TIME)[index, side], facts.tracks.endpoints(LAST_DATA)[index, 1 - side]
    asked = (fin > 0) & (data > 0) & (np.abs(data - fin) <= CROSSING_NS)
    prompt = (flows[:, RESET_TIME] >= data) & (flows[:, RESET_TIME] - data <= CROSSING_NS)
    idle = fin - facts.tracks.endpoints(LAST_DATA)[index, side] >= CROSSING_NS
    return np.asarray((flows[:, RESET_SIDE] > 0) & asked & prompt & idle)


@rule("keepalive-race", severity="medium", where=_crossed)
def keepalive_race(flow: Flow, context: Context) -> Iterator[Claim]:
    """A request was sent on a connection that the other end was just closing.

    The server (or a proxy) had waited for its idle limit and sent FIN; the next request crossed it on the way, and was
    answered with RST. The client cannot know whether it was carried out, and reports a connection reset, or a proxy a
    502. HTTP's keep-alive, not TCP's: the limits of both ends are too close to each other.

    Look at: the idle limits of both ends; the FIN comes a whole number of seconds after the last response.

    Make the end that sends requests forget idle connections some seconds before the other closes them: for instance
    keepAliveTimeout of Node.js (5 s) above the idle timeout of the load balancer before it (60 s).
    """
    side = SIDES.index(flow.ending.by) if flow.ending.by in SIDES else 1
    closer, asker = ends(flow, SIDES[side])
    tracks = context.facts.tracks
    fin = int(tracks.endpoints(FIN_FRAME)[flow.stream, side])
    row = tracks.flows[flow.stream]
    apart = abs(int(tracks.endpoints(LAST_DATA)[flow.stream, 1 - side] - tracks.endpoints(FIN_TIME)[flow.stream, side]))
    frames = {fin, int(row[REQUEST_FRAME]), flow.ending.frame or 0} - {0}
    yield Claim(
        summary=f"{asker} sent a request {seconds(apart)} from the FIN of {closer}, which answered it with RST",
        remedy="Let the end that sends requests close idle connections well before the other does; repeat requests "
        "that may be repeated.",
        frames=tuple(sorted(frames)),
        observed="data that crossed a FIN, and a RST in answer",
        expected="no request on a connection that is about to be closed",
        source="RFC 9112 9.3.1 and 9.5",
        confidence="likely",
    )
