"""The finding leaked-connection."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import MAX_FRAMES, Claim, survey
from analyzer.model.quantities import connections, duration
from analyzer.tables.arrays import Column, distinct
from analyzer.tables.fields import FIRST_FRAME, FIRST_TIME, LONGEST_GAP

FEWEST = 4
# A pool fills at once and stays as large as it is; a leak goes on.
STEPS = 4


@survey(
    "leaked-connection",
    severity="medium",
    title="{whom} opened {connections} one after another and left them idle",
    moment="first packet",
)
def leaked_connection(context: Context) -> Iterator[Claim]:
    """The number of idle connections to a service keeps growing, and none is used again.

    During the capture a client opened one connection after another. Each went idle, and none was closed. A program that
    forgets to close looks like this: a response body that is neither read to its end nor closed (Go), a new client
    object for each request, a pool without a limit. In the end the client or the server runs out of file descriptors.

    A pool that grows with the load looks the same for a while: compare it with the number of requests.

    Look at: which program opens these connections (`ss -tnp`), and how many descriptors it has (`/proc/PID/fd`).

    Read responses to their end and close them, share one client object, limit the pool, and close idle connections.
    """
    flows = context.facts.tracks.flows
    for group in context.by_service_and_path(context.judged("unprotected"), FEWEST):
        group = group[flows[group, LONGEST_GAP] <= context.idle_after]  # used once, and never again
        if len(group) < FEWEST or not _goes_on(began := np.sort(flows[group, FIRST_TIME]), context):
            continue
        client, server = context.ends(int(group[0]))
        half = int((began <= (began[0] + began[-1]) // 2).sum())
        yield Claim(
            summary=f"{client.address} opened {connections(len(group))} to {server} one after another, used "
            "each once, and left them idle: possibly a leak",
            remedy=f"Find the program on {client.address} that opens connections without closing them. Read "
            "responses to their end and close them, share one client object, limit the pool, and set an idle timeout.",
            frames=tuple(flows[group[:MAX_FRAMES], FIRST_FRAME].tolist()),
            observed=f"{len(group)} opened within {duration(began[-1] - began[0])}, {half} of them in its first half; "
            "none used again",
            expected="only connections in use, or a pool that stops growing",
            source="RFC 9293 3.6: a connection lasts until both ends close it",
            confidence="possible",
            streams=tuple(group.tolist()),
            tentative=int(context.overdue[group].sum()) < FEWEST,
            at=int(began[0]),
            whom=client.address,
        )


def _goes_on(began: Column, context: Context) -> bool:
    """Whether these beginnings, in order, lie all over a time that is long beside the silence that counts as idle.

    A pool has stopped growing when nothing was opened for twice as long as it took to fill.
    """
    span = int(began[-1] - began[0])
    steps = distinct((began - began[0]) * STEPS // (span + 1))
    stopped = context.facts.end - int(began[-1]) > 2 * max(span, context.idle_after)
    return span * 2 >= context.idle_after and len(steps) == STEPS and not stopped
