"""The finding heartbeat-ignored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.limit_claims import limit_claim
from analyzer.diagnose.registry import Claim, survey
from analyzer.model.quantities import between, duration


@survey(
    "heartbeat-ignored",
    severity="medium",
    title="{whom} ended {connections} at a fixed time although heartbeats went on",
    moment="close",
)
def heartbeat_ignored(context: Context) -> Iterator[Claim]:
    """One side ends connections at a fixed time, although the application sent heartbeats until then.

    One side ended several connections to one service as long after they began, with FIN or RST, while heartbeats of the
    application went on. So silence is not the reason. Either something limits how long a connection may live, or an
    idle timeout does not count these heartbeats: for many proxies and load balancers an HTTP/2 PING or a WebSocket ping
    is no traffic of a request. Keepalive probes would not count either.

    Look at: idle timeouts of proxies and load balancers and what resets them (nginx proxy_read_timeout and
    grpc_read_timeout, Envoy idle_timeout and stream_idle_timeout, AWS ALB idle timeout), and maximum lifetimes (Envoy
    max_connection_duration, gRPC MAX_CONNECTION_AGE).

    Raise that timeout, or send something that counts: a message of the application instead of a ping. Clients should
    expect the close, and connect again.
    """
    for limit in context.age_limits:
        if limit.idle.any():  # see age-not-idle
            continue
        reset = bool(limit.resets.any())
        flow = context.flow(int(limit.streams[0]))
        named = " and ".join(dict.fromkeys(beats.name for beats in flow.heartbeats)) or "application"
        who = context.at_side(limit.streams, limit.side)
        yield limit_claim(
            context,
            limit,
            summary=f"{who} {'reset' if reset else 'closed'} {context.of(limit.streams, limit.side)} "
            f"{duration(float(np.median(limit.measured)))} after they began, although {named} heartbeats went on",
            remedy="Find the timeout that does not count these heartbeats, or the limit of a connection's age. Raise "
            "it, or send messages of the application that count. Keepalive does not change it.",
            observed=f"an age of {between(limit.measured.min(), limit.measured.max())} at the "
            f"{'RST' if reset else 'FIN'}, in the middle of heartbeats",
            expected="a connection that lasts as long as its heartbeats",
            source="RFC 9113 6.7: PING frames; nginx ngx_http_proxy_module proxy_read_timeout",
            severity=None if reset else "low",
        )
