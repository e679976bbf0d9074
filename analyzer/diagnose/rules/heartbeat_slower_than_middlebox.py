"""The finding heartbeat-slower-than-middlebox."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.idle_timeouts import Memory
from analyzer.diagnose.registry import MAX_FRAMES, Claim, survey
from analyzer.model.quantities import connections, duration
from analyzer.tables.arrays import Column, are_among
from analyzer.tables.fields import (
    BEAT,
    BEAT_LAST,
    BEAT_PROTOCOL,
    OPEN_GAP,
    OPEN_GAP_END,
    REQUEST_FRAME,
)
from analyzer.tables.heartbeats import BEFORE_USE, HEARTBEAT_PROTOCOLS


@survey(
    "heartbeat-slower-than-middlebox",
    severity="high",
    title="A device on the path forgot {connections} to {whom} before the next heartbeat",
    moment="heartbeat",
)
def heartbeat_slower_than_middlebox(context: Context) -> Iterator[Claim]:
    """The application sends heartbeats, but too seldom for a device on the network path.

    The connection was silent until a heartbeat of the application (MQTT PINGREQ, Redis PING, HTTP/2 PING), which came
    too late: it was answered with an RST or got no reply, because a device between the two hosts had forgotten the
    connection (see middlebox-idle-timeout). A heartbeat counts as traffic for such a device, as any packet does.

    Look at: the idle timeout of the device, and the interval of the heartbeats.

    Send heartbeats more often than the device's timeout, with a margin. Or set a keepalive idle time that is shorter
    than the timeout: then the kernel keeps the device from forgetting, however seldom the heartbeats come.
    """
    for memory in context.memories:
        streams, sides = _late(context, memory)
        if not len(streams):
            continue
        rows = context.facts.tracks.flows[streams]
        flow, side = context.flow(int(streams[0])), int(sides[0])
        protocol = context.facts.tracks.endpoint(BEAT, flow.stream, side) >> BEAT_PROTOCOL
        name = HEARTBEAT_PROTOCOLS[protocol - 1] if protocol else "application"
        silent = duration(int(rows[:, OPEN_GAP].min()))
        yield Claim(
            summary=f"A device on the path forgot {connections(len(streams))} to {flow.server} before the next {name} "
            f"heartbeat, which {context.at_side(streams, side)} sent after {silent} of silence",
            remedy=f"Send heartbeats every {memory.safe_idle} s or more often, or set a keepalive idle time of at most "
            f"{memory.safe_idle} s.",
            frames=tuple(rows[:MAX_FRAMES, REQUEST_FRAME].tolist()),
            observed=f"a {name} heartbeat after {silent}, without a reply or answered by RST",
            expected=f"a heartbeat at least every {memory.safe_idle} s",
            source="RFC 5382 REQ-5: a NAT may forget what is idle for longer than 2 h 4 min, and many do sooner",
            confidence="likely" if memory.sure else "possible",
            streams=tuple(streams.tolist()),
            at=int(rows[:, OPEN_GAP_END].min()),
        )


def _late(context: Context, memory: Memory) -> tuple[Column, Column]:
    """Of the forgotten connections those that a heartbeat found so, and the sides that sent it."""
    tracks = context.facts.tracks
    beat, last = tracks.endpoints(BEAT, memory.forgotten), tracks.endpoints(BEAT_LAST, memory.forgotten)
    # One query before use is no heartbeat.
    named = (beat >> BEAT_PROTOCOL > 0) & ~are_among(beat >> BEAT_PROTOCOL, BEFORE_USE)
    late = (named | context.facts.beating[memory.forgotten]) & (
        last == tracks.flows[memory.forgotten][:, [OPEN_GAP_END]]
    )
    place, sides = np.nonzero(late)
    return memory.forgotten[place], sides
