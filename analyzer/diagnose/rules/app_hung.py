"""The finding app-hung."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.hung import is_known, replies, unheard_beats
from analyzer.diagnose.phrases import ends, named
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.flows import SIDES, Flow
from analyzer.model.quantities import duration
from analyzer.tables.fields import REQUEST_FRAME, REQUEST_TIME

PROBES_SHOWN = 3


@rule(
    "app-hung",
    severity="medium",
    verdicts=("app_hung",),
    title="{whom} acknowledged requests on {connections} but sent no reply",
    moment="request",
)
def app_hung(flow: Flow, context: Context) -> Iterator[Claim]:
    """The kernel replies, the application does not.

    The server acknowledged a request and never replied to it, or one side its peer's heartbeats. Answered keepalive
    probes, or acknowledged heartbeats, show that the host is up and that its TCP still has the connection. Keepalive
    only checks the kernel, and the kernel answers for a process that is stopped, deadlocked or swapped out.

    Confidence is `likely` where requests of this size got quick replies before, and `possible` otherwise: not every
    message wants a reply.

    Look at: threads and queues of the process that should have replied, at the time of the request.

    Only the application can notice this: set a deadline for each request, or use heartbeats that must be answered.
    """
    facts = context.facts
    request = facts.tracks.flows[flow.stream]
    before = replies(facts, flow.stream)
    beats = [one.frames[-1] for one in flow.heartbeats if one.frames]
    known = is_known(facts, flow.stream) or bool(flow.heartbeats)
    frame, time = int(request[REQUEST_FRAME]), int(request[REQUEST_TIME])
    beating = unheard_beats(facts.alone(flow.stream), context.idle_after)[0]
    side = SIDES[0] if beating[1] and not beating[0] else SIDES[1]  # the client, where only the server's are unheard
    silent, asking = ends(flow, side)
    what = "a request" if known else "data, possibly a request,"
    if beating.any():
        what = next(f"heartbeats ({one.name})" for one in flow.heartbeats if one.sender != side)
    yield Claim(
        summary=f"{silent} acknowledged {what} but sent no reply in {duration(facts.end - time)}; its kernel still "
        "answers",
        remedy=f"Find out what blocks the process behind {silent}. Set a deadline for each "
        f"{'heartbeat' if beating.any() else 'request'} in {'the client' if side == SIDES[1] else asking}.",
        frames=tuple(sorted({frame, *beats, *_answers(flow, time)} - {0})),
        observed="a request that was acknowledged and got no reply; later probes or heartbeats were acknowledged",
        expected="a reply as quick as earlier ones" if before else "a reply, if the data was a request",
        source="RFC 9293 3.8.4: keepalive checks TCP, not the application",
        confidence="likely" if known else "possible",
        at=time or None,
        whom=named(flow, side),
    )


def _answers(flow: Flow, since: int) -> list[int]:
    """The first answered probes after that time, and their answers."""
    probes = [probe for entry in flow.keepalive for episode in entry.episodes for probe in episode.probes]
    after = [probe for probe in probes if probe.answer_frame is not None and probe.time > since]
    return [frame for probe in after[:PROBES_SHOWN] for frame in (probe.frame, probe.answer_frame or 0)]
