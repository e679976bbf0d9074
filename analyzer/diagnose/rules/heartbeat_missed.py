"""The finding heartbeat-missed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.diagnose.words import ends, seconds
from analyzer.layout import BEAT_LAST, ENDPOINT_SIZE, FIN_FRAME, HEAD_SIZE
from analyzer.model import SIDES, Facts, Flow, Mask

# Protocols give a peer up that missed two heartbeats (AMQP 0-9-1 4.2.7), or one and a half (MQTT 3.1.1 3.1.2.10).
MISSED = 1.5


def _both_beat(facts: Facts) -> Mask:
    return np.asarray(facts.beating.all(axis=1))


@rule("heartbeat-missed", severity="medium", where=_both_beat)
def heartbeat_missed(flow: Flow, context: Context) -> Iterator[Claim]:
    """One end stopped sending heartbeats, the other went on.

    Both ends had sent heartbeats of their application (AMQP, BGP, WebSocket), until one of them did no more, while its
    kernel went on acknowledging the other's. The application is blocked (an event loop that computes, a stopped
    process), or has dropped its timer; the other end takes it for dead after two intervals or so, and closes.

    Look at: what the silent process was doing, from one interval after its last heartbeat on.

    Keep heartbeats out of the thread that does the work; raise the heartbeat interval where pauses are to be expected.
    """
    row = context.facts.tracks.flows[flow.stream].tolist()
    for beats, others in zip(flow.heartbeats, flow.heartbeats[::-1], strict=True):
        x, y = (HEAD_SIZE + SIDES.index(one.sender) * ENDPOINT_SIZE for one in (beats, others))
        silent = row[y + BEAT_LAST] - row[x + BEAT_LAST]
        if beats.protocol != others.protocol or silent <= MISSED * beats.period_s * 1e9:
            continue
        sender, other = ends(flow, beats.sender)
        closed = flow.ending.by == others.sender
        yield Claim(
            summary=f"{sender} sent no {beats.protocol} heartbeat any more, {seconds(silent)} before the last one of "
            f"{other}{', which closed the connection' if closed else ''}",
            remedy="See what blocked the application; keep heartbeats out of the thread that does the work.",
            frames=(*beats.frames[-1:], *others.frames[-1:], *((row[y + FIN_FRAME],) if row[y + FIN_FRAME] else ())),
            observed=f"heartbeats every {beats.period_s:.4g} s from both, and then from one alone",
            expected="heartbeats from both",
            source="AMQP 0-9-1 4.2.7; MQTT 3.1.1 3.1.2.10; RFC 4271 4.4",
            confidence="likely",
        )
