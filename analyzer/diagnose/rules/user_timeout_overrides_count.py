"""The finding user-timeout-overrides-count."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.phrases import ends, named
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.model.flows import Flow


@rule(
    "user-timeout-overrides-count",
    severity="low",
    verdicts=("dead_peer",),
    title="{whom} gave up {connections} after a single keepalive probe",
)
def user_timeout_overrides_count(flow: Flow, context: Context) -> Iterator[Claim]:
    """The prober gave up after a single probe: TCP_USER_TIMEOUT, or a count of one.

    With TCP_USER_TIMEOUT set Linux does not count probes: it gives up at the first probe timer after that time of
    silence, however many probes that were, fewer or more than tcp_keepalive_probes. One alone is what a user timeout
    below the idle time makes of any count; hardly anybody sets a count of one. A longer run may have been ended so,
    too: user_timeout_s in the JSON has the bounds for each.

    Look at: TCP_USER_TIMEOUT and TCP_KEEPCNT of the prober's socket (strace -e setsockopt shows them being set).

    For both to say the same, set TCP_USER_TIMEOUT to a little less than tcp_keepalive_time + tcp_keepalive_intvl *
    tcp_keepalive_probes. One lost packet is then no dead peer.
    """
    for keepalive in flow.keepalive:
        probes = keepalive.episodes[-1].probes
        limits = keepalive.user_timeout_s
        if keepalive.sender != flow.ending.by or limits is None or len(probes) > 1:
            continue
        prober, peer = ends(flow, keepalive.sender)
        yield Claim(
            summary=f"{prober} gave up on {peer} after a single probe: TCP_USER_TIMEOUT is more than {limits[0]:.1f} s "
            f"and no more than {limits[1]:.1f} s, or TCP_KEEPCNT is 1",
            remedy="Set TCP_USER_TIMEOUT to a little less than tcp_keepalive_time + tcp_keepalive_intvl * "
            "tcp_keepalive_probes, or leave it out where the count should decide.",
            frames=(probes[0].frame, *((flow.ending.frame,) if flow.ending.frame else ())),
            observed="a RST one interval after one unanswered probe",
            expected="several probes before a peer is given up: one may be lost",
            source="RFC 9293 3.8.4; Linux net/ipv4/tcp_timer.c tcp_keepalive_timer(): icsk_user_timeout",
            confidence="possible",
            at=flow.ending.time,
            whom=named(flow, keepalive.sender),
        )
