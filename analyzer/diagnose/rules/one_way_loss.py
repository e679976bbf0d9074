"""The finding one-way-loss."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.heard import heard_of_peer, unanswered_at_the_end
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.diagnose.words import ends_of
from analyzer.model import Flow


@rule("one-way-loss", severity="high", verdicts=("middlebox_drop", "dead_peer"))
def one_way_loss(flow: Flow, context: Context) -> Iterator[Claim]:
    """Probes go unanswered, and yet the peer is alive: it sends in its own right.

    Two probes in a row at least drew no answer, while segments of the peer (its own probes, retransmissions) are in the
    capture after them. So the host is up, and what goes one way gets lost: a device on the path that forgot the
    connection in one direction, an asymmetric route, a filter. Each end will think the other dead.

    Look at: a capture at the other end, which shows whether the probes arrive there and are answered; the state
    tables of firewalls, NATs and load balancers between.

    Probe more often than such a device forgets; see middlebox-reset.
    """
    for keepalive in flow.keepalive:
        silent = unanswered_at_the_end(keepalive.episodes[-1])
        if len(silent) < 2 or not heard_of_peer(context.facts, flow, keepalive).meanwhile:
            continue
        prober, peer = ends_of(flow, keepalive)
        yield Claim(
            summary=f"{peer} did not answer {len(silent)} probes of {prober}, but was sending all the same",
            remedy="Capture at the other end, too; look for a device that filters or forgets one direction, and for "
            "routes that differ by direction.",
            frames=tuple(probe.frame for probe in silent),
            observed=f"{len(silent)} probes in a row without an answer, and segments of the peer after them",
            expected="an ACK to each probe within a round trip",
            source="RFC 9293 3.8.4",
            confidence="likely",
        )
