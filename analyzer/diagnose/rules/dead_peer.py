"""The finding dead-peer."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.registry import MAX_FRAMES, Context, frames_filter, rule
from analyzer.model import SIDES, Episode, Evidence, Finding, Flow, How, Keepalive, Outcome, Probe, Why

SECOND = 1_000_000_000
GAVE_UP = (Why.KEEPALIVE_EXHAUSTED, Why.USER_TIMEOUT)


@rule("dead-peer", severity="high", verdicts=("dead_peer",))
def dead_peer(flow: Flow, context: Context) -> Iterator[Finding]:
    """The peer stopped answering keepalive probes.

    The connection was idle, one endpoint's kernel asked whether the peer was still there, and no answer came: the peer
    (or the path to it) was dead. After the configured number of probes the prober's kernel resets the connection and
    the application gets ETIMEDOUT; until then it held a connection that led nowhere.

    Look at: the host of the silent side at the time it was last heard (crash, power, migration), and devices on the
    path. A capture at the other end shows whether the probes arrived there.

    To notice sooner, probe sooner: on Linux per socket with TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT, or for all
    sockets that ask for keepalive with the sysctls net.ipv4.tcp_keepalive_time, tcp_keepalive_intvl and
    tcp_keepalive_probes. A dead peer is known tcp_keepalive_time + tcp_keepalive_probes * tcp_keepalive_intvl seconds
    after it was last heard. Probes are held back while data is unacknowledged: there TCP_USER_TIMEOUT sets the limit.
    """
    for keepalive in flow.keepalive:
        peer_side = 1 - SIDES.index(keepalive.sender)
        gave_up = flow.ending.why in GAVE_UP and flow.ending.by == keepalive.sender
        episode = keepalive.episodes[-1]
        silent = _unanswered_at_the_end(episode)
        if not gave_up and (len(silent) < 2 or flow.ending.how is How.RST):
            continue
        seen = flow.packets[peer_side] > 0
        frames = tuple(probe.frame for probe in silent[:MAX_FRAMES])
        yield Finding(
            rule="dead-peer",
            severity="high",
            confidence="certain" if gave_up and seen and len(silent) > 1 else "likely" if seen else "possible",
            stream=flow.stream,
            summary=_summary(flow, keepalive, episode, len(silent), gave_up=gave_up, seen=seen),
            remedy="Find out what happened to the silent host or the path when it was last heard; to notice sooner, "
            "lower TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT on the prober's socket "
            "(sysctl net.ipv4.tcp_keepalive_time, tcp_keepalive_intvl, tcp_keepalive_probes).",
            evidence=Evidence(
                frames=frames,
                observed=f"{len(silent)} probes in a row without an answer",
                expected="an ACK to each probe within a round trip",
                source="RFC 9293 3.8.4; Linux net/ipv4/tcp_timer.c tcp_keepalive_timer()",
                display_filter=frames_filter(frames, flow, context),
            ),
        )


def _unanswered_at_the_end(episode: Episode) -> list[Probe]:
    answered = [number for number, probe in enumerate(episode.probes) if probe.answer_frame is not None]
    return list(episode.probes[answered[-1] + 1 if answered else 0 :])


def _summary(flow: Flow, keepalive: Keepalive, episode: Episode, count: int, *, gave_up: bool, seen: bool) -> str:
    peer = flow.server if keepalive.sender == "client" else flow.client
    prober = flow.client if keepalive.sender == "client" else flow.server
    times = "once" if count == 1 else f"{count} times"
    text = f"{peer} did not answer: {prober} probed {times}"
    if not seen:
        text = f"no answer of {peer} is in this capture, nor anything else of it: {prober} probed {times}"
    if gave_up and flow.ending.time is not None:
        since = "it last heard from it" if seen else "the first of them"
        return f"{text} and gave up {(flow.ending.time - episode.start) / SECOND:.1f} s after {since}"
    if episode.outcome is Outcome.CLOSED:
        return f"{text} and then sent something else, in vain"
    return f"{text} and was still waiting when the capture ended"
