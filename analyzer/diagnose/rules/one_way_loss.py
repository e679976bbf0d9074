"""The finding one-way-loss."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.registry import MAX_FRAMES, Context, frames_filter, rule
from analyzer.model import Evidence, Finding, Flow


@rule("one-way-loss", severity="high", verdicts=("middlebox_drop",))
def one_way_loss(flow: Flow, context: Context) -> Iterator[Finding]:
    """Probes go unanswered, and yet the peer is alive: it sends in its own right.

    Two probes in a row at least drew no answer, while segments of the peer (its own probes, retransmissions) are in the
    capture after them. So the host is up, and what goes one way gets lost: a device on the path that forgot the
    connection in one direction, an asymmetric route, a filter. Each end will think the other dead.

    Look at: a capture at the other end, which shows whether the probes arrive there and are answered; the state
    tables of firewalls, NATs and load balancers between.

    Probe more often than such a device forgets; see middlebox-reset.
    """
    for keepalive in flow.keepalive:
        silent = [probe for probe in keepalive.episodes[-1].probes if probe.answer_frame is None]
        if len(silent) < 2:
            continue
        frames = tuple(probe.frame for probe in silent[:MAX_FRAMES])
        prober, peer = (flow.client, flow.server)[:: 1 if keepalive.sender == "client" else -1]
        yield Finding(
            rule="one-way-loss",
            severity="high",
            confidence="likely",
            stream=flow.stream,
            summary=f"{peer} did not answer {len(silent)} probes of {prober}, but was sending all the same",
            remedy="Capture at the other end, too; look for a device on the path that forgets idle connections.",
            evidence=Evidence(
                frames=frames,
                observed=f"{len(silent)} probes in a row without an answer, and segments of the peer after them",
                expected="an ACK to each probe within a round trip",
                source="RFC 9293 3.8.4",
                display_filter=frames_filter(frames, flow, context),
            ),
        )
