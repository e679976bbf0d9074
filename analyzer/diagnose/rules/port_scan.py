"""The finding port-scan."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import MAX_FRAMES, Claim, earliest, survey
from analyzer.tables.fields import FIRST_FRAME, FIRST_TIME


@survey(
    "port-scan",
    severity="low",
    title="{whom} scanned ports or hosts: {connections} failed",
    moment="first packet",
)
def port_scan(context: Context) -> Iterator[Claim]:
    """One host tried many ports or hosts, and most refused or did not reply.

    A port scanner looks like this, and so does an inventory or monitoring system that scans for services, or a program
    with a wrong list of addresses. Connections of a scan are not reported as failures of the services.

    Look at: which host that is, and whether it is meant to scan.
    """
    for streams in context.scans:
        flow = context.flow(int(streams[0]))
        yield Claim(
            summary=f"{flow.client.address} tried {len(streams):,} connections to many ports or hosts that refused or "
            f"did not "
            "reply: a port scan",
            remedy=f"Find out whether {flow.client.address} is meant to scan.",
            frames=tuple(context.facts.tracks.flows[streams[:MAX_FRAMES], FIRST_FRAME].tolist()),
            observed=f"{len(streams):,} SYNs to different ports or hosts, refused or without a reply",
            expected="connections to services that exist",
            source="RFC 9293 3.5",
            confidence="likely",
            streams=tuple(streams.tolist()),
            at=earliest(context.facts.tracks.flows[streams, FIRST_TIME]),
            whom=flow.client.address,
        )
