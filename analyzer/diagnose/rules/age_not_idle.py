"""The finding age-not-idle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.limit_claims import limit_claim
from analyzer.diagnose.registry import Claim, survey
from analyzer.model.quantities import between, duration


@survey(
    "age-not-idle",
    severity="medium",
    title="{whom} ended {connections} at a fixed age",
    moment="close",
)
def age_not_idle(context: Context) -> Iterator[Claim]:
    """One side ends connections at a fixed age, busy or idle.

    One side ended several connections to one service at the same age, with RST or FIN, while the time since the last
    data differed. So this is not an idle timeout, and keepalive does not help. Something limits how long a connection
    may live: a maximum connection age in a proxy, service mesh or pool, or the end of a lease.

    Look at: maximum lifetimes in proxies and load balancers (Envoy max_connection_duration, gRPC MAX_CONNECTION_AGE,
    HikariCP maxLifetime).

    A device that must end connections should close them with FIN between two requests. Clients that reuse connections
    should expect it.
    """
    for limit in context.age_limits:
        if not limit.idle.any():  # they had heartbeats: see heartbeat-ignored
            continue
        reset = bool(limit.resets.any())
        how = "reset" if reset else "closed"
        median = float(np.median(limit.measured))
        yield limit_claim(
            context,
            limit,
            summary=f"{context.at_side(limit.streams, limit.side)} {how} {context.of(limit.streams, limit.side)} "
            f"{duration(median)} after they began, busy or idle",
            remedy="Find what limits the age of connections, and have it close them with FIN between requests."
            if reset
            else "Raise the maximum connection age, or let clients reconnect before it. Keepalive does not change it.",
            observed=f"an age of {between(limit.measured.min(), limit.measured.max())} at the "
            f"{'RST' if reset else 'FIN'}; the last data {between(limit.idle.min(), limit.idle.max())} "
            "earlier",
            expected="an end that depends on idle time, or on a request",
            source="moby/moby#34867: resets at an age of two hours",
            severity=None if reset else "low",
        )
