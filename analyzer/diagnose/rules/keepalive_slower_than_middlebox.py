"""The finding keepalive-slower-than-middlebox."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from analyzer.diagnose.advice import how_to_set, proposed
from analyzer.diagnose.context import Context
from analyzer.diagnose.phrases import ends_of
from analyzer.diagnose.registry import MAX_FRAMES, Claim, survey
from analyzer.model.flows import Flow, Keepalive
from analyzer.model.quantities import connections, duration


@survey(
    "keepalive-slower-than-middlebox",
    severity="high",
    title="A device on the path forgot {connections} to {whom} before the first keepalive probe",
    moment="first probe",
)
def keepalive_slower_than_middlebox(context: Context) -> Iterator[Claim]:
    """Keepalive is on, but its first probe comes too late for a device on the network path.

    The connection was silent until its first probe, which came too late: it was answered with an RST or got no reply,
    because a device between the two hosts had forgotten the connection (see middlebox-idle-timeout). The idle time must
    be shorter than the device's timeout, with a margin: Linux fires its timers up to an eighth late, so an idle time of
    345 s can miss a timeout of 350 s.

    Look at: the idle timeout of the device, and the idle time of the prober's socket (`ss -tno`).

    Set the idle time (Linux: TCP_KEEPIDLE, net.ipv4.tcp_keepalive_time) at least an eighth below a silence that
    connections survived, or to half of the device's timeout.
    """
    flows = context.flows([stream for memory in context.memories for stream in memory.forgotten.tolist()])
    for memory in context.memories:
        late = [(flow, entry) for flow in islice(flows, len(memory.forgotten)) for entry in _late(flow)]
        if not late:
            continue
        flow, entry = late[0]
        prober, _ = ends_of(flow, entry)
        first = entry.episodes[-1].probes[0]
        timing = proposed(context.safe_idle[flow.stream])
        yield Claim(
            summary=f"A device on the path forgot {connections(len(late))} to {flow.server} before the first "
            f"keepalive probe; "
            f"{prober} probed after {duration(first.time - entry.episodes[-1].start)} of silence",
            remedy=f"Set the keepalive idle time to {timing.idle} s or less. "
            f"{how_to_set(context.facts, flow, timing, (entry.sender,))}",
            frames=tuple(entry.episodes[-1].probes[0].frame for _, entry in late[:MAX_FRAMES]),
            observed=f"a first probe after {duration(first.time - entry.episodes[-1].start)}, without a reply or "
            f"answered by RST",
            expected=f"a first probe after {memory.safe_idle} s or sooner; timers fire up to an eighth late",
            source="Linux kernel/time/timer.c; net/ipv4/tcp_timer.c tcp_keepalive_timer()",
            confidence="likely" if memory.sure else "possible",
            streams=tuple(dict.fromkeys(flow.stream for flow, _ in late)),
            at=min(entry.episodes[-1].probes[0].time for _, entry in late),
        )


def _late(flow: Flow) -> list[Keepalive]:
    """Probers whose last idle gap ended with a first probe that nothing answered but an RST."""
    return [entry for entry in flow.keepalive if entry.episodes[-1].probes[0].answer_frame is None or entry.reset]
