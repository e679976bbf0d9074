"""The finding dead-peer."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.diagnose.words import ends_of, how_to_probe, seconds, times
from analyzer.kinds import How, Outcome, Why
from analyzer.model import SIDES, Episode, Flow, Keepalive, Probe

GAVE_UP = (Why.KEEPALIVE_EXHAUSTED, Why.USER_TIMEOUT)


@rule("dead-peer", severity="high", verdicts=("dead_peer",))
def dead_peer(flow: Flow, context: Context) -> Iterator[Claim]:
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
        yield Claim(
            summary=_summary(flow, keepalive, episode, len(silent), gave_up=gave_up, seen=seen),
            remedy="Find out what happened to the silent host or the path when it was last heard; to notice sooner, "
            f"lower idle time, interval and count of the prober ({how_to_probe(flow.server.port)}; for all sockets "
            "sysctl net.ipv4.tcp_keepalive_time, tcp_keepalive_intvl, tcp_keepalive_probes).",
            frames=tuple(probe.frame for probe in silent),
            observed=f"{len(silent)} probe{'s in a row' if len(silent) > 1 else ''} without an answer"
            + _since(episode, silent, flow),
            expected="an ACK to each probe within a round trip",
            source="RFC 9293 3.8.4; Linux net/ipv4/tcp_timer.c tcp_keepalive_timer()",
            confidence="certain" if gave_up and seen and len(silent) > 1 else "likely" if seen else "possible",
        )


def _unanswered_at_the_end(episode: Episode) -> list[Probe]:
    answered = [number for number, probe in enumerate(episode.probes) if probe.answer_frame is not None]
    return list(episode.probes[answered[-1] + 1 if answered else 0 :])


def _since(episode: Episode, silent: list[Probe], flow: Flow) -> str:
    """Since when the peer was dead, at the earliest and at the latest, before that was known."""
    known = flow.ending.time
    if known is None or not silent or episode.start >= silent[0].time:
        return ""
    return (
        f"; the peer was gone for {seconds(known - silent[0].time)} at least, and {seconds(known - episode.start)} at "
        "most, when that was known"
    )


def _summary(flow: Flow, keepalive: Keepalive, episode: Episode, count: int, *, gave_up: bool, seen: bool) -> str:
    prober, peer = ends_of(flow, keepalive)
    text = f"{peer} did not answer: {prober} probed {times(count)}"
    if not seen:
        text = f"no answer of {peer} is in this capture, nor anything else of it: {prober} probed {times(count)}"
    if gave_up and flow.ending.time is not None:
        since = "it last heard from it" if seen else "the first of them"
        return f"{text} and gave up {seconds(flow.ending.time - episode.start)} after {since}"
    if episode.outcome is Outcome.CLOSED:
        return f"{text} and then sent something else, in vain"
    return f"{text} and was still waiting when the capture ended"
