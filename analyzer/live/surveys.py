"""Findings about several connections while a capture goes on: told once they have been found twice in a row.

Every few seconds the rules that look at all connections look at those in memory, as if the capture ended now: what has
ended a minute ago has left (`memory.py`), and is part of the result alone. A finding that two looks in a row do not
make again is withdrawn; where all its connections have left memory, nothing more is known of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from analyzer.live.reported import Standing, identity
from analyzer.model.events import FINDING, WITHDRAWN, Event
from analyzer.model.findings import Finding
from analyzer.tables.arrays import Column

MISSED = 2


@dataclass
class _Told:
    """A finding that was told, and the connections that it has been about."""

    standing: Standing
    streams: set[int]
    missed: int = 0  # looks in a row that did not find it

    def is_about(self, finding: Finding) -> bool:
        return self.standing.rule == finding.rule and (
            not finding.streams or not self.streams.isdisjoint(finding.streams)
        )


class Surveys:
    """Remembers what has been told, and what may be told the next time."""

    def __init__(self) -> None:
        self._told: list[_Told] = []
        self._before: dict[str, set[int]] = {}  # by rule: the connections of the last look

    def look(self, findings: Iterable[Finding], numbers: Column, now: int, *, last: bool = False) -> Iterator[Event]:
        """What is new among these, of connections so numbered; the `last` time all that has not been told."""
        found = [_numbered(finding, numbers) for finding in findings if not finding.tentative]
        before, self._before = self._before, {}
        for told in self._told:
            told.missed += 1
        for finding in found:
            streams = set(finding.streams)
            known = [told for told in self._told if told.is_about(finding)]
            for told in known:
                told.missed = 0
                told.streams |= streams
            stands = last or (finding.rule in before and (not streams or not streams.isdisjoint(before[finding.rule])))
            self._before.setdefault(finding.rule, set()).update(streams)
            if stands and not known:
                yield self._new(finding, streams, now)
        if not last:
            yield from self._over(numbers, now)

    def _new(self, finding: Finding, streams: set[int], now: int) -> Event:
        own = identity(finding.rule, min(streams, default=None), now)
        self._told.append(_Told(Standing(own, finding.rule, finding.severity), streams))
        return Event(FINDING, now, None, None, None, {"id": own}, finding)

    def _over(self, numbers: Column, now: int) -> Iterator[Event]:
        """Forget those whose connections have left memory, and withdraw those that are found no more."""
        living = set(numbers.tolist()) if self._told else set()
        stay = []
        for told in self._told:
            of_capture = not told.streams
            told.streams &= living
            if told.missed >= MISSED and (told.streams or of_capture):
                yield Event(WITHDRAWN, now, None, None, None, told.standing.facts)
            elif told.streams or of_capture:
                stay.append(told)
        self._told = stay


def _numbered(finding: Finding, numbers: Column) -> Finding:
    """With the connections' numbers in the whole capture, all of them in `streams`, of which a survey's may be one."""
    streams: Sequence[int] = finding.streams if finding.stream is None else (finding.stream,)
    own = tuple(int(numbers[stream]) for stream in streams)
    return finding._replace(stream=own[0] if len(own) == 1 else None, streams=own)
