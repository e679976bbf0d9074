"""The finding age-not-idle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.limits import age_limits
from analyzer.diagnose.phrases import connections, ends, seconds
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, earliest, survey
from analyzer.model.flows import SIDES


@survey(
    "age-not-idle",
    severity="medium",
    title="{whom} ended {connections} at a fixed age",
)
def age_not_idle(context: Context) -> Iterator[Claim]:
    """Connections are ended at a certain age, however busy they are.

    Several connections to one service were ended by the same side at the same age, with RST or with FIN, while the
    time since their last data differed. So it is no idle timeout, and no keepalive will help: something limits how
    long a connection may live, such as a maximum connection age of a proxy, a mesh or a pool, or the end of a lease.

    Look at: maximum lifetimes of proxies and load balancers (Envoy max_connection_duration, gRPC MAX_CONNECTION_AGE,
    HikariCP maxLifetime). A device that must end connections should do so with FIN between two requests.
    """
    for limit in age_limits(context.facts, context.closings, context.reset_hops):
        flow = context.flow(int(limit.streams[0]))
        closer, _ = ends(flow, SIDES[limit.side])
        reset = bool(limit.resets.any())
        how = "reset" if reset else f"closed by {closer.address}"
        median = float(np.median(limit.measured))
        yield Claim(
            summary=f"{connections(len(limit.streams))} of {flow.server} {how} {seconds(median)} after they began, "
            "whatever happened on them",
            remedy="Find what limits the age of connections; let it close them with FIN between requests."
            if reset
            else "Expect it where connections are reused, or find what limits their age; keepalive does not change it.",
            frames=tuple(limit.frames[:MAX_FRAMES].tolist()),
            observed=f"an age of {seconds(limit.measured.min())} to {seconds(limit.measured.max())} at the "
            f"{'RST' if reset else 'FIN'}, the last data {seconds(limit.idle.min())} to {seconds(limit.idle.max())} "
            "before it",
            expected="an end that depends on silence, or on what was asked",
            source="moby/moby#34867: resets at an age of two hours",
            confidence="likely",
            severity=None if reset else "low",
            streams=tuple(np.sort(limit.streams).tolist()),
            at=earliest(context.closings.time[limit.streams]),
            whom=context.at_side(limit.streams, limit.side),
        )
