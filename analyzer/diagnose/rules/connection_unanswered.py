"""The finding connection-unanswered."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.attempts import Attempts, clients_of, failed, told_apart
from analyzer.diagnose.errors_on_path import path_errors
from analyzer.diagnose.phrases import connections
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, earliest, survey
from analyzer.model.words import Handshake
from analyzer.tables.fields import FIRST_FRAME, FIRST_TIME, HANDSHAKE, SYN_RETRANSMITTED


@survey(
    "connection-unanswered",
    severity="info",
    title="{connections} to {whom} got no reply to the SYN",
)
def connection_unanswered(context: Context) -> Iterator[Claim]:
    """A service did not answer when connections were asked for.

    No SYN-ACK came to a SYN, nor to its repetitions: the host is down, the address is nobody's, a firewall drops, or
    the queue of the service is full (Linux drops SYNs then, unless told to send RST). ICMP errors that came instead
    are named. How severe it is depends on how many there were, and how large a part of all to that service.

    Look at: whether the SYN arrives at the host (a capture there), `nstat -az TcpExtListenOverflows TcpExtListenDrops`,
    and the firewalls between.
    """
    alone, together = told_apart(failed(context.facts, Handshake.NO_ANSWER, context.scans))
    for attempts in alone:
        flow = context.flow(int(attempts.streams[0]))
        yield _claim(context, attempts, f"{flow.server} did not answer", attempts.severity)
    if together is not None:
        yield _claim(context, together, "Several services did not answer", "info")


def _claim(context: Context, attempts: Attempts, what: str, severity: str) -> Claim:
    facts = context.facts
    who = clients_of(facts, attempts.streams)
    errors = path_errors(facts, int(attempts.streams[0]))
    said = f"; {errors[0]}" if errors else ""
    rows = facts.tracks.flows[attempts.streams]
    again = bool((rows[:, HANDSHAKE] & SYN_RETRANSMITTED != 0).any())
    return Claim(
        summary=f"{what} {len(attempts.streams)} of {connections(attempts.of)}, from {who} host{'s' * (who > 1)}{said}",
        remedy="See whether the SYNs arrive at the host, whether the queue of the service overflows, and what filters "
        "on the way.",
        frames=tuple(rows[:MAX_FRAMES, FIRST_FRAME].tolist()),
        observed=f"SYNs without a SYN-ACK{', sent again' * again}{said}",
        expected="a SYN-ACK, or a RST where nothing listens",
        source="RFC 9293 3.5 and 3.10.7.4",
        confidence="likely" if again or errors else "possible",
        severity=severity,
        streams=tuple(attempts.streams.tolist()),
        at=earliest(rows[:, FIRST_TIME]),
        whom=context.at_side(attempts.streams, 1),
    )
