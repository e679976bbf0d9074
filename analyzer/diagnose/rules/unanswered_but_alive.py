"""The finding unanswered-but-alive."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.diagnose.words import ends_of
from analyzer.kinds import ProbeKind
from analyzer.layout import (
    ACKED_UNSEEN,
    ANSWER,
    ANSWER_NONE,
    KNOWN,
    PACKETS,
    PROBE_BEFORE,
    PROBE_MARKS,
    PROBE_TIME,
    PROBE_WHO,
    PROBER_SHIFT,
    WITHOUT_TIMESTAMPS,
)
from analyzer.model import SIDES, Facts, Flow, Keepalive, Mask

# Linux answers segments outside of its window once in half a second (net.ipv4.tcp_invalid_ratelimit).
RATE_LIMIT_NS = 500_000_000
FEWEST = 2


def _explained(facts: Facts) -> Mask:
    """Connections with unanswered probes that something else than a dead peer explains."""
    log = facts.tracks.probes
    unanswered = (facts.probe_kind == ProbeKind.KEEPALIVE) & (log[:, PROBE_MARKS] & ANSWER == ANSWER_NONE)
    rows = np.flatnonzero(unanswered)
    before = log[rows, PROBE_BEFORE]
    quick = (before > 0) & (log[rows, PROBE_TIME] - log[before - 1, PROBE_TIME] < RATE_LIMIT_NS)
    bare = log[rows, PROBE_MARKS] & WITHOUT_TIMESTAMPS != 0
    explained = np.bincount(log[rows[quick | bare], PROBE_WHO] >> PROBER_SHIFT + 1, minlength=len(facts)) >= FEWEST
    unseen = (facts.tracks.endpoints(PACKETS) == 0)[:, ::-1] & (facts.unanswered >= FEWEST)
    return np.asarray(explained | unseen.any(axis=1))


@rule("unanswered-but-alive", severity="low", where=_explained)
def unanswered_but_alive(flow: Flow, context: Context) -> Iterator[Claim]:
    """Probes went unanswered for a reason that says nothing about the peer.

    A peer that is well does not answer, or its answer is not in the capture, when: the connection negotiated
    timestamps and the probe has none (RFC 7323 3.2 lets the receiver drop it without a word); probes follow each other
    within half a second (Linux answers segments outside of its window no more often, net.ipv4.tcp_invalid_ratelimit);
    or the capture holds one direction alone.

    Look at: the stack that sends the probes; whether a capture at the peer shows answers.
    """
    for keepalive in flow.keepalive:
        reason = _reason(flow, keepalive, context)
        if not reason or keepalive.unanswered < FEWEST:
            continue
        prober, peer = ends_of(flow, keepalive)
        frames = [
            probe.frame for episode in keepalive.episodes for probe in episode.probes if probe.answer_frame is None
        ]
        yield Claim(
            summary=f"{keepalive.unanswered} probes of {prober} without an answer say little about {peer}: {reason}",
            remedy="Do not take it for dead on this alone; capture at the other end, too.",
            frames=tuple(frames),
            observed=reason,
            expected="probes that the peer answers, in a capture that holds the answers",
            source="RFC 7323 3.2; Linux net.ipv4.tcp_invalid_ratelimit",
            confidence="possible",
        )


def _reason(flow: Flow, keepalive: Keepalive, context: Context) -> str:
    peer = 1 - SIDES.index(keepalive.sender)
    if flow.packets[peer] == 0:
        alive = context.facts.tracks.endpoints(KNOWN)[flow.stream, peer] & ACKED_UNSEEN
        return "the capture holds nothing of it" + (", though it was heard" if alive else "")
    if keepalive.without_timestamps:
        return "the probes have no timestamps, the connection has"
    return "they follow each other within half a second"
