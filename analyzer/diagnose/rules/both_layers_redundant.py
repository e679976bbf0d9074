"""The finding both-layers-redundant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import MAX_FRAMES, Claim, survey
from analyzer.model.flows import SIDES
from analyzer.model.quantities import whole_seconds
from analyzer.tables.arrays import Column, distinct
from analyzer.tables.fields import BEAT, BEATS_ANSWERED, BEATS_MASK, BEATS_SENT

# So many of each show that both are the rule; and of heartbeats nearly all are replied to.
FEWEST = 3
REPLIED = 0.9


@survey(
    "both-layers-redundant",
    severity="info",
    title="Heartbeats and keepalive probes at once on {connections} to {whom}",
)
def both_layers_redundant(context: Context) -> Iterator[Claim]:
    """The application sends heartbeats and the kernel sends keepalive probes, over the same connection.

    Between two heartbeats, each of which was replied to, the same end's kernel sent keepalive probes, because its
    keepalive idle time is shorter than the interval of the heartbeats. Both found the peer alive. Heartbeats show more:
    that the application replies, not its kernel alone. Nothing is broken. The probes cost packets, and wake up radios.

    Look at: the interval of the heartbeats, and the keepalive idle time of the socket (`ss -tno`).

    Set the keepalive idle time above the interval of the heartbeats. Then the kernel probes only when the heartbeats
    stop. Leave it as it is where a device on the path forgets connections sooner than the heartbeats come.
    """
    facts = context.facts
    beat = facts.tracks.endpoints(BEAT)
    sent, replied = beat >> BEATS_SENT & BEATS_MASK, beat >> BEATS_ANSWERED & BEATS_MASK
    both = facts.beating & (sent >= FEWEST) & (replied >= REPLIED * sent) & (facts.answered >= FEWEST)
    for group in context.by_service(np.flatnonzero(both.any(axis=1))):
        for side in range(2):
            streams = group[both[group, side]]
            if len(streams):
                yield _claim(context, distinct(streams), side)


def _claim(context: Context, streams: Column, side: int) -> Claim:
    flow = context.flow(int(streams[0]))
    beats = next(one for one in flow.heartbeats if one.sender == SIDES[side])
    entry = next(one for one in flow.keepalive if one.sender == SIDES[side])
    idle = entry.tcp_keepalive_time
    probes = f"keepalive probes after {whole_seconds(idle.value)} of silence" if idle and idle.value else "probes"
    return Claim(
        summary=f"{context.at_side(streams, side)} sends {beats.name} heartbeats every {beats.period_s:.4g} s and "
        f"{probes} on {context.of(streams, side)}; either keeps them alive",
        remedy=f"Nothing is broken. To save probes, set the keepalive idle time above {beats.period_s:.4g} s: then the "
        "kernel probes only when heartbeats stop.",
        frames=(*beats.frames, *(gap.probes[0].frame for gap in entry.episodes))[:MAX_FRAMES],
        observed=f"{beats.answered} of {beats.sent} heartbeats and {entry.answered} of {entry.probes} probes answered",
        expected="probes only when heartbeats stop",
        source="RFC 9293 3.8.4; Linux net/ipv4/tcp_timer.c tcp_keepalive_timer()",
        streams=tuple(streams.tolist()),
    )
