"""The finding middlebox-reset."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.flows import Flow
from analyzer.model.words import Why
from analyzer.tables.fields import RESET_ABORT, RESET_WHY

ANSWERED = {Why.REPLY_TO_PROBE: "a keepalive probe", Why.REPLY_TO_DATA: "data"}


@rule(
    "middlebox-reset",
    severity="high",
    verdicts=("middlebox_reset",),
    title="A device on the path to {whom} reset {connections}",
    moment="RST",
)
def middlebox_reset(flow: Flow, context: Context) -> Iterator[Claim]:
    """A device on the network path reset the connection in the peer's name.

    A firewall, load balancer or NAT keeps a table of connections and drops those that are idle for too long. Some
    devices answer later packets with an RST that carries the peer's address; some reset both ends when the time is up.
    The hop limit (TTL) shows it: the RST passed fewer or more routers than any other packet of the peer. The peer may
    still hold the connection open.

    Look at: the longest silence before the RST. The device's idle timeout for TCP is no longer than that. See
    middlebox-idle-timeout.

    Use a keepalive idle time (net.ipv4.tcp_keepalive_time, TCP_KEEPIDLE) well below the device's timeout: Linux timers
    fire up to an eighth late. Or raise the timeout on the device.
    """
    ending = flow.ending
    answered = ANSWERED.get(ending.why, "an acknowledgement")
    frames: tuple[int, ...] = ()
    for keepalive in flow.keepalive:
        if ending.why is Why.REPLY_TO_PROBE and keepalive.reset:
            frames = tuple(probe.frame for probe in keepalive.episodes[-1].probes[-3:])
    if ending.frame is not None:
        frames += (ending.frame,)
    what = f"reset the connection of {flow.client} to {flow.server} in reply to {answered}"
    if ending.why is Why.NONE and context.facts.tracks.flows[flow.stream, RESET_WHY] == RESET_ABORT:
        what = f"reset the silent connection of {flow.client} to {flow.server}"
    yield Claim(
        summary=f"A device on the path {what}",
        remedy="Find the firewall, load balancer or NAT on the path and its idle timeout for TCP. Set the keepalive "
        "idle "
        "time below that timeout.",
        frames=frames,
        observed="an RST with another hop limit (TTL) than all other packets of the host that it names",
        expected="an ACK, or an RST with the hop limit of that host's packets",
        source="RFC 9293 3.10.7.1",
        confidence="likely",
        at=ending.time,
    )
