"""The finding zero-window-stall."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.phrases import ends, named, seconds
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.model.flows import SIDES, Flow
from analyzer.tables.fields import ENDPOINT_SIZE, HEAD_SIZE, REQUEST_FRAME, ZERO_SINCE


@rule(
    "zero-window-stall",
    severity="medium",
    verdicts=("zero_window_stall",),
    title="{whom} stopped reading from {connections}",
)
def zero_window_stall(flow: Flow, context: Context) -> Iterator[Claim]:
    """The receiver stopped reading, and its window stayed closed.

    Its kernel is alive and answers the probes of its window; its application does not read what arrived. A TCP keeps
    such a connection for as long as the probes are answered (RFC 9293 3.8.6.1), so neither keepalive nor
    retransmission ends it: the sender's application waits for good.

    Look at: the receiving process (blocked, stopped, out of memory, waiting for the sender in turn).

    TCP_USER_TIMEOUT on the sender's socket ends it on Linux; a write deadline in the application does everywhere.
    """
    row = context.facts.tracks.flows[flow.stream].tolist()
    for side in range(2):
        since = row[HEAD_SIZE + side * ENDPOINT_SIZE + ZERO_SINCE]
        probes = flow.zero_window_probes[1 - side]
        if not since or not probes:
            continue
        receiver, sender = ends(flow, SIDES[side])
        yield Claim(
            summary=f"{receiver} has let nothing in for {seconds(context.facts.end - since)}; {sender} probed its "
            f"window {probes} times",
            remedy="See what the receiving process is doing; give the sender a write deadline or TCP_USER_TIMEOUT.",
            frames=(row[REQUEST_FRAME],) if row[REQUEST_FRAME] else (),
            observed="a window of 0 to the end of the capture, and probes of it",
            expected="a window that opens again",
            source="RFC 9293 3.8.6.1",
            at=since,
            whom=named(flow, SIDES[side]),
        )
