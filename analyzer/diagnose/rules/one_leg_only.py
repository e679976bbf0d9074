"""The finding one-leg-only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.advice import how_to_set, proposed
from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import MAX_FRAMES, Claim, earliest, survey
from analyzer.model.flows import SIDES
from analyzer.model.quantities import connections
from analyzer.tables.arrays import Column, are_among, distinct
from analyzer.tables.fields import END_TIME, FIRST_FRAME, LAST_PROBE, PROBE_FRAME

HALF = MAX_FRAMES // 2


@survey(
    "one-leg-only",
    severity="medium",
    title="Proxy {whom} sent no keepalive probes on {connections} of one leg",
    moment="last packet",
)
def one_leg_only(context: Context) -> Iterator[Claim]:
    """A proxy uses keepalive on one side only.

    A proxy terminates the client's connection and opens its own to the server, so a keepalive probe on one never
    reaches the other. Here one host acts as server on some connections and as client on others, to different hosts. The
    connections on one side carry probes; those on the other side are silent for just as long, without a probe. Devices
    on that side forget them, and nobody detects a peer that dies there.

    Look at: the proxy's settings for its listeners and for its upstreams, which are separate.

    Set keepalive on both sides. nginx has so_keepalive for listen and proxy_socket_keepalive for upstreams, HAProxy
    clitcpka and srvtcpka, Envoy tcp_keepalive for listeners and for clusters.
    """
    every = context.facts.client, context.facts.server
    silent = context.judged("unprotected")
    probed = np.flatnonzero(context.facts.probes.sum(axis=1))
    probed_ends, silent_ends = [one[probed] for one in every], [one[silent] for one in every]
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
    last = facts.tracks.endpoints(LAST_PROBE, probed).max(axis=1)
    frames = facts.tracks.probes[last[:HALF] - 1, PROBE_FRAME].tolist()
    frames += facts.tracks.flows[silent[:HALF], FIRST_FRAME].tolist()
    return Claim(
        summary=f"Proxy {proxy} has keepalive probes on {connections(len(probed))} of one side, and none on "
        f"{connections(len(silent))} to its {('servers', 'clients')[side]}",
        remedy=f"Enable keepalive on the proxy for connections to its {('servers', 'clients')[side]}, too. "
        f"{how_to_set(facts, flow, proposed(context.safe_idle[flow.stream]), (SIDES[side],))}",
        frames=tuple(frames),
        observed="probes on one side of a proxy, silence without probes on the other",
        expected="probes on both sides",
        source="RFC 9293 3.8.4: a probe checks one TCP connection, and a proxy has two",
        confidence="likely",
        streams=tuple(silent.tolist()),
        at=earliest(facts.tracks.flows[silent, END_TIME]),
        whom=proxy,
    )
