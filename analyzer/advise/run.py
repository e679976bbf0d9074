"""Advice from an analysis: failures gathered, settings proposed or given, replayed and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from analyzer.advise.asked import Advised
from analyzer.advise.candidates import proposals
from analyzer.advise.conclusion import conclude
from analyzer.advise.cost import per_hour, seconds_of, seen_per_hour
from analyzer.advise.failures import find_failed
from analyzer.advise.groups import Group, gather, limits_of
from analyzer.advise.replay import ALWAYS, replay
from analyzer.advise.timer import longest_silence
from analyzer.model.advice import Advice, Candidate, Kind, Limit, Outcome, Replay

# Timers are late: a dead peer is not noticed later for less than this part more.
LATER = 1.1
# When a sender gives data up no packet shows. The gaps between retransmissions double: it was before the next was due.
NOT_RESENT = 2.1


def advise(
    analysis: Advised, candidates: Sequence[Candidate] | None = None, streams: Iterable[int] | None = None
) -> Advice:
    """What these settings, or those proposed, would have made of the failures of these connections, or of all."""
    chosen = None if streams is None else set(streams)
    failed = find_failed(analysis, chosen)
    groups = gather(analysis, failed)
    limits = limits_of(analysis, failed)
    settings = list(dict.fromkeys(candidates)) if candidates else _proposed(groups, limits)
    which = np.arange(len(analysis.facts)) if chosen is None else np.array(sorted(chosen), np.int64)
    costs = per_hour(analysis, which, settings, failed) if settings else []
    seen = Replay(
        None,
        tuple(Outcome(why=ALWAYS.get(group.failure.kind, "")) for group in groups),
        seen_per_hour(analysis.facts, which),
    )
    replays = [_replay(one, groups, cost) for one, cost in zip(settings, costs, strict=True)]
    take, conclusion = conclude(groups, limits, replays, given=bool(candidates))
    return Advice(
        seconds=seconds_of(analysis.facts),
        connections=len(which),
        failures=tuple(group.failure for group in groups),
        limits=tuple(limits),
        notes=tuple(_closed_at_a_limit(analysis, chosen)),
        replays=(seen, *replays),
        take=take,
        conclusion=conclusion,
    )


def _proposed(groups: Sequence[Group], limits: Sequence[Limit]) -> list[Candidate]:
    """Settings to try where some are worth a change; none where those seen are good."""
    needy = [group for group in groups if group.needs_change]
    if not needy:
        return []
    takes = [group.takes for group in needy if group.takes is not None]
    unacknowledged = any(group.failure.kind is Kind.UNACKNOWLEDGED_DATA for group in groups)
    longest = min([_safe_idle(limit) for limit in limits], default=None)
    return proposals(longest, min(takes, default=None), unacknowledged=unacknowledged)


def _closed_at_a_limit(analysis: Advised, streams: set[int] | None) -> Iterator[str]:
    """Ends that close what carries no data for so long: probes are none."""
    for finding in analysis.findings:
        if finding.rule == "proxy-idle-close" and (streams is None or not streams.isdisjoint(finding.concerned)):
            yield f"{finding.summary}; keepalive probes do not count as data"


def _safe_idle(limit: Limit) -> int:
    """An idle time that a device allows, also when the timer is late."""
    for idle in range(limit.safe_idle, 0, -1):
        if not limit.survived or longest_silence(Candidate(idle, 1, 1)).latest <= limit.survived:
            return idle
    return limit.safe_idle


def _replay(settings: Candidate, groups: Sequence[Group], cost: float | None) -> Replay:
    outcomes = [replay(settings, group.failure.kind, group.failed) for group in groups]
    slower = [place for place, group in enumerate(groups) if _is_slower(outcomes[place], group)]
    return Replay(settings, tuple(outcomes), cost, tuple(slower))


def _is_slower(outcome: Outcome, group: Group) -> bool:
    """Whether a failure is noticed later than it was, or than the settings seen would have noticed it."""
    if group.failure.kind not in (Kind.DEAD_PEER, Kind.UNACKNOWLEDGED_DATA) or outcome.noticed is None:
        return False
    noticed = group.failure.noticed
    seen = group.takes if group.takes is not None else noticed.longest if noticed else None
    if group.failure.kind is Kind.UNACKNOWLEDGED_DATA:
        seen = noticed.longest * NOT_RESENT if noticed else None
    return seen is not None and outcome.noticed.nominal > seen * LATER
