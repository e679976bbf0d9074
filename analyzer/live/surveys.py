"""Findings about several connections while a capture goes on: told once they have been found twice in a row.

Every few seconds the rules that look at all connections look at those in memory, as if the capture ended now: what has
ended a minute ago has left (`memory.py`), and is part of the result alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from analyzer.model.events import FINDING, Event
from analyzer.model.findings import Finding
from analyzer.tables.arrays import Column


class Surveys:
    """Remembers what has been told, and what may be told the next time."""

    def __init__(self) -> None:
        self._told: dict[str, set[int]] = {}  # by rule: the connections that it has been told of
        self._before: dict[str, set[int]] = {}  # by rule: those of the last look

    def look(self, findings: Iterable[Finding], numbers: Column, now: int, *, last: bool = False) -> Iterator[Event]:
        """What is new among these, of connections so numbered; the `last` time all that has not been told."""
        found = [_numbered(finding, numbers) for finding in findings]
        before, self._before = self._before, {}
        self._forget(numbers)
        for finding in found:
            streams = set(finding.streams)
            told = self._told.get(finding.rule)
            stands = last or (finding.rule in before and (not streams or not streams.isdisjoint(before[finding.rule])))
            self._before.setdefault(finding.rule, set()).update(streams)
            known = told is not None and (not streams or not streams.isdisjoint(told))
            if known or stands:
                self._told.setdefault(finding.rule, set()).update(streams)
            if stands and not known:
                yield Event(FINDING, now, None, None, None, finding=finding)

    def _forget(self, numbers: Column) -> None:
        """Those that have left memory cannot be found again."""
        living = set(numbers.tolist()) if any(self._told.values()) else set()
        for told in self._told.values():
            told &= living


def _numbered(finding: Finding, numbers: Column) -> Finding:
    """With the connections' numbers in the whole capture, all of them in `streams`, of which a survey's may be one."""
    streams: Sequence[int] = finding.streams if finding.stream is None else (finding.stream,)
    own = tuple(int(numbers[stream]) for stream in streams)
    return replace(finding, stream=own[0] if len(own) == 1 else None, streams=own)
