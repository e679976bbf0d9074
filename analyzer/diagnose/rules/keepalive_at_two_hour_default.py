"""The finding keepalive-at-two-hour-default."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.advice import DEFAULT_TAKES, how_to_set, proposed
from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import MAX_FRAMES, Claim, earliest, survey
from analyzer.knowledge.snippets import snippet
from analyzer.model.flows import Flow
from analyzer.model.quantities import connections, duration
from analyzer.tables.arrays import are_among, distinct
from analyzer.tables.fields import PROBE_FRAME, PROBE_TIME


@survey(
    "keepalive-at-two-hour-default",
    severity="low",
    title="{connections} to {whom} waited two hours for the first keepalive probe",
    moment="first probe",
)
def keepalive_at_two_hour_default(context: Context) -> Iterator[Claim]:
    """Keepalive uses the system default: the first probe comes after two hours.

    RFC 1122 4.2.3.6 asks for a default of at least two hours, and systems follow it (Linux net.ipv4.tcp_keepalive_time
    7200). An application that only sets SO_KEEPALIVE detects a dead peer after 7200 s + 9 * 75 s: 2 h 11 min. Many
    firewalls, load balancers and NATs forget an idle connection much sooner.

    Look at: `ss -tno` on the prober's host, which shows the timer (keepalive,119min).

    Set TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT on the socket, or lower the sysctls net.ipv4.tcp_keepalive_time,
    tcp_keepalive_intvl and tcp_keepalive_probes for all sockets with SO_KEEPALIVE.
    """
    waits, log = context.waits.default, context.facts.tracks.probes
    frame_of = dict(zip((waits.endpoints >> 1).tolist(), log[waits.rows, PROBE_FRAME].tolist(), strict=True))
    for group in context.by_service(distinct(waits.endpoints >> 1)):
        here = are_among(waits.endpoints >> 1, group)
        waited = waits.waited[here]
        flow = context.flow(int(group[0]))
        yield Claim(
            summary=f"{connections(len(group))} to {flow.server} waited two hours, the system default, for the first "
            f"keepalive "
            "probe",
            remedy=f"Set a shorter keepalive idle time. {_how(context, flow)}",
            frames=tuple(frame_of[stream] for stream in group[:MAX_FRAMES].tolist()),
            observed=f"a first probe after {duration(waited.min())} of silence",
            expected="an idle time of minutes, below the idle timeout of devices on the network path",
            source="RFC 1122 4.2.3.6; Linux net.ipv4.tcp_keepalive_time",
            streams=tuple(group.tolist()),
            at=earliest(log[waits.rows[here], PROBE_TIME]),
        )


def _how(context: Context, flow: Flow) -> str:
    """On the side that probes, as far as it can be configured."""
    timing = proposed(context.safe_idle[flow.stream])
    sysctls = " ".join(snippet("Linux").filled(timing))
    sides = [entry.sender for entry in flow.keepalive]
    return (
        f"With {timing} a dead peer is detected after {timing.total} s instead of {DEFAULT_TAKES}. "
        f"{how_to_set(context.facts, flow, timing, sides)} Or, for all sockets with SO_KEEPALIVE on Linux: sysctl -w "
        f"{sysctls}."
    )
