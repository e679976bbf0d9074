"""The finding lost-between-ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.phrases import TWO_CAPTURES, ends, named
from analyzer.diagnose.registry import Claim, survey
from analyzer.model.flows import SIDES
from analyzer.model.quantities import several
from analyzer.model.words import ProbeKind
from analyzer.tables.arrays import are_among
from analyzer.tables.fields import PROBE_FRAME


@survey(
    "lost-between-ends",
    severity="medium",
    title="The path lost segments that {whom} sent on {connections}",
)
def lost_between_ends(context: Context) -> Iterator[Claim]:
    """Segments of one side never reached the other.

    In two captures of one network path (--both-ends), the capture nearer to the sender has segments that the other
    lacks. They were lost on the way, or a device dropped them, unless the other capture itself dropped them. If an RST
    is among them, the other side does not know that the connection ended, and may still hold it open.

    Look at: the devices between the two capture points at these times, and what tcpdump printed at the end about
    dropped packets.
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
            kinds.append(several(count, "keepalive probe"))
        if apart.resets:
            kinds.append("the RST" if len(apart.resets) == 1 else f"{len(apart.resets)} RSTs")
        among = f", including {' and '.join(kinds)}" if kinds else ""
        held, other = context.name_of(apart.capture), context.name_of(1 - apart.capture)
        yield Claim(
            summary=f"The network path lost {several(len(apart.frames), 'segment')} from {sender} to {receiver}{among}",
            remedy="Check the devices between the two capture points at these times.",
            frames=apart.frames,
            observed=f"segments in {held} that are missing from {other}, which was capturing at the time",
            expected="the same segments in both captures",
            source=TWO_CAPTURES,
            confidence="likely",
            streams=(apart.stream,),
            whom=named(flow, SIDES[apart.side]),
        )
