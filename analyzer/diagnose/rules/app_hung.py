"""The finding app-hung."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.diagnose.words import seconds
from analyzer.layout import REQUEST_FRAME, REQUEST_TIME
from analyzer.model import Flow


@rule("app-hung", severity="medium", verdicts=("app_hung",))
def app_hung(flow: Flow, context: Context) -> Iterator[Claim]:
    """The kernel answers, the application does not.

    A request was acknowledged and never replied to, although requests before it were, and fast; keepalive probes, or
    acknowledgements of heartbeats, show that the host is up and its TCP holds the connection. Keepalive asks kernels,
    and a kernel answers for a process that is stopped, deadlocked or swapped out.

    Look at: threads and queues of the process that should have replied, at the time of the request.

    Only the application's own means notice this: a deadline for each request, heartbeats that must be replied to.
    """
    request = context.facts.tracks.flows[flow.stream]
    frame, time = int(request[REQUEST_FRAME]), int(request[REQUEST_TIME])
    yield Claim(
        summary=f"{flow.server} acknowledged what it was sent {seconds(context.facts.end - time)} before the end of "
        "the capture, and has not replied; its kernel answers",
        remedy="Look at the process that should reply; give requests a deadline.",
        frames=(frame, *(beat for beats in flow.heartbeats for beat in beats.frames[-1:])) if frame else (),
        observed="a request acknowledged and not replied to, and answers of the kernel after it",
        expected="a reply as fast as those before",
        source="RFC 9293 3.8.4: keepalive asks the TCP, not the application",
        confidence="likely",
    )
