"""Findings that have been reported: each has an id, by which a receiver knows what is over."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from analyzer.diagnose import RULES
from analyzer.model.findings import Finding
from analyzer.tcp import SECOND


def identity(rule: str, stream: int | None, time: int) -> str:
    """Of a finding that is reported now; no other has it, nor one of another run."""
    return f"{rule}-{'all' if stream is None else stream}-{time // (SECOND // 1000)}"


class Standing(NamedTuple):
    """A finding that was reported and is not over, as far as is known."""

    id: str
    rule: str
    severity: str

    @property
    def facts(self) -> dict[str, int | str | None]:
        """What an event says of it when it is over."""
        return {"id": self.id, "rule": self.rule, "severity": self.severity}


class Reported:
    """Those about single connections."""

    def __init__(self) -> None:
        self._standing: dict[int, dict[str, Standing]] = {}  # by connection and rule
        self._left = array("q")  # of those that have left memory: rule and connection as one number

    def add(self, finding: Finding, stream: int, now: int) -> str | None:
        """The id of one that is new; None where it has been reported."""
        rules = self._standing.setdefault(stream, {})
        if finding.rule in rules:
            return None
        rules[finding.rule] = Standing(identity(finding.rule, stream, now), finding.rule, finding.severity)
        return rules[finding.rule].id

    def over(self, stream: int, still: Iterable[str]) -> Iterator[Standing]:
        """Of a connection those that are over, where these rules find something of it still."""
        rules = self._standing.get(stream, {})
        for rule in rules.keys() - set(still):
            yield rules.pop(rule)

    def leave(self, living: set[int]) -> None:
        """All connections but these have left memory."""
        for stream in self._standing.keys() - living:
            self._left.extend(_number_of(rule, stream) for rule in self._standing.pop(stream))

    def not_among(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Of these, about connections as they are numbered in the whole capture, those that have not been reported."""
        left = set(self._left)
        for finding in findings:
            assert finding.stream is not None
            rules = self._standing.get(finding.stream, {})
            if finding.rule not in rules and _number_of(finding.rule, finding.stream) not in left:
                yield finding

    def __len__(self) -> int:
        return len(self._standing)


def _number_of(rule: str, stream: int) -> int:
    return stream * len(RULES) + list(RULES).index(rule)
