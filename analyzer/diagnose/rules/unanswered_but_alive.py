"""The finding unanswered-but-alive."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.lost import lost_probes
from analyzer.diagnose.phrases import ends_of, named, other_side
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Flow, Keepalive
from analyzer.model.quantities import several
from analyzer.tables.arrays import Mask
from analyzer.tables.fields import ACKED_UNSEEN, KNOWN, PACKETS

FEWEST = 2
BY_CHANCE = 0.05


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
    """Probes got no reply, for a reason that says nothing about the peer.

    There are four such reasons: a healthy peer sends no reply, or its reply is not captured. The connection negotiated
    timestamps and the probe has none: RFC 7323 3.2 says that the receiver should drop it silently (most reply anyway; a
    host that replied to such probes in this capture is not suspected of it). Probes follow each other within half a
    second: Linux answers out-of-window segments no more often than that (net.ipv4.tcp_invalid_ratelimit). The first
    probe after each silence is lost and the next one is not: a tunnel has to be set up, a radio woken, or an address
    resolved first. Or the capture contains one direction only.

    Look at: the TCP stack that sends the probes, and whether a capture at the peer shows replies.
    """
    for keepalive in flow.keepalive:
        reason, frames = _reason(flow, keepalive, context)
        if len(frames) < FEWEST:
            continue
        prober, peer = ends_of(flow, keepalive)
        yield Claim(
            summary=f"{several(len(frames), 'keepalive probe')} from {prober} got no reply, but that does not prove "
            f"{peer} dead: "
            f"{reason}",
            remedy=f"Capture at {peer} to see whether it replies. Do not treat it as dead on this evidence alone.",
            frames=frames,
            observed=reason,
            expected="probes that get a reply, in a capture that contains the replies",
            source="RFC 7323 3.2; Linux net.ipv4.tcp_invalid_ratelimit",
            confidence="possible",
            whom=named(flow, other_side(keepalive.sender)),
        )


def _reason(flow: Flow, keepalive: Keepalive, context: Context) -> tuple[str, tuple[int, ...]]:
    """Why probes went unanswered, and which; none where nothing explains them."""
    prober = SIDES.index(keepalive.sender)
    if flow.packets[1 - prober] == 0:
        acked = context.facts.tracks.endpoint(KNOWN, flow.stream, 1 - prober) & ACKED_UNSEEN
        lost = [one.frame for episode in keepalive.episodes for one in episode.probes if one.answer_frame is None]
        known = ", although acknowledgements show that it sent some" if acked else ""
        return f"the capture contains no packet from it{known}", tuple(lost)
    bare, quick, first = (context.lost.frames(why, 2 * flow.stream + prober) for why in ("bare", "quick", "first"))
    if len(bare) >= FEWEST:
        return "the probes have no timestamps, but the connection uses them", bare
    if len(quick) >= FEWEST:
        return "they follow other probes within half a second", quick
    silences, unanswered = len(keepalive.episodes), keepalive.unanswered
    often = "each time" if len(first) == silences else f"in {len(first)} of {silences} silences"
    tells = len(first) == silences or chance(len(first), silences, unanswered, keepalive.probes) <= BY_CHANCE
    return f"the first probe after a silence was lost {often}, and the next got a reply", first if tells else ()


def chance(firsts_lost: int, firsts: int, lost: int, probes: int) -> float:
    """How likely so many first probes of silences are among those lost, if it meets any probe alike (hypergeometric).

    On a path that loses some of all packets most of the lost are first probes: a second is sent only after such a one.
    """
    others = probes - firsts
    ways = (math.comb(firsts, n) * math.comb(others, lost - n) for n in range(firsts_lost, min(firsts, lost) + 1))
    return sum(ways) / math.comb(probes, lost)
