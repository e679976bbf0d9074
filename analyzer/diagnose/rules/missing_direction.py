"""The finding missing-direction."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import MAX_FRAMES, Claim, survey
from analyzer.model.columns import Facts
from analyzer.model.quantities import connections
from analyzer.tables.arrays import Mask
from analyzer.tables.fields import ACKED_UNSEEN, FIRST_FRAME, KNOWN, PACKETS

FEWEST = 3


def _is_half(facts: Facts) -> Mask:
    known, packets = facts.tracks.endpoints(KNOWN), facts.tracks.endpoints(PACKETS)
    absent = (packets == 0) & (known & ACKED_UNSEEN != 0) & (packets[:, ::-1] >= FEWEST)
    return np.asarray(absent.any(axis=1))


@survey(
    "missing-direction",
    severity="info",
    title="{whom} recorded only one direction of {connections}",
)
def missing_direction(context: Context) -> Iterator[Claim]:
    """Only one direction of a connection was captured.

    One side acknowledges data that it can only have received from its peer, but no packet of that peer is in the
    capture: a mirror port copies one direction, the return route is different, or a filter excludes it. Whether probes
    were answered is unknown, so nothing is said about that.

    Look at: where the capture was made, and its filter.

    Capture both directions: on one of the two hosts, or with a mirror of both directions.
    """
    streams = context.facts.where(_is_half)
    if not len(streams):
        return
    yield Claim(
        summary=f"The capture contains only one direction of {connections(len(streams))}",
        remedy="Capture on one of the two hosts, or mirror both directions.",
        frames=tuple(context.facts.tracks.flows[streams[:MAX_FRAMES], FIRST_FRAME].tolist()),
        observed="acknowledgements that advance, and no packet that they acknowledge",
        expected="packets of both sides",
        source="RFC 9293 3.4",
        streams=tuple(streams.tolist()),
        whom="the capture",
    )
