"""The finding aggressive-keepalive."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.groups import distinct
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.words import connections
from analyzer.layout import LAST_PROBE, NEVER, PROBE_FRAME, PROBE_SINCE, PROBE_TIME

MANY = 10
OFTEN_NS = 2_200_000_000  # two seconds, late by as much as a timer may be
DAY_S = 86_400
FRAME_OCTETS = 66  # Ethernet, IPv4 and TCP with timestamps


@survey("aggressive-keepalive", severity="info")
def aggressive_keepalive(context: Context) -> Iterator[Claim]:
    """Connections are probed every second or two.

    Each probe and each answer is a packet for both hosts, for every device between, and for the battery of a phone
    whose radio wakes for it. A tenth of a minute is soon enough to notice a dead peer for nearly everybody; who needs
    to know within a second wants deadlines for requests rather than probes of idle connections.

    Look at: the settings of the prober's application, and what they were meant to protect.

    Raise TCP_KEEPIDLE (net.ipv4.tcp_keepalive_time), and TCP_KEEPINTVL with it.
    """
    facts = context.facts
    last = facts.tracks.endpoints(LAST_PROBE)
    streams, sides = np.nonzero((facts.answered >= MANY) & (last > 0))
    rows = facts.tracks.probes[last[streams, sides] - 1]
    waited = np.where(rows[:, PROBE_SINCE] == NEVER, np.iinfo(np.int64).max, rows[:, PROBE_TIME] - rows[:, PROBE_SINCE])
    often = waited <= OFTEN_NS
    frame_of = dict(zip(streams[often].tolist(), rows[often, PROBE_FRAME].tolist(), strict=True))
    for group in context.by_service(distinct(streams[often])):
        flow = context.flow(int(group[0]))
        every = float(waited[often].min()) / 1e9
        packets = int(2 * len(group) * DAY_S / every)
        yield Claim(
            summary=f"{connections(len(group))} of {flow.server} probed every {every:.1f} s: {packets:,} packets a day",
            remedy="Raise TCP_KEEPIDLE and TCP_KEEPINTVL to what noticing a dead peer is worth; 15 s is Go's default.",
            frames=tuple(frame_of[stream] for stream in group[:MAX_FRAMES].tolist()),
            observed=f"a probe every {every:.1f} s, {packets * FRAME_OCTETS / 1e6:.0f} MB a day with the answers",
            expected="probes every 15 s or less often",
            source="golang/go#48622: probes every 15 s and the batteries of phones",
            streams=tuple(group.tolist()),
        )
