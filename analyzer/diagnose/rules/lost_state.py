"""The finding lost-state."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.hops import OTHER, SAME, UNKNOWN
from analyzer.diagnose.phrases import ends, named
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.model.flows import SIDES, Flow
from analyzer.model.words import Why

SAID = {
    UNKNOWN: "",
    SAME: ", with the hop limit of its sender's other packets",
    OTHER: ", with another hop limit than its sender's other packets: a device on the path may have made it",
}
ANSWERED = {Why.REPLY_TO_PROBE: "a keepalive probe", Why.REPLY_TO_DATA: "data"}


@rule(
    "lost-state",
    severity="high",
    verdicts=("lost_state",),
    title="{whom} had forgotten {connections} and answered with an RST",
)
def lost_state(flow: Flow, context: Context) -> Iterator[Claim]:
    """The peer no longer knows the connection.

    A probe (or data) reached a TCP that has no such connection, and it answered with a RST (RFC 9293 3.10.7.1). So the
    path works and something answers, but the connection was gone on that side: the host restarted, its address moved
    to another host, the kernel had dropped the socket, or a NAT on the path forgot it and sent the probe on under
    another port. A RST that a device on the path made itself is told apart by its hop limit: see middlebox-reset.

    Look at: when the peer was last heard, against its uptime, failover and deployment logs.

    Between the loss and the first probe the prober's application held a dead connection; a shorter
    net.ipv4.tcp_keepalive_time (TCP_KEEPIDLE) shortens that time.
    """
    ending = flow.ending
    answered = ANSWERED.get(ending.why, "an acknowledgement")
    hops = int(context.reset_hops[flow.stream])
    teller, _ = ends(flow, ending.by or "")
    frames: tuple[int, ...] = ()
    for keepalive in flow.keepalive:
        if keepalive.sender != ending.by and ending.why is Why.REPLY_TO_PROBE:
            frames = tuple(probe.frame for probe in keepalive.episodes[-1].probes[-3:])
    if ending.frame is not None:
        frames += (ending.frame,)
    yield Claim(
        summary=f"{teller} answered {answered} with RST: it no longer knew the connection",
        remedy="Find out what made that side forget: a restart, a failover, a device on the path with a shorter memory "
        "than the connection's idle time. Probe more often than that memory lasts.",
        frames=frames,
        observed=f"RST in answer to {answered}{SAID[hops]}",
        expected="an ACK",
        source="RFC 9293 3.10.7.1",
        confidence="possible" if hops == OTHER else "certain",
        at=ending.time,
        whom=named(flow, ending.by or SIDES[1]),
    )
