"""The finding probes-suppressed-by-unacked-data."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.phrases import ends, named, seconds
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.model.flows import SIDES, Flow
from analyzer.tables.fields import ENDPOINT_SIZE, HEAD_SIZE, REQUEST_FRAME, RESENT, RESENT_FIRST, RESENT_LAST


@rule(
    "probes-suppressed-by-unacked-data",
    severity="medium",
    verdicts=("retransmission_timeout", "middlebox_drop"),
    title="Unacknowledged data kept {whom} from sending keepalive probes on {connections}",
)
def probes_suppressed_by_unacked_data(flow: Flow, context: Context) -> Iterator[Claim]:
    """Keepalive was on, and could not help: data was unacknowledged.

    This endpoint had probed before. When its peer went silent it had just sent something, and a TCP with data
    outstanding sends no keepalive probe (RFC 9293 3.8.4); its retransmission timer decides, by default after a quarter
    of an hour. Who relies on keepalive settings to notice a dead peer has no protection against this, the common case.

    Look at: `ss -tnoi` on that host, whose timer is (on), the retransmission timer's, not (keepalive).

    Set TCP_USER_TIMEOUT on the socket, to about tcp_keepalive_time + tcp_keepalive_intvl * tcp_keepalive_probes: it
    limits both. Or lower net.ipv4.tcp_retries2; HTTP/2 PING, or a deadline for each request, does it above TCP.
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
            summary=f"{prober}, which had probed {peer} before, sent no probe for {seconds(waited)}: it had data "
            "unacknowledged",
            remedy="Set TCP_USER_TIMEOUT on the socket, to what keepalive would take to know.",
            frames=(last.frame, *((row[REQUEST_FRAME],) if row[REQUEST_FRAME] else ())),
            observed="retransmissions, and no keepalive probe, on a connection that has keepalive",
            expected="a time limit on unacknowledged data as on silence",
            source="RFC 9293 3.8.4; RFC 5482; Linux net/ipv4/tcp_timer.c tcp_keepalive_timer()",
            at=row[x + RESENT_FIRST],
            whom=named(flow, keepalive.sender),
        )
