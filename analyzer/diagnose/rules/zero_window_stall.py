"""The finding zero-window-stall."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.phrases import ends, named
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.flows import SIDES, Flow
from analyzer.model.quantities import duration, several
from analyzer.tables.fields import ENDPOINT_SIZE, HEAD_SIZE, REQUEST_FRAME, ZERO_SINCE


@rule(
    "zero-window-stall",
    severity="medium",
    verdicts=("zero_window_stall",),
    title="{whom} stopped reading from {connections}",
    moment="closed window",
)
def zero_window_stall(flow: Flow, context: Context) -> Iterator[Claim]:
    """The receiver stopped reading, and its window stayed closed.

    The receiver's kernel is alive and answers window probes, but its application does not read the data that arrived. A
    TCP keeps such a connection for as long as the probes are answered (RFC 9293 3.8.6.1). Neither keepalive nor
    retransmission ends it, so the sender's application waits indefinitely.

    Look at: the receiving process (blocked, stopped, out of memory, or waiting for the sender itself).

    On Linux TCP_USER_TIMEOUT on the sender's socket ends it. A write deadline in the application works everywhere.
    """
    row = context.facts.tracks.flows[flow.stream].tolist()
    for side in range(2):
        since = row[HEAD_SIZE + side * ENDPOINT_SIZE + ZERO_SINCE]
        probes = flow.zero_window_probes[1 - side]
        if not since or not probes:
            continue
        receiver, sender = ends(flow, SIDES[side])
        yield Claim(
            summary=f"{receiver} stopped reading: its window has been 0 for {duration(context.facts.end - since)}, "
            f"and {sender} "
            f"sent {several(probes, 'window probe')}",
            remedy=f"Find out what blocks the process on {receiver}. Set a write deadline or TCP_USER_TIMEOUT in the "
            f"sender.",
            frames=(row[REQUEST_FRAME],) if row[REQUEST_FRAME] else (),
            observed="a window of 0 until the end of the capture, and window probes",
            expected="a window that opens again",
            source="RFC 9293 3.8.6.1",
            at=since,
            whom=named(flow, SIDES[side]),
        )
