"""The finding lost-between-ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.phrases import TWO_CAPTURES, ends, named
from analyzer.diagnose.registry import Claim, Context, survey
from analyzer.model.flows import SIDES
from analyzer.model.words import ProbeKind
from analyzer.tables.arrays import are_among
from analyzer.tables.fields import PROBE_FRAME


@survey(
    "lost-between-ends",
    severity="medium",
    title="The path lost segments that {whom} sent on {connections}",
)
def lost_between_ends(context: Context) -> Iterator[Claim]:
    """What one end sent, the other never saw.

    Two captures of one path (--both-ends): segments are in the one nearer to their sender, and not in the other. They
    were lost on the way, or dropped by a device between, unless the other capture dropped them. A RST among them means
    that the other end was never told, and may hold the connection still.

    Look at: the devices between the two places, at these times; what tcpdump said at its end about dropped packets.
    """
    log = context.facts.tracks.probes
    probes = log[context.facts.probe_kind == ProbeKind.KEEPALIVE, PROBE_FRAME]
    for apart in context.apart:
        if not apart.by_sender:
            continue
        flow = context.flow(apart.stream)
        sender, receiver = ends(flow, SIDES[apart.side])
        kinds = []
        count = int(are_among(np.array(apart.frames, np.int64), probes).sum())
        if count:
            kinds.append(f"{count} probes")
        if apart.resets:
            kinds.append("the RST" if len(apart.resets) == 1 else f"{len(apart.resets)} RSTs")
        among = f" ({', '.join(kinds)} among them)" if kinds else ""
        yield Claim(
            summary=f"{len(apart.frames)} segments of {sender} left it and did not reach {receiver}{among}",
            remedy="Look at the devices between the two places of capture at these times.",
            frames=apart.frames,
            observed=f"segments in capture {apart.capture} that capture {1 - apart.capture}, which was running, lacks",
            expected="the same segments at both ends",
            source=TWO_CAPTURES,
            confidence="likely",
            streams=(apart.stream,),
            whom=named(flow, SIDES[apart.side]),
        )
