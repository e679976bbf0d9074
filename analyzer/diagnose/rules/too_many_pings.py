"""The finding too-many-pings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.phrases import ends, named, other_side
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Flow
from analyzer.tables.arrays import Mask
from analyzer.tables.fields import EVENT_ENDPOINT
from analyzer.tables.heartbeats import TOO_OFTEN, said


def _told(facts: Facts) -> Mask:
    told = np.zeros(len(facts), bool)
    told[facts.sayings(said(TOO_OFTEN))[:, EVENT_ENDPOINT] >> 1] = True
    return told


@rule(
    "too-many-pings",
    severity="medium",
    where=_told,
    title="{whom} sent HTTP/2 PINGs too often on {connections}",
)
def too_many_pings(flow: Flow, context: Context) -> Iterator[Claim]:
    """A gRPC server closed a connection because its client sent HTTP/2 PINGs too often.

    A gRPC server counts every PING that comes too soon: less than 5 minutes after the one before (the default), or less
    than two hours while no call is open. At the third such PING it sends GOAWAY with ENHANCE_YOUR_CALM and the text
    too_many_pings. Calls in progress fail as UNAVAILABLE. The client reconnects, with twice its keepalive time.

    Look at: the keepalive time of the client's channel, and the server's enforcement policy.

    Raise the client's keepalive time (Go: keepalive.ClientParameters.Time; Java: keepAliveTime; C++, Python and others:
    grpc.keepalive_time_ms) to five minutes or more, and send no PINGs while no call is open. Or let the server permit
    more PINGs (Go: keepalive.EnforcementPolicy.MinTime and PermitWithoutStream; Java: permitKeepAliveTime and
    permitKeepAliveWithoutCalls; C++, Python and others: grpc.http2.min_ping_interval_without_data_ms and
    grpc.keepalive_permit_without_calls).
    """
    for tired in SIDES:
        frames = tuple(one.frame for one in flow.said if one.what == TOO_OFTEN and one.by == tired)
        if not frames:
            continue
        _, other = ends(flow, tired)
        pings = [beats for beats in flow.heartbeats if beats.sender != tired]
        often = f", every {pings[0].period_s:.3g} s" if pings else ""
        yield Claim(
            summary=f"{other} sent HTTP/2 PINGs too often{often}, so its peer closed the connection (GOAWAY, "
            f"too_many_pings)",
            remedy="Raise the gRPC client's keepalive time to 5 min or more (Go: ClientParameters.Time; others: "
            "grpc.keepalive_time_ms). Or lower the server's EnforcementPolicy.MinTime "
            "(grpc.http2.min_ping_interval_without_data_ms) and permit PINGs without calls.",
            frames=(*(frame for beats in pings for frame in beats.frames), *frames),
            observed=f"HTTP/2 PINGs{often}; GOAWAY with ENHANCE_YOUR_CALM in reply to the last one",
            expected="PINGs as rare as the server demands: by default one in 5 min",
            source="gRPC proposal A8, client-side keepalive; RFC 9113 6.8, 7",
            whom=named(flow, other_side(tired)),
        )
