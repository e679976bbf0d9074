"""The finding app-hung."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.hung import is_known, replies
from analyzer.diagnose.phrases import named, seconds
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.model.flows import SIDES, Flow
from analyzer.tables.fields import REQUEST_FRAME, REQUEST_TIME

PROBES_SHOWN = 3


@rule(
    "app-hung",
    severity="medium",
    verdicts=("app_hung",),
    title="{whom} acknowledged requests on {connections} but sent no reply",
)
def app_hung(flow: Flow, context: Context) -> Iterator[Claim]:
    """The kernel answers, the application does not.

    A request was acknowledged and never replied to; keepalive probes, or acknowledgements of heartbeats, show that the
    host is up and its TCP holds the connection. Keepalive asks kernels, and a kernel answers for a process that is
    stopped, deadlocked or swapped out. It is likely where requests as long as this one were replied to before, and
    fast; it is possible where there was little before, or nothing: not every message wants a reply.

    Look at: threads and queues of the process that should have replied, at the time of the request.

    Only the application's own means notice this: a deadline for each request, heartbeats that must be replied to.
    """
    facts = context.facts
    request = facts.tracks.flows[flow.stream]
    before = replies(facts, flow.stream)
    beats = [one.frames[-1] for one in flow.heartbeats if one.frames]
    known = is_known(facts, flow.stream) or bool(flow.heartbeats)
    frame, time = int(request[REQUEST_FRAME]), int(request[REQUEST_TIME])
    yield Claim(
        summary=f"{flow.server} acknowledged what it was sent {seconds(facts.end - time)} before the end of "
        "the capture, and has not replied; its kernel answers",
        remedy="Look at the process that should reply; give requests a deadline.",
        frames=tuple(sorted({frame, *beats, *_answers(flow, time)} - {0})),
        observed="a request acknowledged and not replied to, and answers of the kernel after it",
        expected="a reply as fast as those before" if before else "a reply, if it was a request",
        source="RFC 9293 3.8.4: keepalive asks the TCP, not the application",
        confidence="likely" if known else "possible",
        at=time or None,
        whom=named(flow, SIDES[1]),
    )


def _answers(flow: Flow, since: int) -> list[int]:
    """The first answered probes after that time, and their answers."""
    probes = [probe for entry in flow.keepalive for episode in entry.episodes for probe in episode.probes]
    after = [probe for probe in probes if probe.answer_frame is not None and probe.time > since]
    return [frame for probe in after[:PROBES_SHOWN] for frame in (probe.frame, probe.answer_frame or 0)]
