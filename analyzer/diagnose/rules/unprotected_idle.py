"""The finding unprotected-idle."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.systems import how_to_probe_there
from analyzer.diagnose.words import connections, seconds
from analyzer.layout import END_TIME, FIRST_FRAME

# Who waits for longer than any system's default, two hours and its lateness, has no keepalive.
LONGEST_DEFAULT_NS = 7_600_000_000_000


@survey("unprotected-idle", severity="medium")
def unprotected_idle(context: Context) -> Iterator[Claim]:
    """Idle connections that nobody asks after.

    They are open and were silent to the end of the capture, without a keepalive probe or a heartbeat of the
    application. If a peer or the path died, neither end would know until it has something to send; a server that only
    waits would hold them for ever. An idle time longer than the silence seen here (Linux: two hours) looks the same.

    Look at: `ss -tno` on both hosts, which shows whether a keepalive timer runs.

    Ask for keepalive on the socket (SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT) at the end that waits,
    or close what is idle.
    """
    for group in context.unprotected_services:
        flow = context.flow(int(group[0]))
        rows = context.facts.tracks.flows[group]
        silent = context.facts.end - int(rows[:, END_TIME].min())
        yield Claim(
            summary=f"{connections(len(group))} to {flow.server} silent for up to {seconds(silent)} at the end, and "
            "never probed",
            remedy=f"Ask for keepalive at the end that waits: {how_to_probe_there(context.facts, flow)}.",
            frames=tuple(rows[:MAX_FRAMES, FIRST_FRAME].tolist()),
            observed=f"no probe and no heartbeat in {seconds(silent)} of silence",
            expected="keepalive probes, heartbeats, or an idle connection closed",
            source="RFC 9293 3.8.4: keepalive is off unless the application asks for it",
            confidence="likely" if silent > LONGEST_DEFAULT_NS else "possible",
            streams=tuple(group.tolist()),
        )
