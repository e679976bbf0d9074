"""The rules: one file each in rules/, registered by decorator, their docstrings the text of `keepalive explain`."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analyzer.diagnose.attempts import find_scans
from analyzer.diagnose.explained import explained
from analyzer.diagnose.groups import by_service, by_service_and_path, hosts
from analyzer.diagnose.hops import reset_hops
from analyzer.diagnose.idle_timeouts import Memory, find_memories, safe_idle_times
from analyzer.diagnose.limits import Closings, Limit, all_closings, idle_limits
from analyzer.diagnose.lost import Lost, lost_probes
from analyzer.diagnose.phrases import connections, named
from analyzer.diagnose.silence import Silence
from analyzer.diagnose.verdicts import VERDICTS
from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Facts
from analyzer.model.findings import SEVERITIES, Apart, Evidence, Finding
from analyzer.model.flows import SIDES, Flow
from analyzer.tables.arrays import Column, Mask, Narrow, distinct

MAX_FRAMES = 20


@dataclass(frozen=True)
class Context:
    """What a rule may ask: of all connections in columns, of one as a Flow."""

    captures: Sequence[CaptureFacts]
    facts: Facts
    verdicts: Narrow  # places in VERDICTS
    idle_after: int  # nanoseconds
    flow: Callable[[int], Flow]
    expect: Callable[[Sequence[int]], None]  # say which are asked for next, in order of stream
    frame_text: Callable[[int], str]
    apart: Sequence[Apart] = ()  # what only one of two captures of a path holds

    def judged(self, *words: str) -> Column:
        """The streams with one of these verdicts, in order; raises ValueError for a word that is none."""
        known = [verdict.word for verdict in VERDICTS]
        mask = np.zeros(len(self.verdicts), bool)
        for word in words:
            mask |= self.verdicts == known.index(word)
        return np.flatnonzero(mask)

    def where(self, capture: int) -> str:
        """Words for which capture it is, where there are several."""
        return f" of {self.name_of(capture)}" if len(self.captures) > 1 else ""

    def name_of(self, capture: int) -> str:
        """The name of a capture file, with its directory where two have the same name."""
        names = [Path(facts.path).name for facts in self.captures]
        name = names[capture] if names.count(names[capture]) == 1 else self.captures[capture].path
        return "".join(letter if letter.isprintable() else "?" for letter in name)

    def which(self, capture: int) -> str:
        """The same as the name of a thing."""
        return f"capture {capture}" if len(self.captures) > 1 else "the capture"

    def at_side(self, streams: Column, side: int) -> str:
        """The end of these connections at one side, as `named`; where there are several, how many."""
        several = self.by_service(streams) if side else distinct(hosts(self.facts.tracks.flows, streams)[0])
        if len(several) > 1:
            return f"{len(several)} {('clients', 'services')[side]}"
        return named(self.flow(int(streams[0])), SIDES[side])

    def whose(self, streams: Column, side: int) -> str:
        """The same, of a single connection with its port on either side."""
        if len(streams) > 1:
            return self.at_side(streams, side)
        flow = self.flow(int(streams[0]))
        return str((flow.client, flow.server)[side])

    def of(self, streams: Column, side: int) -> str:
        """These connections as the end at one side has them: `3 connections to ADDRESS:PORT`, `... from ADDRESS`."""
        return f"{connections(len(streams))} {('to', 'from')[side]} {self.at_side(streams, 1 - side)}"

    @functools.cached_property
    def silence(self) -> Silence:
        """What other connections show about the silence on each."""
        return Silence(self.facts)

    @functools.cached_property
    def scans(self) -> list[Column]:
        """Connections that were not made because somebody looked for what there is, by who did."""
        return find_scans(self.facts)

    @functools.cached_property
    def lost(self) -> Lost:
        """Probes without an answer for which there is another reason than a dead peer."""
        return lost_probes(self.facts)

    @functools.cached_property
    def memories(self) -> list[Memory]:
        """Paths with a device that forgets idle connections."""
        return find_memories(self.facts, self.judged, self.silence, self.idle_limits)

    @functools.cached_property
    def safe_idle(self) -> Column:
        """The idle time, in seconds, that keeps devices on each path from forgetting; UNLIMITED where none is seen."""
        return safe_idle_times(self.memories, len(self.facts))

    @functools.cached_property
    def reset_hops(self) -> Narrow:
        """Whether the RST of each connection came as far as its sender's other packets: see `hops`."""
        return reset_hops(self.facts)

    @functools.cached_property
    def idle_limits(self) -> list[Limit]:
        """Services of which one side ends connections that were idle for so long."""
        return idle_limits(self.facts, self.closings, self.reset_hops)

    @functools.cached_property
    def closings(self) -> Closings:
        """Who closed each connection of its own accord, and after how long."""
        return all_closings(self.facts)

    def by_service(self, streams: Column) -> list[Column]:
        """These streams, gathered by the server's address and port."""
        return by_service(self.facts.tracks.flows, streams)

    def by_service_and_path(self, streams: Column) -> list[Column]:
        """These streams, gathered by the addresses of client and server and the server's port."""
        return by_service_and_path(self.facts.tracks.flows, streams)


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
                flow = context.flow(claim.streams[0]) if claim.streams else None
                found[one.name].append(_finding(one, claim, flow, context))
    # Connection by connection: what a rule looks at costs more than looking.
    context.expect(sorted(rules_of))
    for stream in sorted(rules_of):
        flow = context.flow(stream)
        for one in rules_of[stream]:
            assert one.of_one is not None
            claims = (claim._replace(streams=(stream,)) for claim in one.of_one(flow, context))
            found[one.name] += [_finding(one, claim, flow, context) for claim in claims]
    findings = explained([finding for of_one_rule in found.values() for finding in of_one_rule])
    return sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity))


def is_survey(finding: Finding) -> bool:
    """Whether the rule looks at all connections, though it may have found something of a single one."""
    return RULES[finding.rule].of_all is not None


def _finding(one: Rule, claim: Claim, flow: Flow | None, context: Context) -> Finding:
    alone = len(claim.streams) == 1
    frames = claim.frames[:MAX_FRAMES]
    service = str(flow.server) if flow is not None else ""
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
        evidence=Evidence(
            frames=frames,
            observed=claim.observed,
            expected=claim.expected,
            source=claim.source,
            display_filter=claim.display_filter or frames_filter(frames, flow, context, alone=alone),
        ),
    )


def frames_filter(frames: Iterable[int], flow: Flow | None, context: Context, *, alone: bool = True) -> str:
    """A Wireshark display filter that selects these frames of the file they are in.

    A frame number means another packet in another file: where the frames are of several files, or there are none, the
    filter selects their connection (those of its server, where there are several), in whichever of them.
    """
    parts = [context.frame_text(frame).rpartition(":")[::2] for frame in frames]
    if parts and len({file for file, _ in parts}) == 1:
        return f"frame.number in {{{', '.join(number for _, number in parts)}}}"
    if flow is None:
        return "tcp"
    ip = "ipv6" if ":" in flow.client.address else "ip"
    ends = (flow.client, flow.server) if alone else (flow.server,)
    return " && ".join(f"{ip}.addr == {end.address} && tcp.port == {end.port}" for end in ends)
