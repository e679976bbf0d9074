"""The finding user-timeout-overrides-count."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.phrases import ends, named
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.flows import Flow

TENTH = 0.1


@rule(
    "user-timeout-overrides-count",
    severity="low",
    verdicts=("dead_peer",),
    title="{whom} gave up {connections} after a single keepalive probe",
    moment="RST",
)
def user_timeout_overrides_count(flow: Flow, context: Context) -> Iterator[Claim]:
    """The prober gave up after a single probe: TCP_USER_TIMEOUT is set, or the count is 1.

    With TCP_USER_TIMEOUT set, Linux does not count probes: it gives up at the first probe timer after that time of
    silence, whether that is fewer or more probes than tcp_keepalive_probes. A user timeout of at most one idle time
    plus one interval leaves a single probe; hardly anybody sets a count of 1. A longer run may have ended this way too:
    user_timeout_s in the JSON has the bounds.

    Look at: TCP_USER_TIMEOUT and TCP_KEEPCNT of the prober's socket (strace -e setsockopt shows them being set).

    To make both agree, set TCP_USER_TIMEOUT a little below tcp_keepalive_time + tcp_keepalive_intvl *
    tcp_keepalive_probes. Then one lost packet does not end the connection.
    """
    for keepalive in flow.keepalive:
        probes = keepalive.episodes[-1].probes
        limits = keepalive.user_timeout_s
        if keepalive.sender != flow.ending.by or limits is None or len(probes) > 1:
            continue
        prober, peer = ends(flow, keepalive.sender)
        yield Claim(
            summary=f"{prober} gave up the connection to {peer} after a single probe: TCP_USER_TIMEOUT is "
            f"{_bounds(*limits)}, or TCP_KEEPCNT is 1",
            remedy="Raise TCP_USER_TIMEOUT to just below idle time + interval * count, or do not set it, so that "
            "several probes "
            "decide.",
            frames=(probes[0].frame, *((flow.ending.frame,) if flow.ending.frame else ())),
            observed="an RST one interval after one unanswered probe",
            expected="several probes before the prober gives up: one may be lost",
            source="RFC 9293 3.8.4; Linux net/ipv4/tcp_timer.c tcp_keepalive_timer(): icsk_user_timeout",
            confidence="possible",
            at=flow.ending.time,
            whom=named(flow, keepalive.sender),
        )


def _bounds(low: float, high: float) -> str:
    return f"between {low:.1f} and {high:.1f} s" if low >= TENTH else f"at most {high:.1f} s"
