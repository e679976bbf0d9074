"""The finding keepalive-at-two-hour-default."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.phrases import connections
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, earliest, survey
from analyzer.diagnose.systems import how_to_probe_there
from analyzer.diagnose.waits import first_probes
from analyzer.tables.arrays import are_among, distinct
from analyzer.tables.fields import PROBE_SINCE, PROBE_TIME
from analyzer.tcp import SECOND

# net.ipv4.tcp_keepalive_time 7200 (RFC 1122 4.2.3.6), and how late its timer may be at 100 ticks a second: 328 s.
DEFAULT_NS = 7_200_000_000_000
LATENESS_NS = 328_000_000_000


@survey(
    "keepalive-at-two-hour-default",
    severity="low",
    title="{connections} to {whom} waited two hours for the first keepalive probe",
)
def keepalive_at_two_hour_default(context: Context) -> Iterator[Claim]:
    """Keepalive is on with the system's default: the first probe comes after two hours.

    RFC 1122 4.2.3.6 asks for at least two hours, and systems have kept to that (Linux net.ipv4.tcp_keepalive_time
    7200). An application that only sets SO_KEEPALIVE learns of a dead peer after 7200 s + 9 * 75 s, two hours and
    eleven minutes; nearly every firewall, load balancer and NAT has forgotten the connection by then.

    Look at: `ss -tno` on the prober's host, which shows the timer (keepalive,119min).

    Set TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT on the socket, or lower the sysctls net.ipv4.tcp_keepalive_time,
    tcp_keepalive_intvl and tcp_keepalive_probes for all sockets that ask for keepalive.
    """
    log = context.facts.tracks.probes
    waited = log[:, PROBE_TIME] - log[:, PROBE_SINCE]
    waits = first_probes(context.facts, (waited >= DEFAULT_NS - SECOND) & (waited <= DEFAULT_NS + LATENESS_NS))
    frame_of = dict(zip((waits.endpoints >> 1).tolist(), waits.frames.tolist(), strict=True))
    for group in context.by_service(distinct(waits.endpoints >> 1)):
        here = are_among(waits.endpoints >> 1, group)
        waited = waits.waited[here]
        flow = context.flow(int(group[0]))
        yield Claim(
            summary=f"{connections(len(group))} of {flow.server} probed after two hours of silence, the default",
            remedy=f"Set keepalive for the application: {how_to_probe_there(context.facts, flow)}.",
            frames=tuple(frame_of[stream] for stream in group[:MAX_FRAMES].tolist()),
            observed=f"a first probe after {int(waited.min() / SECOND)} s of silence",
            expected="an idle time that a user would wait, below what devices on the path remember",
            source="RFC 1122 4.2.3.6; Linux net.ipv4.tcp_keepalive_time",
            streams=tuple(group.tolist()),
            at=earliest(waits.times[here]),
        )
