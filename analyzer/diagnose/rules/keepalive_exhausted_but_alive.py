"""The finding keepalive-exhausted-but-alive."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.heard import heard_of_peer
from analyzer.diagnose.phrases import ends_of, named, other_side
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.model.flows import Flow
from analyzer.model.words import Why

LOSSES_BEFORE = 2


@rule(
    "keepalive-exhausted-but-alive",
    severity="high",
    verdicts=("dead_peer",),
    title="Keepalive gave up {connections} to {whom} although the peer was alive",
)
def keepalive_exhausted_but_alive(flow: Flow, context: Context) -> Iterator[Claim]:
    """The prober gave up, but its peer was alive.

    All probes of the last run went unanswered, and the prober reset the connection. But the peer's host was heard at
    that time, on another connection with the same prober, or still knew such a connection later, or it spoke on this
    one afterwards, or the path had lost probes before and the peer had answered those that followed. So it was the path
    that failed, for this connection or for a while: a lossy link, or a device that forgot an idle connection (see
    middlebox-idle-timeout). The peer may hold its side still.

    Look at: loss on the path at that time, and whether the peer saw the probes (a capture there).

    Against loss, raise the count rather than the interval (TCP_KEEPCNT, net.ipv4.tcp_keepalive_probes): five probes
    that are lost in a row say more than three. Against a device that forgets, lower the idle time.
    """
    elsewhere = bool(context.silence.alive_elsewhere[flow.stream])
    for keepalive in flow.keepalive:
        gave_up = flow.ending.why is Why.KEEPALIVE_EXHAUSTED and flow.ending.by == keepalive.sender
        recovered = keepalive.episodes.recovered()
        later = gave_up and heard_of_peer(context.facts, flow, keepalive).later
        if not gave_up or not (elsewhere or later or recovered >= LOSSES_BEFORE):
            continue
        prober, peer = ends_of(flow, keepalive)
        evidence = f"had answered after {recovered} losses"
        if elsewhere:
            evidence = "was alive, as another connection shows"
        elif later:
            evidence = "spoke on this connection afterwards"
        yield Claim(
            summary=f"{prober} gave up on {peer}, which {evidence}",
            remedy="Look for loss and for devices that forget idle connections on the path; a higher count "
            "of probes outlasts loss, a lower idle time keeps devices from forgetting.",
            frames=tuple(probe.frame for probe in keepalive.episodes[-1].probes if probe.answer_frame is None),
            observed=f"probes without an answer, and a peer that {evidence}",
            expected="an answer, or silence of that host on all connections",
            source="RFC 9293 3.8.4: no single probe may be taken for proof",
            confidence="likely" if elsewhere or later else "possible",
            at=flow.ending.time,
            whom=named(flow, other_side(keepalive.sender)),
        )
