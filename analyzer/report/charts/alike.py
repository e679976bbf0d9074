"""Connections that a timeline would draw alike: one lane serves for all of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from analyzer.model.flows import Flow


class Alike(NamedTuple):
    """Connections with the same course: the first of them, and the streams of all."""

    flow: Flow
    streams: Sequence[int]


def grouped(flows: Iterable[Flow], apart: int) -> list[Alike]:
    """Flows between the same hosts that fared alike, no moment of theirs `apart` nanoseconds from the first's."""
    groups: dict[Hashable, list[tuple[Flow, tuple[int, ...], list[int]]]] = {}
    found: list[tuple[Flow, list[int]]] = []
    for flow in flows:
        times = _moments(flow)
        some = groups.setdefault((_course(flow), len(times)), [])
        for _, others, streams in some:
            if all(abs(a - b) < apart for a, b in zip(times, others, strict=True)):
                streams.append(flow.stream)
                break
        else:
            some.append((flow, times, [flow.stream]))
            found.append((flow, some[-1][2]))
    return [Alike(flow, streams) for flow, streams in found]


def _course(flow: Flow) -> Hashable:
    """What of a connection is not a time."""
    probed = tuple((one.sender, bool(one.answered), one.unanswered, one.reset) for one in flow.keepalive)
    return flow.server, flow.client.address, flow.verdict, flow.handshake, flow.ending[:2], probed


def _moments(flow: Flow) -> tuple[int, ...]:
    """When it began, when it ended, and when probes began to go unanswered."""
    ended = () if flow.ending.time is None else (flow.ending.time,)
    lost = [
        probe.time
        for entry in flow.keepalive
        if entry.unanswered
        for episode in entry.episodes
        for probe in episode.probes
        if probe.answer_frame is None
    ]
    return (flow.start, *ended, *lost[:1])
