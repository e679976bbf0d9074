"""The finding middlebox-idle-timeout."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.idle_timeouts import Memory
from analyzer.diagnose.phrases import connections, seconds
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, earliest, survey
from analyzer.diagnose.systems import idle_time_there
from analyzer.tables.fields import OPEN_GAP_END, REQUEST_FRAME, RESET_FRAME


@survey(
    "middlebox-idle-timeout",
    severity="high",
    title="A device on the path to {whom} forgot {connections} after an idle period",
)
def middlebox_idle_timeout(context: Context) -> Iterator[Claim]:
    """A device on the path forgets connections that are idle for some time.

    Of all connections between two hosts, those that were silent for longer than a certain time were reset by a device,
    or nothing got through any more, while the same path carried others; those that were silent for less went on. So
    between the longest silence that one survived and the shortest that was fatal lies the idle timeout of a firewall,
    a load balancer, a NAT or a virtual switch. Where one known timeout alone lies between, devices that have it are
    named. A path that was cut is no such device: it ends connections whatever their silence.

    Look at: the configuration of what stands between the two hosts. Cloud load balancers and NATs are such devices,
    too, and cannot always be configured.

    Probe more often than the device forgets (an idle time no longer than a silence that was survived, or half of the
    timeout: timers fire late and never early), close idle connections sooner, or raise the timeout.
    """
    for memory in context.memories:
        flow = context.flow(int(memory.forgotten[0]))
        rows = context.facts.tracks.flows[memory.forgotten]
        frames = sorted({*rows[:, REQUEST_FRAME].tolist(), *rows[:, RESET_FRAME].tolist()} - {0})
        yield Claim(
            summary=f"{connections(len(memory.forgotten))} between {flow.client.address} and {flow.server.address} "
            f"did not outlive a silence of {seconds(memory.fatal)}{_survived(memory)}{_devices(memory)}",
            remedy=f"Find the device; {_advice(memory, idle_time_there(context.facts, flow))}, or raise its timeout.",
            frames=tuple(frames[:MAX_FRAMES]),
            observed=_observed(memory),
            expected="a connection that lasts until one of its ends closes it",
            source="RFC 5382 REQ-5: no less than 2 h 4 min for a NAT",
            confidence="likely" if memory.sure or (len(memory.forgotten) > 1 and memory.survived) else "possible",
            streams=tuple(memory.forgotten.tolist()),
            at=earliest(rows[:, OPEN_GAP_END]),
            whom=flow.server.address,
        )


def _observed(memory: Memory) -> str:
    if memory.exact:
        return f"a RST with another hop limit than its sender's packets, {seconds(memory.fatal)} after the last packet"
    if not memory.survived:
        return f"a silence of {seconds(memory.fatal)} that was fatal; none survived is known"
    return f"the limit is above {seconds(memory.survived)}, which was survived, and at most {seconds(memory.fatal)}"


def _advice(memory: Memory, by: str) -> str:
    """What idle time of a prober keeps the device from forgetting."""
    if memory.survived:
        return f"an idle time of {memory.safe_idle} s or less ({by}) is known to be safe: keep to that"
    return f"keep the idle time of probes ({by}) below it, at {memory.safe_idle} s or less"


def _survived(memory: Memory) -> str:
    return f", others survived {seconds(memory.survived)}" if memory.survived else ""


def _devices(memory: Memory) -> str:
    if not memory.devices:
        return ""
    names = ", ".join(box.name for box in memory.devices)
    return f": {memory.devices[0].idle_timeout_s} s, as of {names}"
