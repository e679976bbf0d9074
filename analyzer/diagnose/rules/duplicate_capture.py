"""The finding duplicate-capture."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import Claim, survey

FEWEST = 10
SHARE = 0.1
BOUNDARY_NS = 500_000_000  # packets of several interfaces are out of order by less where one file ends


@survey(
    "duplicate-capture",
    severity="info",
    title="{whom} recorded many packets twice",
)
def duplicate_capture(context: Context) -> Iterator[Claim]:
    """The capture contains packets twice.

    A capture on all interfaces of a router, or of a host with bridges and containers, sees a packet once on each
    interface that it passes. A mirror port may copy both directions of two ports. This analysis counts each packet
    once. Other tools take the second copies for retransmissions, duplicate ACKs and keepalive probes.

    Look at: which interfaces were captured, and what the mirror port copies.

    Capture on one interface. editcap -d removes only identical copies that follow each other closely; copies taken on
    both sides of a router differ in MAC addresses and TTL, and stay.
    """
    for own, tcp_packets, where in _counted(context):
        if own < FEWEST or own < SHARE * tcp_packets:
            continue
        yield Claim(
            summary=f"{own:,} of {tcp_packets:,} TCP packets{where} are second copies; each packet is counted once",
            remedy="Capture on one interface, or let editcap -d remove copies that follow each other closely.",
            frames=(),
            observed=f"{own:,} packets captured twice",
            expected="each packet once",
            source="Linux packet(7): a packet socket on all interfaces sees each interface's packets",
            whom=where.removeprefix(" of ") or "the capture",
        )


def _counted(context: Context) -> Iterator[tuple[int, int, str]]:
    """Second copies, TCP packets, and of which capture: files that follow one another are one capture."""
    captures = context.captures
    spans = sorted((one.first_time, one.last_time or 0) for one in captures if one.first_time is not None)
    in_a_row = all(one[1] - BOUNDARY_NS <= other[0] for one, other in pairwise(spans))
    if in_a_row and not any(capture.same_traffic for capture in captures):
        yield sum(one.duplicates for one in captures), sum(one.tcp_packets for one in captures), ""
        return
    for place, capture in enumerate(captures):
        yield capture.duplicates - capture.shared, capture.tcp_packets, context.where(place)
