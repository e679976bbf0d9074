"""The finding lost-state."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.advice import LATE, USUAL, how_to_set, proposed
from analyzer.diagnose.context import Context
from analyzer.diagnose.hops import OTHER, SAME, UNKNOWN
from analyzer.diagnose.phrases import ends, named
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.flows import SIDES, Flow
from analyzer.model.quantities import duration
from analyzer.model.words import Why
from analyzer.tcp import SECOND

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
    moment="RST",
)
def lost_state(flow: Flow, context: Context) -> Iterator[Claim]:
    """The peer no longer knows the connection.

    A probe (or data) reached a TCP that has no such connection, and it answered with RST (RFC 9293 3.10.7.1). So the
    network path works and something answers, but that side has lost the connection: the host restarted, its address
    moved to another host, the kernel dropped the socket, or a NAT on the path forgot it and sent the probe on from
    another port. If a device on the path made the RST itself, its hop limit (TTL) shows that: see middlebox-reset.

    Look at: the time of the peer's last packet, against its uptime and its failover and deployment logs.

    From the loss to the first probe, the prober's application held a dead connection. A shorter
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
        remedy=f"Find out why {teller} lost the connection: a restart, a failover, or a device on the path that "
        f"forgot it." + _sooner(flow, context),
        frames=frames,
        observed=f"an RST in reply to {answered}{SAID[hops]}",
        expected="an ACK",
        source="RFC 9293 3.10.7.1",
        confidence="possible" if hops == OTHER else "certain",
        at=ending.time,
        whom=named(flow, ending.by or SIDES[1]),
    )


def _sooner(flow: Flow, context: Context) -> str:
    """What a shorter idle time would have shown sooner, where the one that was seen is long."""
    for keepalive in flow.keepalive:
        if keepalive.sender == flow.ending.by or flow.ending.why is not Why.REPLY_TO_PROBE:
            continue
        last = keepalive.episodes[-1]
        waited = last.probes[0].time - last.start
        if waited > LATE * USUAL.idle * SECOND:
            timing = proposed(context.safe_idle[flow.stream])
            how = how_to_set(context.facts, flow, timing, (keepalive.sender,))
            return f" The first probe came after {duration(waited)} of silence; {timing.idle} s shows it sooner. {how}"
    return ""
