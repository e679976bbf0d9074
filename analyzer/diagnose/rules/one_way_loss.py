"""The finding one-way-loss."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.heard import answered_in_vain, heard_of_peer, unanswered_at_the_end
from analyzer.diagnose.phrases import ends_of
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.flows import Flow, Keepalive, Probe
from analyzer.model.quantities import several
from analyzer.model.words import Why


@rule(
    "one-way-loss",
    severity="high",
    verdicts=("middlebox_drop", "dead_peer"),
    title="The path lost packets in one direction on {connections} to {whom}",
    moment="first unanswered probe",
)
def one_way_loss(flow: Flow, context: Context) -> Iterator[Claim]:
    """Packets are lost in one direction, and the peer is alive.

    At least two probes in a row got no reply, but the capture shows later segments of the peer (its own probes,
    retransmissions). Or the replies are in the capture, and the prober went on as if none had arrived: they were lost
    beyond the capture point, as its timestamps or the pace of its probes show. So the host is up, and packets in one
    direction are lost: a device forgot the connection in one direction, routes are asymmetric, or a filter drops them.
    A side that sends probes or data into the loss takes the other for dead.

    Look at: a capture at the other end, which shows whether the probes arrive there and are answered; the state
    tables of firewalls, NATs and load balancers on the path.

    If a device forgets idle connections, use an idle time below its timeout: see middlebox-idle-timeout.
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
        summary=f"{prober} did not receive {len(probes)} {'reply' if len(probes) == 1 else 'replies'} from {peer} "
        f"that the "
        f"capture shows, and {'gave up' if gave_up else 'keeps probing'}",
        remedy=f"Check the path from the capture point to {prober.address} for a filter or an asymmetric route. A "
        f"device that "
        "forgot the connection in one direction looks the same.",
        frames=tuple(sorted({probe.frame for probe in probes} | set(answers))),
        observed="replies in the capture, and a prober that sends and echoes as if none had arrived",
        expected="the next probe after the idle time, with the timestamp of the last reply",
        source="RFC 9293 3.8.4; RFC 7323 4.3",
        confidence="likely",
        at=probes[0].time,
    )


def _unanswered(flow: Flow, keepalive: Keepalive, silent: list[Probe]) -> Claim:
    prober, peer = ends_of(flow, keepalive)
    return Claim(
        summary=f"{peer} sent no reply to {several(len(silent), 'keepalive probe')} from {prober}, but kept sending "
        f"other packets",
        remedy=f"Capture at {peer} to see whether the probes arrive. Look for a filter, a device that forgot one "
        f"direction, "
        "or an asymmetric route.",
        frames=tuple(probe.frame for probe in silent),
        observed=f"{several(len(silent), 'probe')} in a row without a reply, and later segments of the peer",
        expected="an ACK to each probe within a round trip",
        source="RFC 9293 3.8.4",
        confidence="likely",
        at=silent[0].time,
    )
