"""The finding one-way-loss."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.heard import answered_in_vain, heard_of_peer, unanswered_at_the_end
from analyzer.diagnose.phrases import ends_of
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.model.flows import Flow, Keepalive, Probe
from analyzer.model.words import Why


@rule(
    "one-way-loss",
    severity="high",
    verdicts=("middlebox_drop", "dead_peer"),
    title="The path lost packets in one direction on {connections} to {whom}",
)
def one_way_loss(flow: Flow, context: Context) -> Iterator[Claim]:
    """Probes go unanswered, or their answers unheard, and yet the peer is alive.

    Two probes in a row at least drew no answer, while segments of the peer (its own probes, retransmissions) are in the
    capture after them. Or the answers are in the capture, and the prober asked again as if none had come: they were
    lost behind the point of capture, as its timestamps or the pace of its probes show. So the host is up, and what goes
    one way gets lost: a device on the path that forgot the connection in one direction, an asymmetric route, a filter.
    Each end will think the other dead.

    Look at: a capture at the other end, which shows whether the probes arrive there and are answered; the state
    tables of firewalls, NATs and load balancers between.

    Probe more often than such a device forgets; see middlebox-reset.
    """
    unheard, unanswered = [], []
    for keepalive in flow.keepalive:
        gave_up = flow.ending.why is Why.KEEPALIVE_EXHAUSTED and flow.ending.by == keepalive.sender
        silent = unanswered_at_the_end(keepalive.episodes[-1])
        in_vain = answered_in_vain(keepalive, gave_up=gave_up)
        if len(in_vain) > 1 or (in_vain and gave_up):
            unheard.append(_unheard(flow, keepalive, in_vain, gave_up=gave_up))
        elif len(silent) > 1 and heard_of_peer(context.facts, flow, keepalive).meanwhile:
            unanswered.append(_unanswered(flow, keepalive, silent))
    if len(unheard) == len(unanswered) == 1:
        yield _one_way(unanswered[0], unheard[0])
    else:
        yield from (*unheard, *unanswered)


def _one_way(unanswered: Claim, unheard: Claim) -> Claim:
    """One end's probes and its answers to the other's are lost on the same way: one event."""
    return unanswered._replace(
        summary=f"{unanswered.summary}; {unheard.summary}",
        frames=tuple(sorted({*unanswered.frames, *unheard.frames})),
        observed=f"{unanswered.observed}; {unheard.observed}",
        expected=f"{unanswered.expected}; {unheard.expected}",
        source=unheard.source,
    )


def _unheard(flow: Flow, keepalive: Keepalive, probes: list[Probe], *, gave_up: bool) -> Claim:
    """The way back is lost, behind the point of capture."""
    prober, peer = ends_of(flow, keepalive)
    answers = [probe.answer_frame for probe in probes if probe.answer_frame is not None]
    return Claim(
        summary=f"{peer} answered {prober}, and {len(probes)} of its answers did not arrive there"
        + (": it gave up" if gave_up else ": it asks on"),
        remedy=f"Look between the point of capture and {prober.address}: a device that filters or forgets one "
        "direction, or a route that differs by direction.",
        frames=tuple(sorted({probe.frame for probe in probes} | set(answers))),
        observed="answers in this capture, and a prober that asks again, and echoes, as if none had come",
        expected="the next probe after the idle time, echoing the timestamp of the last answer",
        source="RFC 9293 3.8.4; RFC 7323 4.3",
        confidence="likely",
        at=probes[0].time,
    )


def _unanswered(flow: Flow, keepalive: Keepalive, silent: list[Probe]) -> Claim:
    prober, peer = ends_of(flow, keepalive)
    return Claim(
        summary=f"{peer} did not answer {len(silent)} probes of {prober}, but was sending all the same",
        remedy="Capture at the other end, too; look for a device that filters or forgets one direction, and for "
        "routes that differ by direction.",
        frames=tuple(probe.frame for probe in silent),
        observed=f"{len(silent)} probes in a row without an answer, and segments of the peer after them",
        expected="an ACK to each probe within a round trip",
        source="RFC 9293 3.8.4",
        confidence="likely",
        at=silent[0].time,
    )
