"""The finding keepalive-exhausted-but-alive."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.heard import heard_of_peer
from analyzer.diagnose.phrases import ends_of, named, other_side
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.flows import Flow, Keepalive
from analyzer.model.quantities import several, times
from analyzer.model.words import Why

LOSSES_BEFORE = 2
# So many lost in a row are hardly chance: at 10 % loss one run in 100,000.
ENOUGH = 5


@rule(
    "keepalive-exhausted-but-alive",
    severity="high",
    verdicts=("dead_peer",),
    title="Keepalive gave up {connections} to {whom} although the peer was alive",
    moment="RST",
)
def keepalive_exhausted_but_alive(flow: Flow, context: Context) -> Iterator[Claim]:
    """The prober gave up, although the peer was alive.

    The last run of probes got no reply, and the prober reset the connection. But the peer was alive. Its host was
    active on another connection with the prober at that time; or it later sent packets on this one; or it still knew,
    later, a connection that the prober had reset. Or earlier probes had been lost, and the peer had answered the next
    ones. So the network path failed, for this connection or for a while: a lossy link, or a device that forgot an idle
    connection (see middlebox-idle-timeout). The peer may still hold its side open.

    Look at: loss on the network path at that time, and whether the peer received the probes (capture there).

    Against loss, raise the number of probes (TCP_KEEPCNT, net.ipv4.tcp_keepalive_probes): five lost probes are stronger
    evidence than three. Against a device that forgets, the idle time must be shorter than the device's timeout.
    """
    elsewhere = bool(context.silence.alive_elsewhere[flow.stream])
    for keepalive in flow.keepalive:
        gave_up = flow.ending.why is Why.KEEPALIVE_EXHAUSTED and flow.ending.by == keepalive.sender
        recovered = keepalive.episodes.recovered()
        later = gave_up and heard_of_peer(context.facts, flow, keepalive).later
        if not gave_up or not (elsewhere or later or recovered >= LOSSES_BEFORE):
            continue
        prober, peer = ends_of(flow, keepalive)
        evidence = f"had recovered after lost probes {times(recovered)} before"
        if elsewhere:
            evidence = "was alive, as another connection between the two hosts shows"
        elif later:
            evidence = "sent packets on this connection afterwards"
        silent = [probe for probe in keepalive.episodes[-1].probes if probe.answer_frame is None]
        yield Claim(
            summary=f"{prober} gave up the connection to {peer} after "
            f"{several(len(silent), 'unanswered keepalive probe')}, "
            f"but {peer.address} {evidence}",
            remedy=f"Look for packet loss on the path to {peer}, or a device that drops this connection. Against loss, "
            f"{_more_probes(keepalive)}.",
            frames=tuple(probe.frame for probe in silent),
            observed=f"probes without a reply, and a peer that {evidence}",
            expected="a reply, or silence of that host on all connections",
            source="RFC 9293 3.8.4: one unanswered probe proves nothing",
            confidence="likely" if elsewhere or later else "possible",
            at=flow.ending.time,
            whom=named(flow, other_side(keepalive.sender)),
        )


def _more_probes(keepalive: Keepalive) -> str:
    """A count above the one that it had."""
    asked = len(keepalive.episodes[-1].probes)
    return f"raise the number of probes (TCP_KEEPCNT) from {asked} to {max(ENOUGH, asked + 2)}"
