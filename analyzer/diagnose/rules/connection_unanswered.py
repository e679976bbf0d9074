"""The finding connection-unanswered."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.attempts import Attempts, clients_of, failed, told_apart
from analyzer.diagnose.context import Context
from analyzer.diagnose.errors_on_path import path_errors
from analyzer.diagnose.registry import MAX_FRAMES, Claim, earliest, survey
from analyzer.model.quantities import several
from analyzer.model.words import Handshake
from analyzer.tables.fields import FIRST_FRAME, FIRST_TIME, HANDSHAKE, SYN_RETRANSMITTED


@survey(
    "connection-unanswered",
    severity="info",
    title="{connections} to {whom} got no reply to the SYN",
    moment="first SYN",
)
def connection_unanswered(context: Context) -> Iterator[Claim]:
    """A service did not reply to connection attempts.

    No SYN-ACK came back for the SYN, nor for its retransmissions. The host is down, nobody has that address, a firewall
    drops the packets, or the accept queue of the service is full (Linux then drops SYNs). ICMP errors that came back
    are named. Severity depends on how many attempts failed, and on their share of all connections to the service.

    Look at: whether the SYN arrives at the host (capture there), `nstat -az TcpExtListenOverflows
    TcpExtListenDrops`, and the firewalls on the path.
    """
    alone, together = told_apart(failed(context.facts, Handshake.NO_ANSWER, context.scans))
    for attempts in alone:
        flow = context.flow(int(attempts.streams[0]))
        yield _claim(context, attempts, str(flow.server), attempts.severity)
    if together is not None:
        yield _claim(context, together, context.at_side(together.streams, 1), "info")


def _claim(context: Context, attempts: Attempts, what: str, severity: str) -> Claim:
    facts = context.facts
    who = clients_of(facts, attempts.streams)
    errors = path_errors(facts, int(attempts.streams[0]))
    said = f"; {errors[0]}" if errors else ""
    rows = facts.tracks.flows[attempts.streams]
    again = bool((rows[:, HANDSHAKE] & SYN_RETRANSMITTED != 0).any())
    return Claim(
        summary=f"{what} sent no reply to {len(attempts.streams)} of {several(attempts.of, 'connection attempt')}, "
        f"from {several(who, 'client')}{said}",
        remedy="Check whether the SYNs arrive at the host. If they do, check its accept queue; if not, firewalls and "
        "routes.",
        frames=tuple(rows[:MAX_FRAMES, FIRST_FRAME].tolist()),
        observed=f"SYNs without a SYN-ACK{', retransmitted' * again}{said}",
        expected="a SYN-ACK, or an RST where nothing listens",
        source="RFC 9293 3.5 and 3.10.7.4",
        confidence="likely" if again or errors else "possible",
        severity=severity,
        streams=tuple(attempts.streams.tolist()),
        at=earliest(rows[:, FIRST_TIME]),
        whom=context.at_side(attempts.streams, 1),
    )
