"""Causes: the findings of one rule, told once for all the connections and servers that they are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from analyzer.model.findings import SEVERITIES, URGENT, Finding
from analyzer.report.analysed import Analysed
from analyzer.report.times import clock, zone
from analyzer.tables.arrays import Column, distinct

NAMED = 2  # servers or hosts that a sentence names
SENTENCES = 3  # causes that a summary tells
CONFIDENCES = ("certain", "likely", "possible")


class Place(NamedTuple):
    """A server or a host, and how many connections the cause concerns there."""

    whom: str
    connections: int


@dataclass(frozen=True)
class Cause:
    """What one rule found at one severity: its findings, those that concern most connections first."""

    rule: str
    severity: str
    findings: tuple[Finding, ...]

    @cached_property
    def streams(self) -> tuple[int, ...]:
        """All connections that it concerns, in order."""
        return tuple(distinct(_concerned(self.findings)).tolist())

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Where, the place with most connections first."""
        counted: Counter[str] = Counter()
        for one in self.findings:
            counted[one.whom or one.service] += len(one.concerned)
        return tuple(Place(whom, count) for whom, count in counted.most_common() if whom)

    @cached_property
    def confidence(self) -> str:
        """How sure: one word, or how many connections of each."""
        counted: Counter[str] = Counter()
        for one in self.findings:
            counted[one.confidence] += max(len(one.concerned), 1)
        if len(counted) == 1:
            return next(iter(counted))
        return ", ".join(f"{counted[word]} {word}" for word in CONFIDENCES if counted[word])

    @property
    def doubtful(self) -> bool:
        """Whether all of it is possible and no more: what is likely comes before that."""
        return all(one.confidence == CONFIDENCES[-1] for one in self.findings)

    @property
    def span(self) -> tuple[int, int] | None:
        """When it happened, first and last, in nanoseconds; None where it has no moment."""
        moments = [one.at for one in self.findings if one.at is not None]
        return (min(moments), max(moments)) if moments else None

    @cached_property
    def fix(self) -> str:
        """What to do, in one sentence: for most of the connections, and for how many places it differs."""
        counted: Counter[str] = Counter()
        for one in self.findings:
            counted[first_sentence(one.remedy)] += max(len(one.concerned), 1)
        (sentence, _), *others = counted.most_common()
        if len(others) < NAMED:
            return f"{sentence[:-1]} (likewise {len(others)} more)." if others else sentence
        return f"Look for what the {len(others) + 1} have in common. For the first: {sentence}"

    def sentence(self, total: int) -> str:
        """What happened, of so many connections, without a full stop: what a finding says of itself if it is alone."""
        if len(self.findings) == 1:
            return self.findings[0].summary
        title = self.findings[0].title
        text = title.format(
            connections=_counted(len(self.streams), total),
            whom=_named(self.places, {one.service for one in self.findings}),
        )
        return _capital(text)

    def told(self, total: int, day: int, utc: bool) -> str:
        """The sentence with its full stop, and in parentheses how sure it is, and when."""
        return f"{self.sentence(total).removesuffix('.')} ({self.aside(day, utc)})."

    def aside(self, day: int, utc: bool) -> str:
        """`certain; RST 09:31:07 UTC`, `likely; RSTs 09:31:05 to 09:31:07 UTC`; with the date if `day` is another."""
        if self.span is None:
            return self.confidence
        first, last = self.span
        dates = {clock(time, utc, "%F") for time in (day, first, last)}
        begun, ended = (clock(time, utc, "%H:%M:%S" if len(dates) == 1 else "%F %H:%M:%S") for time in self.span)
        named, moment = zone(last, utc), self.findings[0].moment
        if len(self.streams) == 1:
            return f"{self.confidence}; {moment} {begun} {named}"
        when = f"from {begun}" if begun == ended else f"{begun} to {ended}"
        return f"{self.confidence}; {moment}s {when} {named}"


def causes(findings: Iterable[Finding]) -> list[Cause]:
    """One for each rule and severity: the most severe first, then that of most connections."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.rule, finding.severity), []).append(finding)
    found = [
        Cause(rule, severity, tuple(sorted(group, key=lambda one: -len(one.concerned))))
        for (rule, severity), group in groups.items()
    ]
    return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.doubtful, -len(one.streams)))


def _concerned(findings: Iterable[Finding]) -> Column:
    """The streams that these are about, some of them several times."""
    return np.fromiter((stream for one in findings for stream in one.concerned), np.int64)


def unexplained(analysis: Analysed, streams: Sequence[int] | Column, findings: Sequence[Finding]) -> list[str]:
    """Sentences about connections whose verdict is urgent and that no finding names: `3 of 9 connections are ...`."""
    named = np.zeros(len(analysis), bool)
    named[_concerned(findings)] = True
    chosen = np.asarray(streams, np.int64)
    sentences = []
    left = analysis.by_verdict(chosen[~named[chosen]])
    for word, some in sorted(left.items(), key=lambda one: int(one[1][0])):
        if analysis.severities[word] in URGENT:
            counted = _capital(_counted(len(some), len(chosen)))
            sentences.append(f"{counted} {'is' if len(some) == 1 else 'are'} {word}: {analysis.meanings[word]}.")
    return sentences


def summary(found: Sequence[Cause], total: int, others: Sequence[str], day: int, *, utc: bool) -> list[str]:
    """What happened, to whom, when, how sure, and what to do first: whole sentences, the worst first.

    `others` are those of `unexplained`, and `total` is how many connections there are.
    """
    urgent = [cause for cause in found if cause.severity in URGENT]
    if not urgent:
        if others:
            return list(others)
        minor = f"; {len(found)} minor finding{'s' * (len(found) != 1)}" if found else ""
        where = f"No problem found in {total} connection{'s' * (total != 1)}" if total else "No TCP connection captured"
        return [f"{where}{minor}."]
    lines = []
    for cause in urgent[:SENTENCES]:
        lines.append(cause.told(total, day, utc))
    if rest := urgent[SENTENCES:]:
        named = ", ".join(f"{one.rule}{_on(len(one.streams))}" for one in rest)
        lines.append(f"{len(rest)} more problem{'s' * (len(rest) > 1)}: {named}.")
    lines += others
    lines.append(f"Do first: {urgent[0].fix}")
    return lines


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _on(connections: int) -> str:
    return f" on {connections} connection{'s' * (connections > 1)}" if connections else ""


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence."""
    return text.partition(". ")[0].removesuffix(".") + "."


def _counted(number: int, total: int) -> str:
    """`1 connection`, `40 of 200 connections`, `all 3 connections`."""
    if number == total:
        return "the only connection" if total == 1 else f"all {total} connections"
    return f"{number} of {total} connections"


def _named(places: Sequence[Place], services: set[str]) -> str:
    """`192.0.2.1:80 and 192.0.2.2:80`; of many `15 servers and 25 hosts (192.0.2.1:80, 192.0.2.2, ...)`."""
    names = [place.whom for place in places]
    if len(names) <= NAMED:
        return " and ".join(names) or "the capture"
    servers = sum(name in services for name in names)
    kinds = ((servers, "server"), (len(names) - servers, "host"))
    counted = " and ".join(f"{number} {kind}{'s' * (number > 1)}" for number, kind in kinds if number)
    return f"{counted} ({', '.join(names[:NAMED])}, ...)"
