"""The finding connection-refused."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.attempts import Attempts, clients_of, failed, told_apart
from analyzer.diagnose.phrases import connections
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, earliest, survey
from analyzer.model.words import Handshake
from analyzer.tables.fields import RESET_FRAME, RESET_TIME


@survey(
    "connection-refused",
    severity="info",
    title="{whom} refused {connections}",
)
def connection_refused(context: Context) -> Iterator[Claim]:
    """A service turned connections away.

    A SYN was answered by a RST: the host is up, or something in its name, and nothing listens on that port: the
    service is not running, listens on another address, or its queue is full and net.ipv4.tcp_abort_on_overflow is set;
    or a firewall rejects. How severe it is depends on how many were turned away, and how large a part of all.

    Look at: `ss -ltn` on that host, and the log of the service at that time.

    One refused connection among many is often a program that looks whether a service is there.
    """
    alone, together = told_apart(failed(context.facts, Handshake.REFUSED, context.scans))
    for attempts in alone:
        flow = context.flow(int(attempts.streams[0]))
        yield _claim(context, attempts, f"{flow.server} refused", attempts.severity)
    if together is not None:
        yield _claim(context, together, "Several services refused", "info")


def _claim(context: Context, attempts: Attempts, what: str, severity: str) -> Claim:
    who = clients_of(context.facts, attempts.streams)
    frames = context.facts.tracks.flows[attempts.streams[:MAX_FRAMES], RESET_FRAME]
    return Claim(
        summary=f"{what} {len(attempts.streams)} of {connections(attempts.of)}, from {who} host{'s' * (who > 1)}",
        remedy="See whether the service runs and listens on this address and port, and what rejects it if it does.",
        frames=tuple(frames.tolist()),
        observed="a RST in answer to a SYN",
        expected="a SYN-ACK",
        source="RFC 9293 3.10.7.1",
        severity=severity,
        streams=tuple(attempts.streams.tolist()),
        at=earliest(context.facts.tracks.flows[attempts.streams, RESET_TIME]),
        whom=context.at_side(attempts.streams, 1),
    )
