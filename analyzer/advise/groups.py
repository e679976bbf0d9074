"""Failures gathered by kind and service: thousands of connections are a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analyzer.advise.asked import Advised
from analyzer.advise.failures import Failed
from analyzer.advise.timer import gives_up
from analyzer.diagnose.advice import USUAL
from analyzer.model.advice import Between, Candidate, Failure, Kind, Limit
from analyzer.model.flows import SETTINGS, SIDES, Flow
from analyzer.tcp import SECOND

SAMPLE = 16  # connections of a group whose settings are looked at
SEPARATOR = ", "


class Group(NamedTuple):
    """Failures of one kind at one service, with what the settings seen there do."""

    failure: Failure
    failed: list[Failed]
    takes: float | None  # seconds until the settings seen notice a dead peer, where they are known
    needs_change: bool


def gather(analysis: Advised, failed: Sequence[Failed]) -> list[Group]:
    """All groups, the largest of each kind first."""
    together = []
    for kind in Kind:
        of_kind = {one.stream: one for one in failed if one.kind is kind}
        services = analysis.context.by_service(np.array(list(of_kind), np.int64))
        services.sort(key=len, reverse=True)
        together += [[of_kind[stream] for stream in service.tolist()] for service in services]
    flows = _sampled(analysis, together)
    return [_group(flows, some) for some in together]


def _sampled(analysis: Advised, together: Sequence[list[Failed]]) -> dict[int, Flow]:
    """The first connection of each group, and more of those that probed; the settings of all are estimated at once."""
    probed = analysis.facts.probes
    streams = {some[0].stream for some in together}
    streams |= {one.stream for some in together for one in some[:SAMPLE] if probed[one.stream, one.side]}
    return {flow.stream: flow for flow in analysis.context.flows(sorted(streams))}


def limits_of(analysis: Advised, failed: Sequence[Failed]) -> list[Limit]:
    """The devices that forgot some of these, the shortest memory first."""
    memories = {id(one.memory): (one.stream, one.memory) for one in failed if one.memory is not None}
    found = []
    for stream, memory in memories.values():
        flow = analysis.flow(stream)
        names = tuple(box.name for box in memory.devices)
        survived, fatal = memory.survived / SECOND, memory.fatal / SECOND
        found.append(Limit(flow.client.address, flow.server.address, survived, fatal, memory.safe_idle, names))
    return sorted(found, key=lambda limit: limit.safe_idle)


def _group(flows: dict[int, Flow], failed: list[Failed]) -> Group:
    settings, takes = _settings_seen(flows, failed)
    dated = [one for one in failed if one.since]
    noticed = _between([one.known - one.since for one in dated if one.known])
    memories = {id(one.memory): one.memory for one in failed if one.memory is not None}.values()
    failure = Failure(
        kind=failed[0].kind,
        service=str(flows[failed[0].stream].server),
        streams=tuple(one.stream for one in failed),
        settings=SEPARATOR.join(settings),
        noticed=noticed,
        unnoticed=sum(not one.known for one in failed),
        watched=max([((one.known or one.until) - one.since) / SECOND for one in dated], default=0.0),
        silence=_between([one.silence for one in failed if one.silence]),
        survived=max([memory.survived / SECOND for memory in memories], default=0.0) or None,
        devices=tuple(dict.fromkeys(box.name for memory in memories for box in memory.devices)),
    )
    return Group(failure, failed, takes, _needs_change(failure, takes))


def _between(nanoseconds: Sequence[int]) -> Between | None:
    return Between(min(nanoseconds) / SECOND, max(nanoseconds) / SECOND) if nanoseconds else None


def _needs_change(failure: Failure, takes: float | None) -> bool:
    """Whether other settings are worth advice: where a device forgets, where nobody asks, where it takes long."""
    if failure.kind in (Kind.IDLE_DROP, Kind.UNPROTECTED):
        return True
    if not failure.helped:
        return False
    if takes is not None and failure.kind is Kind.DEAD_PEER:
        return takes > USUAL.total
    return failure.watched > USUAL.total


def _settings_seen(flows: dict[int, Flow], failed: list[Failed]) -> tuple[list[str], float | None]:
    """The settings of those that waited, as text, each once; the longest that the known ones take to notice."""
    texts, takes = [], []
    for one in failed[:SAMPLE]:
        flow = flows.get(one.stream)
        for entry in flow.keepalive if flow is not None else ():
            if entry.sender != SIDES[one.side]:
                continue
            known = [getattr(entry, name) for name in SETTINGS]
            values = [None if estimate is None else estimate.value for estimate in known]
            texts.append("/".join("?" if value is None else f"{value:g}" for value in values))
            if all(values):
                idle, interval, count = (round(value) for value in values if value is not None)
                takes.append(gives_up(Candidate(idle, interval, count)).nominal)
    return list(dict.fromkeys(texts)), max(takes, default=None)
