"""The finding dead-peer."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.advice import Takes, how_to_set, is_slow, proposed, settings, takes
from analyzer.diagnose.context import Context
from analyzer.diagnose.errors_on_path import PathError, path_errors
from analyzer.diagnose.heard import heard_of_peer, unanswered_at_the_end
from analyzer.diagnose.phrases import ends_of, named, other_side
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.flows import SIDES, Episode, Flow, Keepalive, Probe
from analyzer.model.quantities import duration, several
from analyzer.model.words import How, Outcome, Why
from analyzer.tcp import SECOND

ERRORS_NAMED = 2
# Who has not asked for so many intervals, and so much besides, does not ask any more.
MISSED_TURNS = 3
SLACK_NS = 2_000_000_000


@rule(
    "dead-peer",
    severity="high",
    verdicts=("dead_peer",),
    title="{whom} sent no reply to keepalive probes on {connections}",
    moment="first unanswered probe",
)
def dead_peer(flow: Flow, context: Context) -> Iterator[Claim]:
    """The peer stopped replying to keepalive probes.

    The connection was idle. The kernel of one side (the prober) sent keepalive probes to check the peer, and no reply
    came: the peer is down, or the network path to it is broken. After the configured number of probes the prober's
    kernel resets the connection, and the application gets ETIMEDOUT, or on Linux an error such as EHOSTUNREACH if an
    ICMP error came back. Until then the application held a connection that led nowhere.

    ICMP errors that routers or hosts sent in reply to the probes are named: they say what is wrong, and where.

    Look at: the silent host at the time of its last packet (crash, power, migration), and devices on the network path.
    A capture at the other end shows whether the probes arrived there.

    Detection takes idle time + interval * count, counted from the last packet of the peer. To detect a dead peer
    sooner, set TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT on the socket (Linux), or, for all sockets with
    SO_KEEPALIVE, the sysctls net.ipv4.tcp_keepalive_time, tcp_keepalive_intvl and tcp_keepalive_probes. A kernel sends
    no probes while data is unacknowledged: to limit that time, set TCP_USER_TIMEOUT.
    """
    errors = path_errors(context.facts, flow.stream)
    for keepalive in flow.keepalive:
        peer_side = 1 - SIDES.index(keepalive.sender)
        gave_up = flow.ending.why is Why.KEEPALIVE_EXHAUSTED and flow.ending.by == keepalive.sender
        silent = unanswered_at_the_end(keepalive.episodes[-1])
        if not gave_up and (len(silent) < 2 or flow.ending.how is How.RST):
            continue
        if gave_up and not silent:  # all were answered, in vain: see one-way-loss
            continue
        seen = flow.packets[peer_side] > 0
        said = "".join(f"; {error}" for error in errors[:ERRORS_NAMED])
        yield Claim(
            summary=_summary(flow, keepalive, context, len(silent), gave_up=gave_up, seen=seen) + said,
            remedy=_remedy(flow, keepalive, context, silent, errors),
            frames=tuple(sorted({probe.frame for probe in silent} | {one for error in errors for one in error.frames})),
            observed=f"{several(len(silent), 'probe')}{' in a row' * (len(silent) > 1)} without a reply"
            + _since(context, flow, keepalive, silent)
            + said,
            expected="an ACK to each probe within a round trip",
            source="RFC 9293 3.8.4; Linux net/ipv4/tcp_timer.c tcp_keepalive_timer()",
            confidence="certain" if gave_up and seen and len(silent) > 1 else "likely" if seen else "possible",
            at=silent[0].time,
            whom=named(flow, SIDES[peer_side]),
        )


def _remedy(flow: Flow, keepalive: Keepalive, context: Context, silent: list[Probe], errors: list[PathError]) -> str:
    """What to find out first; then how long detection takes, and, where that is slow, what would be quicker."""
    _, peer = ends_of(flow, keepalive)
    parts = [f"Find out why {peer} stopped replying: check that host, then the network path to it."]
    if errors:
        parts = [f"Check the network path at {errors[0].sender}, which reports {errors[0].says}."]
    elif not flow.packets[1 - SIDES.index(keepalive.sender)]:
        parts = [f"Capture both directions, or at {peer}: this capture cannot show whether it replies."]
    needs, known = takes(keepalive, len(silent)), settings(keepalive)
    took = _took(flow, keepalive)
    if took is not None:
        parts.append(f"Detection took {duration(took)}{f' with {known}' if known else ''}.")
        needs = Takes(took / SECOND, took / SECOND)
    elif needs is not None:
        parts.append(f"Detection takes {needs} with {known}.")
    if is_slow(needs):
        timing = proposed(context.safe_idle[flow.stream])
        parts.append(f"With {timing} it takes {timing.total} s.")
        parts.append(how_to_set(context.facts, flow, timing, (keepalive.sender,)))
    elif needs is not None and needs.high is not None:
        parts.append("The keepalive settings are not the problem.")
    return " ".join(parts)


def _took(flow: Flow, keepalive: Keepalive) -> int | None:
    """How long after the last packet of its peer the prober gave up."""
    gave_up = flow.ending.why is Why.KEEPALIVE_EXHAUSTED and flow.ending.by == keepalive.sender
    seen = flow.packets[1 - SIDES.index(keepalive.sender)] > 0
    return flow.ending.time - keepalive.episodes[-1].start if gave_up and seen and flow.ending.time else None


def _since(context: Context, flow: Flow, keepalive: Keepalive, silent: list[Probe]) -> str:
    """For how long nothing came from the peer before the prober gave up; nothing where it was seen meanwhile."""
    known, start = flow.ending.time, keepalive.episodes[-1].start
    seen = any(heard_of_peer(context.facts, flow, keepalive)) or bool(context.silence.alive_elsewhere[flow.stream])
    if known is None or not silent or start >= silent[0].time or seen:
        return ""
    return (
        f"; no packet from the peer for {duration(known - start)}, {duration(known - silent[0].time)} of these after "
        "the first probe"
    )


def _summary(flow: Flow, keepalive: Keepalive, context: Context, count: int, *, gave_up: bool, seen: bool) -> str:
    prober, peer = ends_of(flow, keepalive)
    episode = keepalive.episodes[-1]
    probes = several(count, "keepalive probe")
    text = f"{peer} sent no reply to {probes} from {prober}"
    if not seen:
        text = f"{peer} is not in this capture, so neither are its replies to {probes} from {prober}"
    if gave_up and flow.ending.time is not None:
        since = f"the {other_side(keepalive.sender)}'s last packet" if seen else "the first of them"
        return f"{text}, which reset the connection {duration(flow.ending.time - episode.start)} after {since}"
    if episode.outcome is Outcome.CLOSED:
        return f"{text}, which then sent data or a FIN and got no reply to that either"
    stopped = _stopped(episode, context)
    if stopped:
        return f"{text}, which stopped probing {duration(stopped)} before the capture ends"
    return f"{text}, which is still waiting at the last captured packet"


def _stopped(episode: Episode, context: Context) -> int:
    """For how long the prober has not asked, where that is longer than any timer of its pace; 0 where it may ask yet.

    A stack that gives up without an RST (FreeRTOS+TCP, a host that was shut down) shows no more than that.
    """
    times = [probe.time for probe in episode.probes[-2:]]
    waited = context.facts.end - times[-1]
    return waited if len(times) == 2 and waited > MISSED_TURNS * (times[1] - times[0]) + SLACK_NS else 0
