"""The finding capture-gap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import MAX_FRAMES, Claim, survey
from analyzer.model.columns import Facts
from analyzer.model.quantities import connections
from analyzer.tables.arrays import Mask
from analyzer.tables.fields import ACKED_UNSEEN, FIRST_FRAME, KNOWN, PACKETS


def _has_gap(facts: Facts) -> Mask:
    known, packets = facts.tracks.endpoints(KNOWN), facts.tracks.endpoints(PACKETS)
    return np.asarray(((known & ACKED_UNSEEN != 0) & (packets > 0)).any(axis=1))


@survey(
    "capture-gap",
    severity="info",
    title="{whom} lacked packets of {connections}",
)
def capture_gap(context: Context) -> Iterator[Claim]:
    """The capture lacks packets that were delivered.

    An acknowledgement covers data that is not in the capture, although other packets of the sender are. Either the
    capture dropped packets (see the line `packets dropped by kernel` that tcpdump prints at its end), or they took
    another route. Probes or replies may be missing too, so an unanswered probe may have been answered.

    Look at: what tcpdump or dumpcap printed at the end, and the load of the capturing host.

    Capture with a larger buffer (tcpdump -B 65536), fewer bytes of each packet (-s 128; -s 256 for tunnels or
    heartbeats) and a filter. Write to a fast disk.
    """
    streams = context.facts.where(_has_gap)
    if not len(streams):
        return
    yield Claim(
        summary=f"The capture lacks packets of {connections(len(streams))}: it shows acknowledgements of data that it "
        f"does not "
        "contain",
        remedy="Capture again with a larger buffer (tcpdump -B 65536), a snaplen (-s 96) and a filter.",
        frames=tuple(context.facts.tracks.flows[streams[:MAX_FRAMES], FIRST_FRAME].tolist()),
        observed="acknowledgements of bytes that no captured packet carries",
        expected="each byte before its acknowledgement",
        source="pcap(3): packets are dropped when the buffer is full",
        streams=tuple(streams.tolist()),
        whom="the capture",
        display_filter="tcp.analysis.ack_lost_segment",
    )
