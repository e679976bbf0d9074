"""The finding dead-peer."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.errors_on_path import path_errors
from analyzer.diagnose.heard import heard_of_peer, unanswered_at_the_end
from analyzer.diagnose.phrases import ends_of, for_all_sockets, named, seconds, times
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.diagnose.systems import QUICK_S, detection, how_to_probe_by, is_windows
from analyzer.model.flows import SIDES, Episode, Flow, Keepalive, Probe
from analyzer.model.words import How, Outcome, Why

ERRORS_NAMED = 2
# Who has not asked for so many intervals, and so much besides, does not ask any more.
MISSED_TURNS = 3
SLACK_NS = 2_000_000_000


@rule(
    "dead-peer",
    severity="high",
    verdicts=("dead_peer",),
    title="{whom} sent no reply to keepalive probes on {connections}",
)
def dead_peer(flow: Flow, context: Context) -> Iterator[Claim]:
    """The peer stopped answering keepalive probes.

    The connection was idle, one endpoint's kernel asked whether the peer was still there, and no answer came: the peer
    (or the path to it) was dead. After the configured number of probes the prober's kernel resets the connection and
    the application gets ETIMEDOUT; until then it held a connection that led nowhere.

    Look at: the host of the silent side at the time it was last heard (crash, power, migration), and devices on the
    path. A capture at the other end shows whether the probes arrived there.

    ICMP errors that routers or hosts sent in answer to the probes are named: they say what is wrong, and where.

    To notice sooner, probe sooner: on Linux per socket with TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT, or for all
    sockets that ask for keepalive with the sysctls net.ipv4.tcp_keepalive_time, tcp_keepalive_intvl and
    tcp_keepalive_probes. A dead peer is known tcp_keepalive_time + tcp_keepalive_probes * tcp_keepalive_intvl seconds
    after it was last heard. Probes are held back while data is unacknowledged: there TCP_USER_TIMEOUT sets the limit.
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
            remedy=_remedy(flow, keepalive, context),
            frames=tuple(sorted({probe.frame for probe in silent} | {one for error in errors for one in error.frames})),
            observed=f"{len(silent)} probe{'s in a row' if len(silent) > 1 else ''} without an answer"
            + _since(context, flow, keepalive, silent, refused=bool(errors))
            + said,
            expected="an ACK to each probe within a round trip",
            source="RFC 9293 3.8.4; Linux net/ipv4/tcp_timer.c tcp_keepalive_timer()",
            confidence="certain" if gave_up and seen and len(silent) > 1 else "likely" if seen else "possible",
            at=silent[0].time,
            whom=named(flow, SIDES[peer_side]),
        )


def _remedy(flow: Flow, keepalive: Keepalive, context: Context) -> str:
    text = "Find out what happened to the silent host or the path when it was last heard"
    takes = detection(keepalive, len(unanswered_at_the_end(keepalive.episodes[-1])))
    if takes is not None and takes <= QUICK_S:
        return f"{text}. The settings need no change: they notice a dead peer within {takes:.4g} s."
    windows = is_windows(context.facts, flow, SIDES.index(keepalive.sender))
    how = how_to_probe_by(context.facts, flow, keepalive)
    return (
        f"{text}; to notice sooner, lower idle time, interval and count of the prober ({how}; for all sockets "
        f"{for_all_sockets(windows=windows)})."
    )


def _since(context: Context, flow: Flow, keepalive: Keepalive, silent: list[Probe], *, refused: bool) -> str:
    """Since when the peer was dead, at the earliest and at the latest, before that was known; not if it was heard.

    A peer that something else refused the probes for is not gone, as far as anybody knows.
    """
    known, start = flow.ending.time, keepalive.episodes[-1].start
    heard = any(heard_of_peer(context.facts, flow, keepalive)) or bool(context.silence.alive_elsewhere[flow.stream])
    if known is None or not silent or start >= silent[0].time or heard:
        return ""
    where = "out of reach" if refused else "gone"
    return (
        f"; the peer was {where} for {seconds(known - silent[0].time)} at least, and {seconds(known - start)} at "
        "most, when that was known"
    )


def _summary(flow: Flow, keepalive: Keepalive, context: Context, count: int, *, gave_up: bool, seen: bool) -> str:
    prober, peer = ends_of(flow, keepalive)
    episode = keepalive.episodes[-1]
    text = f"{peer} did not answer: {prober} probed {times(count)}"
    if not seen:
        text = f"no answer of {peer} is in this capture, nor anything else of it: {prober} probed {times(count)}"
    if gave_up and flow.ending.time is not None:
        since = "it last heard from it" if seen else "the first of them"
        return f"{text} and gave up {seconds(flow.ending.time - episode.start)} after {since}"
    if episode.outcome is Outcome.CLOSED:
        return f"{text} and then sent something else, in vain"
    stopped = _stopped(episode, context)
    if stopped:
        return f"{text} and no more in the {seconds(stopped)} until the capture ended: it had stopped asking"
    return f"{text} and was still waiting when the capture ended"


def _stopped(episode: Episode, context: Context) -> int:
    """For how long the prober has not asked, where that is longer than any timer of its pace; 0 where it may ask yet.

    A stack that gives up without a RST (FreeRTOS+TCP, a host that was shut down) shows no more than that.
    """
    times = [probe.time for probe in episode.probes[-2:]]
    waited = context.facts.end - times[-1]
    return waited if len(times) == 2 and waited > MISSED_TURNS * (times[1] - times[0]) + SLACK_NS else 0
