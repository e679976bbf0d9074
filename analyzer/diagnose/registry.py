"""The rules: one file each in rules/, registered by decorator, their docstrings the text of `keepalive explain`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.explained import explained
from analyzer.model.columns import Facts
from analyzer.model.findings import SEVERITIES, Evidence, Finding
from analyzer.model.flows import Endpoint, Flow
from analyzer.tables.arrays import Column, Mask, distinct
from analyzer.tables.frames import file_of, number_of

MAX_FRAMES = 20


class Claim(NamedTuple):
    """What a rule has found of its connection or, where it names them, of several; `Finding` says what fields mean."""

    summary: str
    remedy: str
    frames: tuple[int, ...]
    observed: str
    expected: str
    source: str
    confidence: str = "certain"
    streams: tuple[int, ...] = ()
    severity: str | None = None  # where it is not the rule's own
    tentative: bool = False  # the next packet may disprove it
    display_filter: str | None = None  # where frame numbers do not select the evidence
    at: int | None = None
    whom: str = ""  # where it is not the service


class Rule(NamedTuple):
    """A finding's name, how severe it is, and how to find it: in single connections (of these streams), or in all."""

    name: str
    severity: str
    title: str  # one clause that says it of {connections}, and of {whom}
    explanation: str
    streams: Callable[[Context], Column]
    of_one: Callable[[Flow, Context], Iterator[Claim]] | None = None
    of_all: Callable[[Context], Iterator[Claim]] | None = None
    moment: str = ""  # what happened at the time of its claims: "first unanswered probe"


RULES: dict[str, Rule] = {}
OfOne = Callable[[Flow, Context], Iterator[Claim]]
OfAll = Callable[[Context], Iterator[Claim]]
NOTHING = np.zeros(0, np.int64)


def rule(
    name: str,
    *,
    severity: str,
    title: str,
    moment: str = "",
    verdicts: tuple[str, ...] = (),
    where: Callable[[Facts], Mask] | None = None,
) -> Callable[[OfOne], OfOne]:
    """Register a rule about single connections: those with one of these verdicts, and those where `where` holds."""

    def streams(context: Context) -> Column:
        judged = context.judged(*verdicts) if verdicts else NOTHING
        if where is None:
            return judged
        return distinct(np.concatenate((judged, np.flatnonzero(where(context.facts)))))

    def register(function: OfOne) -> OfOne:
        RULES[name] = Rule(name, severity, title, function.__doc__ or "", streams, of_one=function, moment=moment)
        return function

    return register


def survey(name: str, *, severity: str, title: str, moment: str = "", appendix: str = "") -> Callable[[OfAll], OfAll]:
    """Register a rule that looks at all connections at once, in columns, and names those that it is about.

    `appendix` is what its explanation ends with: lines that are not prose.
    """

    def register(function: OfAll) -> OfAll:
        explanation = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{appendix}".strip()
        RULES[name] = Rule(name, severity, title, explanation, lambda context: NOTHING, of_all=function, moment=moment)
        return function

    return register


def earliest(times: Column) -> int | None:
    """The first of these moments, 0 being none."""
    known = times[times > 0]
    return int(known.min()) if len(known) else None


@cache
def load_rules() -> dict[str, Rule]:
    """All rules, by name."""
    package = importlib.import_module("analyzer.diagnose.rules")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return RULES


def find(context: Context, *, single: bool = True, surveys: bool = True) -> list[Finding]:
    """All findings, the most severe first; those of rules about single connections alone, or of surveys alone.

    Where several speak of one event, one stands and has the others as notes: see `explained`.
    """
    found: dict[str, list[Finding]] = {name: [] for name in load_rules()}
    rules_of: dict[int, list[Rule]] = {}
    for one in RULES.values():
        for stream in one.streams(context).tolist() if single else ():
            rules_of.setdefault(stream, []).append(one)
        if one.of_all is not None and surveys:
            for claim in one.of_all(context):
                ends = context.ends(claim.streams[0]) if claim.streams else None
                found[one.name].append(_finding(one, claim, ends, context.processes(claim.streams)))
    # Connection by connection: what a rule looks at costs more than looking.
    for flow in context.flows(sorted(rules_of)):
        for one in rules_of[flow.stream]:
            assert one.of_one is not None
            claims = (claim._replace(streams=(flow.stream,)) for claim in one.of_one(flow, context))
            who = context.processes((flow.stream,))
            found[one.name] += [_finding(one, claim, (flow.client, flow.server), who) for claim in claims]
    findings = explained([finding for of_one_rule in found.values() for finding in of_one_rule])
    return sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity))


def is_survey(finding: Finding) -> bool:
    """Whether the rule looks at all connections, though it may have found something of a single one."""
    return RULES[finding.rule].of_all is not None


def _finding(one: Rule, claim: Claim, ends: tuple[Endpoint, Endpoint] | None, process: str) -> Finding:
    alone = len(claim.streams) == 1
    frames = claim.frames[:MAX_FRAMES]
    service = str(ends[1]) if ends is not None else ""
    return Finding(
        rule=one.name,
        severity=claim.severity or one.severity,
        confidence=claim.confidence,
        stream=claim.streams[0] if alone else None,
        streams=() if alone else claim.streams,
        summary=claim.summary,
        remedy=claim.remedy,
        tentative=claim.tentative,
        service=service,
        title=one.title,
        at=claim.at,
        moment=one.moment,
        whom=claim.whom or service,
        process=process,
        evidence=Evidence(
            frames=frames,
            observed=claim.observed,
            expected=claim.expected,
            source=claim.source,
            display_filter=claim.display_filter or frames_filter(frames, ends, alone=alone),
        ),
    )


def frames_filter(frames: Sequence[int], ends: tuple[Endpoint, Endpoint] | None, *, alone: bool = True) -> str:
    """A Wireshark display filter that selects these frames of the file they are in.

    A frame number means another packet in another file: where the frames are of several files, or there are none, the
    filter selects their connection (those of its server, where there are several), in whichever of them.
    """
    if len({file_of(frame) for frame in frames}) == 1:
        return f"frame.number in {{{', '.join(str(number_of(frame)) for frame in frames)}}}"
    if ends is None:
        return "tcp"
    ip = "ipv6" if ":" in ends[0].address else "ip"
    return " && ".join(f"{ip}.addr == {end.address} && tcp.port == {end.port}" for end in (ends if alone else ends[1:]))
