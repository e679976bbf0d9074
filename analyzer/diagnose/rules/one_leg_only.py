"""The finding one-leg-only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.groups import hosts
from analyzer.diagnose.phrases import connections
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, earliest, survey
from analyzer.tables.arrays import Column, are_among, distinct
from analyzer.tables.fields import END_TIME, FIRST_FRAME, LAST_PROBE, PROBE_FRAME

HALF = MAX_FRAMES // 2


@survey(
    "one-leg-only",
    severity="medium",
    title="Proxy {whom} sent no keepalive probes on {connections} of one leg",
)
def one_leg_only(context: Context) -> Iterator[Claim]:
    """A proxy's connections are probed on one side only.

    A proxy ends one connection and begins another: a keepalive probe on one of them never reaches the other. Here one
    host is the server of some connections and the client of others, with other hosts at the far ends; those on one
    side are probed, those on the other are silent for as long, and nobody asks. Devices on that leg forget them, and a
    peer that dies there is not noticed.

    Look at: the proxy's settings for its listeners and for its upstreams, which are apart.

    Set keepalive on both legs: nginx has so_keepalive for listen and proxy_socket_keepalive for upstreams, HAProxy
    clitcpka and srvtcpka, Envoy tcp_keepalive for listeners and for clusters.
    """
    flows = context.facts.tracks.flows
    silent = context.judged("unprotected")
    probed = np.flatnonzero(context.facts.probes.sum(axis=1))
    probed_ends, silent_ends = hosts(flows, probed), hosts(flows, silent)
    every = hosts(flows, np.arange(len(flows)))
    for side in range(2):
        # A host at this side of the silent ones and at the other side of the probed ones stands between.
        between = distinct(silent_ends[side])
        for host in between[are_among(between, probed_ends[1 - side])].tolist():
            legs = silent[silent_ends[side] == host], probed[probed_ends[1 - side] == host]
            beyond = silent_ends[1 - side][silent_ends[side] == host], probed_ends[side][probed_ends[1 - side] == host]
            # Both ways between two hosts, or to and from the same ones: peers of a cluster, and no proxy.
            apart = not are_among(beyond[0], np.append(beyond[1], host)).any() and not (beyond[1] == host).any()
            mixed = (silent_ends[1 - side] == host).any() or (probed_ends[side] == host).any()
            if apart and not mixed and not _both_ways(every, host):
                yield _claim(context, side, *legs)


def _both_ways(every: tuple[Column, Column], host: int) -> bool:
    """Whether a host is both the client and the server of another."""
    clients, servers = every
    return bool(are_among(clients[servers == host], servers[clients == host]).any())


def _claim(context: Context, side: int, silent: Column, probed: Column) -> Claim:
    facts = context.facts
    flow = context.flow(int(silent[0]))
    proxy = (flow.client, flow.server)[side].address
    last = facts.tracks.endpoints(LAST_PROBE)[probed].max(axis=1)
    frames = facts.tracks.probes[last[:HALF] - 1, PROBE_FRAME].tolist()
    frames += facts.tracks.flows[silent[:HALF], FIRST_FRAME].tolist()
    return Claim(
        summary=f"{proxy} has probes on {connections(len(probed))} of one leg, and none on {connections(len(silent))} "
        f"with its {('servers', 'clients')[side]}, such as {(flow.server, flow.client)[side]}",
        remedy=f"Set keepalive towards its {('servers', 'clients')[side]}, too.",
        frames=tuple(frames),
        observed="probes on one leg of a proxy, silence on the other",
        expected="probes on both",
        source="RFC 9293 3.8.4: a probe asks one TCP, and a proxy has two",
        confidence="likely",
        streams=tuple(silent.tolist()),
        at=earliest(facts.tracks.flows[silent, END_TIME]),
        whom=proxy,
    )
