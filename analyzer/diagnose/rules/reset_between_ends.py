"""The finding reset-between-ends."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.phrases import TWO_CAPTURES, ends, named
from analyzer.diagnose.registry import Claim, Context, survey
from analyzer.model.flows import SIDES


@survey(
    "reset-between-ends",
    severity="high",
    title="A device on the path reset {connections} in the name of {whom}",
)
def reset_between_ends(context: Context) -> Iterator[Claim]:
    """A RST arrived that the host it names never sent.

    Two captures of one path (--both-ends): the RST is in the one nearer to its receiver, and not in the one nearer to
    the host whose address it bears. A device between made it: a firewall, a load balancer or a NAT that had forgotten
    the connection, or was told to end it.

    Look at: the devices between the two places; compare middlebox-reset, which tells the same by the hop limit.
    """
    for apart in context.apart:
        if apart.by_sender or not apart.resets:
            continue
        flow = context.flow(apart.stream)
        origin, receiver = ends(flow, SIDES[apart.side])
        yield Claim(
            summary=f"{receiver} got a RST in the name of {origin}, which {origin} did not send",
            remedy="Find the device between the two places of capture that made it, and its idle timeout.",
            frames=apart.resets,
            observed=f"a RST in capture {apart.capture} that capture {1 - apart.capture}, nearer to its sender, lacks",
            expected="the same RST at both ends",
            source=TWO_CAPTURES,
            confidence="likely",
            streams=(apart.stream,),
            at=flow.ending.time,
            whom=named(flow, SIDES[apart.side]),
        )
