"""The finding aggressive-keepalive."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.advice import USUAL, proposed
from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import MAX_FRAMES, Claim, earliest, survey
from analyzer.diagnose.waits import OFTEN_NS
from analyzer.model.quantities import connections
from analyzer.tables.arrays import Column, are_among, distinct
from analyzer.tables.fields import FIRST_TIME, PROBE_FRAME
from analyzer.tcp import SECOND, SHORTEST_TIMER_NS

MANY = 10
DAY_S = 86_400
FRAME_BYTES = 66  # Ethernet, IPv4 and TCP with timestamps


@survey(
    "aggressive-keepalive",
    severity="info",
    title="Keepalive probed {connections} to {whom} every second or two",
    moment="first packet",
)
def aggressive_keepalive(context: Context) -> Iterator[Claim]:
    """Keepalive probes every second or two.

    Each probe and reply costs a packet on both hosts and every device on the path, and on a phone it wakes the radio.
    For most uses it is enough to detect a dead peer within a minute. To notice within a second, use deadlines for
    requests: probes only check idle connections.

    Look at: the keepalive settings of the prober's application, and why they were chosen.

    Raise the prober's idle time and interval (Linux: TCP_KEEPIDLE and TCP_KEEPINTVL on the socket, or
    net.ipv4.tcp_keepalive_time and tcp_keepalive_intvl).
    """
    facts, log = context.facts, context.facts.tracks.probes
    # Who waited longer at any time probes so often only because the answers do not arrive: that is not among these.
    often = context.waits.often
    many = facts.answered.reshape(-1)[often.endpoints] >= MANY
    often = often.chosen(many & (often.waited >= SHORTEST_TIMER_NS))
    for group in context.by_service(distinct(often.endpoints >> 1)):
        _, server = context.ends(int(group[0]))
        here = often.chosen(are_among(often.endpoints >> 1, group))
        every = float(np.median(here.waited)) / 1e9
        packets = int(2 * len(group) * DAY_S / every)
        last = dict(zip((here.endpoints >> 1).tolist(), log[here.rows, PROBE_FRAME].tolist(), strict=True))
        yield Claim(
            summary=f"Keepalive probes {connections(len(group))} to {server} every {every:.1f} s: {packets:,} "
            f"packets a day",
            remedy=_remedy(context, group),
            frames=tuple(last[stream] for stream in group[:MAX_FRAMES].tolist()),
            observed=f"a probe every {every:.1f} s: {packets * FRAME_BYTES / 1e6:.0f} MB a day with the replies",
            expected="probes every 15 s (the default of Go) or less often",
            source="golang/go#48622: probes every 15 s drain the batteries of phones",
            streams=tuple(group.tolist()),
            at=earliest(facts.tracks.flows[group, FIRST_TIME]),
        )


def _remedy(context: Context, group: Column) -> str:
    """Raise it, but not above what a device on the path is seen to forget."""
    idle = proposed(context.safe_idle[group].min()).idle
    if idle <= OFTEN_NS / SECOND:
        return (
            "Keep the idle time: a device on the network path forgets sooner. Find that device and raise its timeout."
        )
    bound = "" if idle == USUAL.idle else f" Stay at or below {idle} s: a device on the path forgets idle connections."
    return f"Raise the prober's idle time and interval to between {min(15, idle)} and {idle} s.{bound}"
