"""The finding keepalive-slower-than-middlebox."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.phrases import connections, ends_of, seconds
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.systems import INTERVAL, how_to_probe_by
from analyzer.model.flows import Flow, Keepalive


@survey(
    "keepalive-slower-than-middlebox",
    severity="high",
    title="A device on the path forgot {connections} to {whom} before the first keepalive probe",
)
def keepalive_slower_than_middlebox(context: Context) -> Iterator[Claim]:
    """Keepalive is on, but a device on the path forgets sooner than it probes.

    The connection was silent until its first probe, and that probe was too late: it was reset, or nothing answers any
    more, because a device between the ends had forgotten the connection (see middlebox-idle-timeout). The idle time
    must be shorter than the device's timeout, and not by a little: Linux fires its timers late, by up to an eighth, so
    that 345 s may be 351 s on the wire.

    Look at: the idle timeout of the device, and the idle time of the prober's socket (`ss -tno`).

    Set the idle time (Linux: TCP_KEEPIDLE, net.ipv4.tcp_keepalive_time) to what was survived, or to half of the
    device's timeout.
    """
    for memory in context.memories:
        late = [(flow, entry) for flow in map(context.flow, memory.forgotten.tolist()) for entry in _late(flow)]
        if not late:
            continue
        flow, entry = late[0]
        prober, _ = ends_of(flow, entry)
        first = entry.episodes[-1].probes[0]
        idle = memory.safe_idle
        known = entry.tcp_keepalive_intvl.value if entry.tcp_keepalive_intvl is not None else None
        interval = min(INTERVAL, idle, max(1, round(known or INTERVAL)))
        yield Claim(
            summary=f"{prober} probed after {seconds(first.time - entry.episodes[-1].start)} of silence, when a device "
            f"on the path had forgotten {'it' if len(late) == 1 else connections(len(late))} already",
            remedy=f"Probe after {idle} s at the latest: "
            f"{how_to_probe_by(context.facts, flow, entry, idle, interval)}.",
            frames=tuple(entry.episodes[-1].probes[0].frame for _, entry in late[:MAX_FRAMES]),
            observed=f"the first probe after {seconds(first.time - entry.episodes[-1].start)}, in vain",
            expected=f"one after {idle} s or sooner, timers being late by up to an eighth",
            source="Linux kernel/time/timer.c; net/ipv4/tcp_timer.c tcp_keepalive_timer()",
            confidence="likely" if memory.sure else "possible",
            streams=tuple(dict.fromkeys(flow.stream for flow, _ in late)),
            at=min(entry.episodes[-1].probes[0].time for _, entry in late),
        )


def _late(flow: Flow) -> list[Keepalive]:
    """Probers whose last idle gap ended with a first probe that nothing answered but a RST."""
    return [entry for entry in flow.keepalive if entry.episodes[-1].probes[0].answer_frame is None or entry.reset]
