"""The finding connection-unanswered."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.attempts import clients_of, failed
from analyzer.diagnose.errors_on_path import path_errors
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.words import connections
from analyzer.kinds import Handshake
from analyzer.layout import FIRST_FRAME


@survey("connection-unanswered", severity="info")
def connection_unanswered(context: Context) -> Iterator[Claim]:
    """A service did not answer when connections were asked for.

    No SYN-ACK came to a SYN, nor to its repetitions: the host is down, the address is nobody's, a firewall drops, or
    the queue of the service is full (Linux drops SYNs then, unless told to send RST). ICMP errors that came instead
    are named. How severe it is depends on how many there were, and how large a part of all to that service.

    Look at: whether the SYN arrives at the host (a capture there), `nstat -az TcpExtListenOverflows TcpExtListenDrops`,
    and the firewalls between.
    """
    facts = context.facts
    for attempts in failed(facts, Handshake.NO_ANSWER, context.scans):
        flow = context.flow(int(attempts.streams[0]))
        who = clients_of(facts, attempts.streams)
        errors = path_errors(facts, int(attempts.streams[0]))
        said = f"; {errors[0]}" if errors else ""
        yield Claim(
            summary=f"{flow.server} did not answer {len(attempts.streams)} of {connections(attempts.of)}, "
            f"from {who} host{'s' * (who > 1)}{said}",
            remedy="See whether the SYNs arrive at the host, whether the queue of the service overflows, and what "
            "filters on the way.",
            frames=tuple(facts.tracks.flows[attempts.streams[:MAX_FRAMES], FIRST_FRAME].tolist()),
            observed=f"SYNs without a SYN-ACK{said}",
            expected="a SYN-ACK, or a RST where nothing listens",
            source="RFC 9293 3.5 and 3.10.7.4",
            severity=attempts.severity,
            streams=tuple(attempts.streams.tolist()),
        )
