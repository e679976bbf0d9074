"""The finding middlebox-idle-timeout."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.advice import how_to_set, proposed
from analyzer.diagnose.context import Context
from analyzer.diagnose.idle_timeouts import Memory
from analyzer.diagnose.registry import MAX_FRAMES, Claim, earliest, survey
from analyzer.model.flows import SIDES, Flow
from analyzer.model.quantities import between, connections, duration
from analyzer.tables.fields import OPEN_GAP_END, REQUEST_FRAME, RESET_FRAME
from analyzer.tcp import SECOND


@survey(
    "middlebox-idle-timeout",
    severity="high",
    title="A device on the path to {whom} forgot {connections} after an idle period",
    moment="lost packet",
)
def middlebox_idle_timeout(context: Context) -> Iterator[Claim]:
    """A device on the network path forgets connections after some idle time.

    Between two hosts, connections that were silent for longer than a certain time got a reset from a device, or nothing
    got through any more, while the same path carried other connections. Connections that were silent for less went on.
    So a firewall, load balancer, NAT or virtual switch on the path has an idle timeout between the longest silence that
    a connection survived and the shortest that ended one. If only one known timeout lies between the two, devices with
    that timeout are named. A broken path does not look like this: it ends connections however long they have been
    silent.

    Look at: the configuration of the devices between the two hosts. These include the load balancers and NATs of cloud
    providers, which cannot always be configured.

    Use a keepalive idle time at least an eighth shorter than a silence that was survived (Linux timers fire late), or
    half of the device's timeout. Or close idle connections sooner, or raise the device's timeout.
    """
    firsts = context.flows([int(memory.forgotten[0]) for memory in context.memories])
    for memory, flow in zip(context.memories, firsts, strict=True):
        rows = context.facts.tracks.flows[memory.forgotten]
        frames = sorted({*rows[:, REQUEST_FRAME].tolist(), *rows[:, RESET_FRAME].tolist()} - {0})
        sure = memory.sure or (len(memory.forgotten) > 1 and memory.survived > 0)
        yield Claim(
            summary=f"A device on the path between {flow.client.address} and {flow.server.address} "
            f"{'forgets' if sure else 'may forget'} connections after {_bracket(memory)} of silence{_devices(memory)}; "
            f"{connections(len(memory.forgotten))} ended this way",
            remedy=_advice(context, memory, flow),
            frames=tuple(frames[:MAX_FRAMES]),
            observed=_observed(memory),
            expected="a connection that lasts until one side closes it",
            source="RFC 5382 REQ-5: no less than 2 h 4 min for a NAT",
            confidence="likely" if sure else "possible",
            streams=tuple(memory.forgotten.tolist()),
            at=earliest(rows[:, OPEN_GAP_END]),
            whom=flow.server.address,
        )


def _observed(memory: Memory) -> str:
    if memory.exact:
        return (
            f"an RST with another hop limit than its sender's packets, {duration(memory.fatal)} after the last packet"
            + (f"; others survived {duration(memory.survived)} of silence" if memory.survived else "")
        )
    if not memory.survived:
        return f"a connection that died after {duration(memory.fatal)} of silence; none is known to have survived one"
    return f"a connection survived {duration(memory.survived)} of silence; another died after {duration(memory.fatal)}"


def _advice(context: Context, memory: Memory, flow: Flow) -> str:
    """What idle time of a prober keeps the device from forgetting, and how to set it."""
    timing = proposed(context.safe_idle[flow.stream])
    why = "half of the silence that was fatal"
    if memory.survived:
        late = memory.safe_idle < memory.survived // SECOND
        why = f"{memory.safe_idle} s at most: connections survived {duration(memory.survived)} of silence"
        why += ", and timers fire late" if late else ""
    sides = [entry.sender for entry in flow.keepalive] or SIDES
    return (
        f"Set the keepalive idle time to {timing.idle} s or less ({why}), or raise the device's idle timeout. "
        f"{how_to_set(context.facts, flow, timing, sides)}"
    )


def _bracket(memory: Memory) -> str:
    """The bounds of its timeout."""
    if memory.exact:
        return f"about {duration(memory.fatal)}"
    if memory.survived:
        return between(memory.survived, memory.fatal)
    return f"at most {duration(memory.fatal)}"


def _devices(memory: Memory) -> str:
    if not memory.devices:
        return ""
    names = ", ".join(box.name for box in memory.devices)
    return f" ({memory.devices[0].idle_timeout_s} s is the timeout of {names})"
