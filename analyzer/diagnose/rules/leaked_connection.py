"""The finding leaked-connection."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.phrases import connections, seconds
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.unprobed import overdue
from analyzer.tables.arrays import Column, distinct
from analyzer.tables.fields import FIRST_FRAME, FIRST_TIME

FEWEST = 4
# A pool fills at once and stays as large as it is; a leak goes on.
STEPS = 4


@survey(
    "leaked-connection",
    severity="medium",
    title="{whom} opened {connections} one after another and left them idle",
)
def leaked_connection(context: Context) -> Iterator[Claim]:
    """Connections to one service become more and more, and none of them is used again.

    A client opened one after another over the whole time of the capture, each fell silent, and none was closed. So
    looks a program that forgets to close: a response body that is not read to its end (Go), a client made anew for
    each request, a pool without a limit. At some time it has no file descriptors left, or the server has not.

    A pool that grows with the load looks alike for a while: compare with how many requests there were.

    Look at: who opens these connections (`ss -tnp`), and how many descriptors the process has (`/proc/PID/fd`).
    """
    flows = context.facts.tracks.flows
    for group in context.by_service_and_path(context.judged("unprotected")):
        if len(group) < FEWEST or not _goes_on(began := np.sort(flows[group, FIRST_TIME]), context):
            continue
        flow = context.flow(int(group[0]))
        half = int((began <= (began[0] + began[-1]) // 2).sum())
        yield Claim(
            summary=f"{connections(len(group))} of {flow.client.address} to {flow.server} opened one after another "
            "and left idle",
            remedy="Find what opens them without closing: read responses to their end and close them, share one "
            "client, limit the pool; give idle connections a limit (IdleConnTimeout, idle_timeout).",
            frames=tuple(flows[group[:MAX_FRAMES], FIRST_FRAME].tolist()),
            observed=f"{half} in the first half of {seconds(began[-1] - began[0])}, {len(group)} at its end, "
            "none used again",
            expected="as many as are in use, or a pool that stops growing",
            source="RFC 9293 3.6: a connection lasts until both ends close it",
            confidence="possible",
            streams=tuple(group.tolist()),
            tentative=int(overdue(context, group).sum()) < FEWEST,
            at=int(began[0]),
            whom=flow.client.address,
        )


def _goes_on(began: Column, context: Context) -> bool:
    """Whether these beginnings, in order, lie all over a time that is long beside the silence that counts as idle."""
    span = int(began[-1] - began[0])
    steps = distinct((began - began[0]) * STEPS // (span + 1))
    return span * 2 >= context.idle_after and len(steps) == STEPS
