"""The finding aggressive-keepalive."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.phrases import connections
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, earliest, survey
from analyzer.diagnose.waits import first_probes
from analyzer.tables.arrays import are_among, distinct
from analyzer.tables.fields import FIRST_TIME
from analyzer.tables.probe import probers
from analyzer.tcp import SHORTEST_TIMER_NS

MANY = 10
OFTEN_NS = 2_200_000_000  # two seconds, late by as much as a timer may be
DAY_S = 86_400
FRAME_OCTETS = 66  # Ethernet, IPv4 and TCP with timestamps


@survey(
    "aggressive-keepalive",
    severity="info",
    title="Keepalive probed {connections} to {whom} every second or two",
)
def aggressive_keepalive(context: Context) -> Iterator[Claim]:
    """Connections are probed every second or two.

    Each probe and each answer is a packet for both hosts, for every device between, and for the battery of a phone
    whose radio wakes for it. A tenth of a minute is soon enough to notice a dead peer for nearly everybody; who needs
    to know within a second wants deadlines for requests rather than probes of idle connections.

    Look at: the settings of the prober's application, and what they were meant to protect.

    Raise the idle time of the prober (Linux: TCP_KEEPIDLE, net.ipv4.tcp_keepalive_time), and its interval with it.
    """
    facts = context.facts
    waits = first_probes(facts, facts.answered.reshape(-1)[probers(facts.tracks.probes)] >= MANY)
    # Who waited longer at any time probes so often only because the answers do not arrive.
    is_slow = np.zeros(2 * len(facts), bool)
    is_slow[waits.endpoints[waits.waited > OFTEN_NS]] = True
    often = waits.chosen(~is_slow[waits.endpoints] & (waits.waited >= SHORTEST_TIMER_NS))
    for group in context.by_service(distinct(often.endpoints >> 1)):
        flow = context.flow(int(group[0]))
        here = often.chosen(are_among(often.endpoints >> 1, group))
        every = float(np.median(here.waited)) / 1e9
        packets = int(2 * len(group) * DAY_S / every)
        last = dict(zip((here.endpoints >> 1).tolist(), here.frames.tolist(), strict=True))
        yield Claim(
            summary=f"{connections(len(group))} of {flow.server} probed every {every:.1f} s: {packets:,} packets a day",
            remedy="Raise idle time and interval of the prober to what noticing a dead peer is worth; 15 s is Go's "
            "default.",
            frames=tuple(last[stream] for stream in group[:MAX_FRAMES].tolist()),
            observed=f"a probe every {every:.1f} s, {packets * FRAME_OCTETS / 1e6:.0f} MB a day with the answers",
            expected="probes every 15 s or less often",
            source="golang/go#48622: probes every 15 s and the batteries of phones",
            streams=tuple(group.tolist()),
            at=earliest(facts.tracks.flows[group, FIRST_TIME]),
        )
