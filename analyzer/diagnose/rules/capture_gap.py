"""The finding capture-gap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.phrases import connections
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.model.columns import Facts
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

    An acknowledgement covers data that is not in the capture, although the sender's other packets are. So the capture
    dropped them (tcpdump says at its end how many `packets dropped by kernel`), or they went another way. A probe or an
    answer may be missing as well: one that seems unanswered need not be.

    Look at: what tcpdump or dumpcap said when it ended, and the load of the capturing host.

    Capture with a larger buffer (tcpdump -B), fewer octets of each packet (-s 96) and a filter; write to a fast disk.
    """
    streams = context.facts.where(_has_gap)
    if not len(streams):
        return
    yield Claim(
        summary=f"data of {connections(len(streams))} was acknowledged that the capture does not hold",
        remedy="Capture with a larger buffer (tcpdump -B 65536), a snaplen (-s 96) and a filter.",
        frames=tuple(context.facts.tracks.flows[streams[:MAX_FRAMES], FIRST_FRAME].tolist()),
        observed="acknowledgements of octets that no packet of the capture carries",
        expected="each octet before its acknowledgement",
        source="pcap(3): packets dropped for want of room in the buffer",
        streams=tuple(streams.tolist()),
        whom="the capture",
        display_filter="tcp.analysis.ack_lost_segment",
    )
