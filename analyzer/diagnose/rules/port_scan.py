"""The finding port-scan."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, earliest, survey
from analyzer.tables.fields import FIRST_FRAME, FIRST_TIME


@survey(
    "port-scan",
    severity="low",
    title="{whom} scanned ports or hosts: {connections} failed",
)
def port_scan(context: Context) -> Iterator[Claim]:
    """One host asked for many ports or hosts, mostly in vain.

    So looks a scanner, a monitoring system that searches, or a program with a wrong list of addresses. What it was
    refused says nothing of the services: they are not blamed for it.

    Look at: who that host is, and whether it is meant to do so.
    """
    for streams in context.scans:
        flow = context.flow(int(streams[0]))
        yield Claim(
            summary=f"{flow.client.address} asked for {len(streams)} connections that were not made, to many ports or "
            "hosts: a scan",
            remedy="Find out whether that host is meant to scan.",
            frames=tuple(context.facts.tracks.flows[streams[:MAX_FRAMES], FIRST_FRAME].tolist()),
            observed=f"{len(streams)} SYNs to different ports or hosts, refused or not answered",
            expected="connections to services that are there",
            source="RFC 9293 3.5",
            confidence="likely",
            streams=tuple(streams.tolist()),
            at=earliest(context.facts.tracks.flows[streams, FIRST_TIME]),
            whom=flow.client.address,
        )
