"""The finding connection-refused."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.attempts import Attempts, clients_of, failed, told_apart
from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import MAX_FRAMES, Claim, earliest, survey
from analyzer.model.quantities import connections, several
from analyzer.model.words import Handshake
from analyzer.tables.fields import RESET_FRAME, RESET_TIME


@survey(
    "connection-refused",
    severity="info",
    title="{whom} refused {connections}",
    moment="RST",
)
def connection_refused(context: Context) -> Iterator[Claim]:
    """A service refused connections.

    An RST answered the SYN. So the host is up (or a device answers in its name), but nothing accepts connections on
    that port: the service is not running or listens on another address, or a firewall rejects the connection. Severity
    depends on how many connections were refused, and on their share of all connections to the service.

    Look at: `ss -ltn` on that host, and the log of the service at that time.

    A single refused connection among many is often a program that checks whether a service is up.
    """
    alone, together = told_apart(failed(context.facts, Handshake.REFUSED, context.scans))
    for attempts in alone:
        flow = context.flow(int(attempts.streams[0]))
        yield _claim(context, attempts, str(flow.server), attempts.severity)
    if together is not None:
        yield _claim(context, together, context.at_side(together.streams, 1), "info")


def _claim(context: Context, attempts: Attempts, what: str, severity: str) -> Claim:
    who = clients_of(context.facts, attempts.streams)
    frames = context.facts.tracks.flows[attempts.streams[:MAX_FRAMES], RESET_FRAME]
    return Claim(
        summary=f"{what} refused {len(attempts.streams)} of {connections(attempts.of)}, from {several(who, 'client')}",
        remedy="Check that the service runs and listens on this address and port. If it does, look for a firewall "
        "that rejects.",
        frames=tuple(frames.tolist()),
        observed="an RST in reply to a SYN",
        expected="a SYN-ACK",
        source="RFC 9293 3.10.7.1",
        severity=severity,
        streams=tuple(attempts.streams.tolist()),
        at=earliest(context.facts.tracks.flows[attempts.streams, RESET_TIME]),
        whom=context.at_side(attempts.streams, 1),
    )
