"""The finding both-layers-redundant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.idle_timeouts import UNLIMITED
from analyzer.diagnose.registry import MAX_FRAMES, Claim, survey
from analyzer.model.flows import SIDES, Flow, Heartbeat, Keepalive
from analyzer.model.quantities import whole_seconds
from analyzer.tables.fields import (
    BEAT,
    BEAT_LAST,
    BEATS_ANSWERED,
    BEATS_MASK,
    BEATS_SENT,
    EVENT_BEAT,
    EVENT_TIME,
)

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
            flows = [flow for flow in context.flows(group[both[group, side]].tolist()) if _between(context, flow, side)]
            if flows:
                yield _claim(context, flows, side)


def _of(flow: Flow, side: int) -> tuple[Heartbeat, Keepalive]:
    return (
        next(one for one in flow.heartbeats if one.sender == SIDES[side]),
        next(one for one in flow.keepalive if one.sender == SIDES[side]),
    )


def _between(context: Context, flow: Flow, side: int) -> bool:
    """Whether probes came between heartbeats, on a path of which nothing shows that it needs them.

    What keepalive's idle time is longer than, and what a device on the path would forget, needs no change.
    """
    beats, entry = _of(flow, side)
    idle = entry.tcp_keepalive_time
    if context.safe_idle[flow.stream] < UNLIMITED or (idle is not None and (idle.low or 0) >= beats.period_s):
        return False
    beginning = context.facts.events_of_kind(flow.stream, EVENT_BEAT, side)[:1, EVENT_TIME].tolist()
    probes = [probe.time for gap in entry.episodes for probe in gap.probes if probe.answer_frame is not None]
    last = context.facts.tracks.endpoint(BEAT_LAST, flow.stream, side)
    return any(sum(first < time < last for time in probes) >= FEWEST for first in beginning)


def _claim(context: Context, flows: Sequence[Flow], side: int) -> Claim:
    beats, entry = _of(flows[0], side)
    streams = np.array([flow.stream for flow in flows])
    idle = entry.tcp_keepalive_time
    probes = f"keepalive probes after {whole_seconds(idle.value)} of silence" if idle and idle.value else "probes"
    every = f"{beats.period_s:.4g} s"
    return Claim(
        summary=f"{context.at_side(streams, side)} sends {beats.name} heartbeats every {every} and {probes} on "
        f"{context.of(streams, side)}; both find the peer alive",
        remedy=f"Nothing is broken. If no device on the path forgets connections within {every}, set the keepalive "
        "idle time above that: then the kernel probes only when heartbeats stop.",
        frames=(*beats.frames, *(gap.probes[0].frame for gap in entry.episodes))[:MAX_FRAMES],
        observed=f"{beats.answered} of {beats.sent} heartbeats and {entry.answered} of {entry.probes} probes answered",
        expected="probes only when heartbeats stop",
        source="RFC 9293 3.8.4; Linux net/ipv4/tcp_timer.c tcp_keepalive_timer()",
        confidence="likely",
        streams=tuple(streams.tolist()),
    )
