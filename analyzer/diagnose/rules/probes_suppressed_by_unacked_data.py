"""The finding probes-suppressed-by-unacked-data."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.advice import user_timeout
from analyzer.diagnose.context import Context
from analyzer.diagnose.phrases import ends, named
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.flows import SIDES, Flow
from analyzer.model.quantities import duration
from analyzer.tables.fields import ENDPOINT_SIZE, HEAD_SIZE, REQUEST_FRAME, RESENT, RESENT_FIRST, RESENT_LAST


@rule(
    "probes-suppressed-by-unacked-data",
    severity="medium",
    verdicts=("retransmission_timeout", "middlebox_drop"),
    title="Unacknowledged data kept {whom} from sending keepalive probes on {connections}",
    moment="first retransmission",
)
def probes_suppressed_by_unacked_data(flow: Flow, context: Context) -> Iterator[Claim]:
    """Keepalive was on but could not help, because data was unacknowledged.

    This side had sent keepalive probes before. When its peer went silent it had just sent data, and a TCP with
    unacknowledged data sends no keepalive probes (RFC 9293 3.8.4). Its retransmission timer decides instead, by default
    after about 15 minutes. A peer often dies while data is in flight, and then keepalive settings do not help.

    Look at: `ss -tnoi` on that host. It shows timer:(on,...), the retransmission timer, instead of
    timer:(keepalive,...).

    Set TCP_USER_TIMEOUT on the socket to about tcp_keepalive_time + tcp_keepalive_intvl * tcp_keepalive_probes: it then
    limits both silence and retransmission. Or lower net.ipv4.tcp_retries2. Above TCP, HTTP/2 PINGs or a deadline for
    each request do the same.
    """
    row = context.facts.tracks.flows[flow.stream].tolist()
    for keepalive in flow.keepalive:
        x = HEAD_SIZE + SIDES.index(keepalive.sender) * ENDPOINT_SIZE
        last = keepalive.episodes[-1].probes[-1]
        waited = row[x + RESENT_LAST] - last.time
        if row[x + RESENT] < 2 or waited <= 0:
            continue
        prober, peer = ends(flow, keepalive.sender)
        yield Claim(
            summary=f"{prober} had unacknowledged data, so it sent no keepalive probes to {peer} for "
            f"{duration(waited)}",
            remedy=user_timeout(flow, keepalive.sender, keepalive),
            frames=(last.frame, *((row[REQUEST_FRAME],) if row[REQUEST_FRAME] else ())),
            observed="retransmissions and no keepalive probe, on a connection with keepalive",
            expected="a time limit for unacknowledged data, as keepalive has for silence",
            source="RFC 9293 3.8.4; RFC 5482; Linux net/ipv4/tcp_timer.c tcp_keepalive_timer()",
            at=row[x + RESENT_FIRST],
            whom=named(flow, keepalive.sender),
        )
