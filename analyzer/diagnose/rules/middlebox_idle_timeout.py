"""The finding middlebox-idle-timeout."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.memories import Memory
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.words import connections, seconds
from analyzer.layout import REQUEST_FRAME, RESET_FRAME


@survey("middlebox-idle-timeout", severity="high")
def middlebox_idle_timeout(context: Context) -> Iterator[Claim]:
    """A device on the path forgets connections that are idle for some time.

    Of all connections between two hosts, those that were silent for longer than a certain time were reset by a device,
    or nothing got through any more, while their peer was alive; those that were silent for less went on. So between
    the longest silence that one survived and the shortest that was fatal lies the idle timeout of a firewall, a load
    balancer, a NAT or a virtual switch. Where one known timeout alone lies between, devices that have it are named.

    Look at: the configuration of what stands between the two hosts. Cloud load balancers and NATs are such devices,
    too, and cannot always be configured.

    Probe more often than the device forgets (TCP_KEEPIDLE well below it, for timers fire late and never early), close
    idle connections sooner, or raise the timeout.
    """
    for memory in context.memories:
        flow = context.flow(int(memory.forgotten[0]))
        rows = context.facts.tracks.flows[memory.forgotten]
        frames = sorted({*rows[:, REQUEST_FRAME].tolist(), *rows[:, RESET_FRAME].tolist()} - {0})
        yield Claim(
            summary=f"{connections(len(memory.forgotten))} between {flow.client.address} and {flow.server.address} "
            f"did not outlive a silence of {seconds(memory.fatal)}{_survived(memory)}{_devices(memory)}",
            remedy="Find the device; keep TCP_KEEPIDLE (net.ipv4.tcp_keepalive_time) well below "
            f"{memory.survived / 1e9 or memory.fatal / 1e9:.0f} s, or raise its timeout.",
            frames=tuple(frames[:MAX_FRAMES]),
            observed=f"the longest silence survived: {seconds(memory.survived) if memory.survived else 'unknown'}; "
            f"the shortest that was fatal: {seconds(memory.fatal)}",
            expected="a connection that lasts until one of its ends closes it",
            source="RFC 5382 REQ-5: no less than 2 h 4 min for a NAT",
            confidence="likely" if memory.sure or len(memory.forgotten) > 1 else "possible",
            streams=tuple(memory.forgotten.tolist()),
        )


def _survived(memory: Memory) -> str:
    return f", others survived {seconds(memory.survived)}" if memory.survived else ""


def _devices(memory: Memory) -> str:
    if not memory.devices:
        return ""
    names = ", ".join(box.name for box in memory.devices)
    return f": {memory.devices[0].idle_timeout_s} s, as of {names}"
