"""The finding middlebox-reset."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.model.flows import Flow
from analyzer.model.words import Why
from analyzer.tables.fields import RESET_ABORT, RESET_WHY

ANSWERED = {Why.REPLY_TO_PROBE: "a keepalive probe", Why.REPLY_TO_DATA: "data"}


@rule(
    "middlebox-reset",
    severity="high",
    verdicts=("middlebox_reset",),
    title="A device on the path to {whom} reset {connections}",
)
def middlebox_reset(flow: Flow, context: Context) -> Iterator[Claim]:
    """A device on the path forgot the connection, and reset it in the peer's name.

    A firewall, a load balancer or a NAT keeps a table of connections and drops those that were idle for too long. Some
    answer what comes later with a RST that carries the peer's address, some reset both ends when the time is over. The
    hop limit (TTL) tells: the RST passed fewer routers, or more, than any other packet of the peer. The peer may hold
    the connection still.

    Look at: the longest time without a packet before the RST; the device's idle timeout for TCP is no longer than that.
    See middlebox-idle-timeout.

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
    what = f"{answered} between {flow.client} and {flow.server} was answered with RST"
    if ending.why is Why.NONE and context.facts.tracks.flows[flow.stream, RESET_WHY] == RESET_ABORT:
        what = f"{flow.client} and {flow.server} were silent, and then reset"
    yield Claim(
        summary=f"{what} by a device on the path",
        remedy="Find the firewall, load balancer or NAT, and its idle timeout. Probe more often than it forgets.",
        frames=frames,
        observed="a RST with fewer or more hops behind it than any other packet of the host that it names",
        expected="an ACK, or a RST with the hop limit of that host's packets",
        source="RFC 9293 3.10.7.1",
        confidence="likely",
        at=ending.time,
    )
