"""The finding duplicate-capture."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.registry import Claim, Context, survey

FEWEST = 10
SHARE = 0.1


@survey("duplicate-capture", severity="info")
def duplicate_capture(context: Context) -> Iterator[Claim]:
    """Packets are in the capture twice.

    A capture on all interfaces of a router or a host with bridges and containers sees a packet on each that it passes;
    a mirror port may copy both directions of two ports. Each packet is counted once here; other tools take the second
    copies for retransmissions, duplicate acknowledgements and keepalive probes.

    Look at: which interfaces were captured, and what the mirror port mirrors.

    Capture on one interface, or remove copies with editcap -d before using other tools.
    """
    for place, capture in enumerate(context.captures):
        own = capture.duplicates - capture.shared
        if own < FEWEST or own < SHARE * capture.tcp_packets:
            continue
        yield Claim(
            summary=f"{own} of {capture.tcp_packets} TCP packets{context.where(place)} are second copies, counted once",
            remedy="Capture on one interface, or remove the copies with editcap -d before using other tools.",
            frames=(),
            observed=f"{own} packets captured twice",
            expected="each packet once",
            source="Linux packet(7): a packet socket on all interfaces sees each interface's packets",
        )
