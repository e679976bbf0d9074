"""The finding middlebox-reset."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.registry import Context, frames_filter, rule
from analyzer.model import Evidence, Finding, Flow, Why

ANSWERED = {Why.REPLY_TO_PROBE: "a keepalive probe", Why.REPLY_TO_DATA: "data"}


@rule("middlebox-reset", severity="high", verdicts=("middlebox_reset",))
def middlebox_reset(flow: Flow, context: Context) -> Iterator[Finding]:
    """A device on the path forgot the connection, and reset it in the peer's name.

    A firewall, a load balancer or a NAT keeps a table of connections and drops those that were idle for too long. Some
    answer what comes later with a RST that carries the peer's address. Its hop limit (TTL) tells: it passed fewer
    routers than any packet of the peer has. The peer, which heard nothing, may hold the connection still.

    Look at: the longest time without a packet before the RST; the device's idle timeout for TCP is no longer than that.

    Probe more often than the device forgets: a net.ipv4.tcp_keepalive_time (TCP_KEEPIDLE) well below its timeout, for
    timers fire late, never early; or raise the timeout on the device.
    """
    ending = flow.ending
    answered = ANSWERED.get(ending.why, "an acknowledgement")
    frames: tuple[int, ...] = ()
    for keepalive in flow.keepalive:
        if ending.why is Why.REPLY_TO_PROBE and keepalive.reset:
            frames = tuple(probe.frame for probe in keepalive.episodes[-1].probes[-3:])
    if ending.frame is not None:
        frames += (ending.frame,)
    yield Finding(
        rule="middlebox-reset",
        severity="high",
        confidence="likely",
        stream=flow.stream,
        summary=f"{answered} between {flow.client} and {flow.server} was answered with RST by a device on the path",
        remedy="Find the firewall, load balancer or NAT, and its idle timeout. Probe more often than it forgets.",
        evidence=Evidence(
            frames=frames,
            observed="a RST with fewer hops behind it than any packet of the host that it names",
            expected="an ACK, or a RST with the hop limit of that host's packets",
            source="RFC 9293 3.10.7.1",
            display_filter=frames_filter(frames, flow, context),
        ),
    )
