"""The finding reset-between-ends."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.phrases import TWO_CAPTURES, ends, named
from analyzer.diagnose.registry import Claim, survey
from analyzer.model.flows import SIDES


@survey(
    "reset-between-ends",
    severity="high",
    title="A device on the path reset {connections} in the name of {whom}",
    moment="RST",
)
def reset_between_ends(context: Context) -> Iterator[Claim]:
    """An RST arrived that its apparent sender never sent.

    In two captures of one network path (--both-ends), the capture nearer to the receiver has the RST, and the capture
    nearer to the host whose address it carries does not. A device between the two made it: a firewall, a load balancer
    or a NAT that had forgotten the connection, or was configured to end it.

    Look at: the devices between the two capture points. Compare middlebox-reset, which shows the same by the hop
    limit.
    """
    for apart in context.apart:
        if apart.by_sender or not apart.resets:
            continue
        flow = context.flow(apart.stream)
        origin, receiver = ends(flow, SIDES[apart.side])
        held, other = context.name_of(apart.capture), context.name_of(1 - apart.capture)
        yield Claim(
            summary=f"{receiver} received an RST in the name of {origin}, which {origin} did not send",
            remedy="Find the device between the two capture points that sent the RST, and check its idle timeout.",
            frames=apart.resets,
            observed=f"an RST in {held} that is missing from {other}, which is nearer to its sender",
            expected="the same RST in both captures",
            source=TWO_CAPTURES,
            confidence="likely",
            streams=(apart.stream,),
            at=flow.ending.time,
            whom=named(flow, SIDES[apart.side]),
        )
