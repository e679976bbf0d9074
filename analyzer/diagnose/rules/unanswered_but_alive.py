"""The finding unanswered-but-alive."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.lost import lost_probes
from analyzer.diagnose.phrases import ends_of, named, other_side, times
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Flow, Keepalive
from analyzer.tables.arrays import Mask
from analyzer.tables.fields import ACKED_UNSEEN, KNOWN, PACKETS

FEWEST = 2


def _explained(facts: Facts) -> Mask:
    """Connections with unanswered probes that something else than a dead peer explains."""
    explained = np.zeros(2 * len(facts), bool)
    for who, _ in lost_probes(facts):
        explained |= np.bincount(who, minlength=2 * len(facts)) >= FEWEST
    unseen = (facts.tracks.endpoints(PACKETS) == 0)[:, ::-1] & (facts.unanswered >= FEWEST)
    return np.asarray((explained.reshape(-1, 2) | unseen).any(axis=1))


@rule(
    "unanswered-but-alive",
    severity="low",
    where=_explained,
    title="Unanswered keepalive probes on {connections} do not prove that {whom} failed",
)
def unanswered_but_alive(flow: Flow, context: Context) -> Iterator[Claim]:
    """Probes went unanswered for a reason that says nothing about the peer.

    A peer that is well does not answer, or its answer is not in the capture, when: the connection negotiated
    timestamps and the probe has none (RFC 7323 3.2 lets the receiver drop it without a word; most answer all the
    same, and a host that did so in this capture is not suspected of it); probes follow each other within half a
    second (Linux answers segments outside of its window no more often, net.ipv4.tcp_invalid_ratelimit); the first
    probe after each silence gets lost and the next does not (a tunnel, a radio or an address resolution that has to
    wake up first); or the capture holds one direction alone.

    Look at: the stack that sends the probes; whether a capture at the peer shows answers.
    """
    for keepalive in flow.keepalive:
        reason, frames = _reason(flow, keepalive, context)
        if len(frames) < FEWEST:
            continue
        prober, peer = ends_of(flow, keepalive)
        yield Claim(
            summary=f"{len(frames)} probes of {prober} without an answer say little about {peer}: {reason}",
            remedy="Do not take it for dead on this alone; capture at the other end, too.",
            frames=frames,
            observed=reason,
            expected="probes that the peer answers, in a capture that holds the answers",
            source="RFC 7323 3.2; Linux net.ipv4.tcp_invalid_ratelimit",
            confidence="possible",
            whom=named(flow, other_side(keepalive.sender)),
        )


def _reason(flow: Flow, keepalive: Keepalive, context: Context) -> tuple[str, tuple[int, ...]]:
    """Why probes went unanswered, and which; none where nothing explains them."""
    prober = SIDES.index(keepalive.sender)
    if flow.packets[1 - prober] == 0:
        heard = context.facts.tracks.endpoints(KNOWN)[flow.stream, 1 - prober] & ACKED_UNSEEN
        lost = [one.frame for episode in keepalive.episodes for one in episode.probes if one.answer_frame is None]
        return "the capture holds nothing of it" + (", though it was heard" if heard else ""), tuple(lost)
    bare, quick, first = (context.lost.frames(why, 2 * flow.stream + prober) for why in ("bare", "quick", "first"))
    if len(bare) >= FEWEST:
        return "the probes have no timestamps, the connection has", bare
    if len(quick) >= FEWEST:
        return "they follow others within half a second", quick
    silences = len(keepalive.episodes)
    often = "each time" if len(first) == silences else f"{times(len(first))} in {silences}"
    return f"the first probe after a silence was lost {often}, and the next was answered", (
        first if 2 * len(first) > silences else ()
    )
