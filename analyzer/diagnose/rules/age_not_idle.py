"""The finding age-not-idle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.words import connections, seconds
from analyzer.kinds import How
from analyzer.layout import FIRST_TIME, HANDSHAKE, LAST_DATA, RESET_FRAME, RESET_SIDE, RESET_TIME, SAW_SYN

FEWEST = 3
SHORTEST_NS = 5_000_000_000
# How far apart ages may lie to be one, and how far apart idle times must lie not to be.
SAME = 0.01
SLACK_NS = 200_000_000
APART = 0.2


@survey("age-not-idle", severity="medium")
def age_not_idle(context: Context) -> Iterator[Claim]:
    """Connections are reset at a certain age, however busy they are.

    Several connections to one service ended in a RST from the same side at the same age, while the time since their
    last data differed. So it is no idle timeout, and no keepalive will help: something limits how long a connection
    may live, such as a maximum connection age of a proxy, a mesh or a pool, or the end of a lease.

    Look at: maximum lifetimes of proxies and load balancers (Envoy max_connection_duration, gRPC MAX_CONNECTION_AGE,
    HikariCP maxLifetime). A device that must end connections should do so with FIN between two requests.
    """
    facts, flows = context.facts, context.facts.tracks.flows
    fits = (facts.how == How.RST) & (flows[:, HANDSHAKE] & SAW_SYN != 0)
    fits &= flows[:, RESET_TIME] - flows[:, FIRST_TIME] >= SHORTEST_NS
    for service in context.by_service(np.flatnonzero(fits)):
        for side in (1, 2):
            group = service[flows[service, RESET_SIDE] == side]
            if len(group) < FEWEST:
                continue
            age = flows[group, RESET_TIME] - flows[group, FIRST_TIME]
            idle = flows[group, RESET_TIME] - facts.tracks.endpoints(LAST_DATA)[group].max(axis=1)
            if np.ptp(age) > SAME * age.min() + SLACK_NS or np.ptp(idle) <= APART * age.min() + SLACK_NS:
                continue
            flow = context.flow(int(group[0]))
            yield Claim(
                summary=f"{connections(len(group))} of {flow.server} reset {seconds(float(np.median(age)))} after they "
                "began, whatever happened on them",
                remedy="Find what limits the age of connections; let it close them with FIN between requests.",
                frames=tuple(flows[group[:MAX_FRAMES], RESET_FRAME].tolist()),
                observed=f"an age of {seconds(age.min())} to {seconds(age.max())} at the RST, the last data "
                f"{seconds(idle.min())} to {seconds(idle.max())} before it",
                expected="resets that depend on silence, or none",
                source="moby/moby#34867: resets at an age of two hours",
                confidence="likely",
                streams=tuple(group.tolist()),
            )
