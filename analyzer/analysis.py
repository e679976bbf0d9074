"""An analysis: what one or several captures show, for those who ask in Python and for all reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, overload

from analyzer.errors import UsageError
from analyzer.model.findings import SEVERITIES
from analyzer.model.flows import SIDES, Endpoint, Flow
from analyzer.tables.frames import frame_text

if TYPE_CHECKING:
    from analyzer.diagnose import Context
    from analyzer.measure import KeepaliveRows
    from analyzer.measure.sockets import Sightings
    from analyzer.model.advice import Advice, Candidate
    from analyzer.model.captures import CaptureFacts
    from analyzer.model.columns import Facts
    from analyzer.model.findings import Apart, Finding
    from analyzer.model.flows import Heartbeat, HostSettings
    from analyzer.model.second_reading import SecondReading
    from analyzer.report.arrow import Tables
    from analyzer.report.charts.charts import Charts
    from analyzer.tables.arrays import Column, Narrow

# Rules ask for one connection several times, one rule after the other.
FLOWS_AT_HAND = 64


class Flows(Sequence[Flow]):
    """The connections of an analysis, by stream; each is made when it is asked for."""

    def __init__(self, analysis: Analysis, streams: Sequence[int]) -> None:
        self._analysis, self._streams = analysis, streams

    @overload
    def __getitem__(self, place: int) -> Flow: ...
    @overload
    def __getitem__(self, place: slice) -> Flows: ...
    def __getitem__(self, place: int | slice) -> Flow | Flows:
        if isinstance(place, slice):
            return Flows(self._analysis, self._streams[place])
        return self._analysis.flow(self._streams[place])

    def __iter__(self) -> Iterator[Flow]:
        return self._analysis.flows_of(self._streams)

    def __len__(self) -> int:
        return len(self._streams)


class Analysis:
    """What one or several captures show: `captures`, `flows`, `findings`."""

    def __init__(
        self, captures: list[CaptureFacts], facts: Facts, idle_after: int, judged: Narrow | None = None
    ) -> None:
        """`judged` are the verdicts, where they are known: as their places among all."""
        self.captures = captures
        self.facts = facts
        self.idle_after = idle_after
        self.apart: Sequence[Apart] = ()  # what only one of two captures of a path holds
        self.dissected: dict[tuple[int, int], Heartbeat] = {}  # by stream and side, what dissectors say of heartbeats
        self.again: SecondReading | None = None  # the packets themselves, where they can be read a second time
        self._judged = judged

    @property
    def packets(self) -> SecondReading:
        """The packets, to be read again; raises UsageError where they are not at hand."""
        if self.again is None:
            raise UsageError("the packets are not at hand: these are results of a scan of captures in a store")
        return self.again

    @cached_property
    def judged(self) -> Narrow:
        """The verdict of each connection, as its place among all."""
        from analyzer.diagnose import judge

        return self._judged if self._judged is not None else judge(self.facts, self.idle_after)

    @cached_property
    def verdicts(self) -> list[str]:
        """The verdict of each connection, by stream."""
        words = list(self.severities)
        return [words[place] for place in self.judged.tolist()]

    def by_verdict(self, streams: Sequence[int] | Column) -> dict[str, Column]:
        """These streams, in their order, by verdict: the most urgent first, and those alone that some have."""
        import numpy as np

        chosen = np.asarray(streams, np.int64)
        places, words = self.judged[chosen], list(self.severities)
        urgent = sorted(range(len(words)), key=lambda place: -SEVERITIES.index(self.severities[words[place]]))
        parts = ((words[place], chosen[places == place]) for place in urgent)
        return {word: some for word, some in parts if len(some)}

    @cached_property
    def findings(self) -> list[Finding]:
        """What is worth telling, each with its evidence."""
        from analyzer.diagnose import find

        return find(self.context)

    def with_findings(self, findings: list[Finding]) -> Analysis:
        """The same analysis, of which these findings alone are told."""
        other = copy(self)
        other.findings = findings
        return other

    def with_sockets(self, sightings: Sightings) -> Analysis:
        """The same analysis with what hosts say of their sockets: keepalive that the kernel knows of is not guessed."""
        from analyzer.measure.sockets import join

        other = Analysis(self.captures, join(self.facts, sightings), self.idle_after)
        other.apart, other.dissected, other.again = self.apart, self.dissected, self.again
        return other

    @property
    def flows(self) -> Flows:
        """All connections, each made when it is asked for."""
        return Flows(self, range(len(self)))

    def flows_of(self, streams: Sequence[int]) -> Iterator[Flow]:
        """These connections, in this order, made one by one."""
        import numpy as np

        from analyzer.knowledge.matching import matcher
        from analyzer.measure import make_flows

        chosen, words = np.asarray(streams, np.int64), list(self.severities)
        verdicts = [words[place] for place in self.judged[chosen].tolist()]
        made = make_flows(self.facts, self._keepalives, chosen, verdicts, matcher)
        return map(self._with_dissected, made) if self.dissected else made

    def _with_dissected(self, flow: Flow) -> Flow:
        """A connection with the names that dissectors gave its heartbeats."""
        known = {beats.sender: beats for beats in flow.heartbeats}
        for side, sender in enumerate(SIDES):
            if (named := self.dissected.get((flow.stream, side))) is not None:
                known[sender] = named
        return flow._replace(heartbeats=tuple(known[sender] for sender in SIDES if sender in known))

    def __len__(self) -> int:
        return len(self.facts)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {word}" for word, count in self.verdict_counts(list(range(len(self)))).items())
        return f"<Analysis of {', '.join(one.path for one in self.captures)}: {counts or 'no connection'}>"

    @cached_property
    def _keepalives(self) -> KeepaliveRows:
        from analyzer.measure import gather_keepalives

        return gather_keepalives(self.facts)

    def flow(self, stream: int) -> Flow:
        """One connection."""
        return next(self.flows_of((stream,)))

    def ends(self, stream: int) -> tuple[Endpoint, Endpoint]:
        """Client and server of one connection."""
        from analyzer.measure import KEY_SIZE, endpoints_of

        return endpoints_of(self.facts.tracks.flows[stream, :KEY_SIZE].tolist())

    def hosts(self, most: int | None = None) -> list[HostSettings]:
        """The keepalive settings that several connections of a host show together; of the `most` that have most."""
        from analyzer.knowledge.matching import fitting
        from analyzer.measure import first_form, pool_settings

        found = []
        for pool in pool_settings(self.facts, self._keepalives, most):
            # Known defaults fit by the form of the probes, too: those of its first connection.
            form = first_form(self.facts, self._keepalives, pool.streams[0], SIDES.index(pool.sender))
            fits = fitting(pool, form.probe_length, form.without_timestamps, pool.port)
            found.append(pool._replace(profiles=fits))
        return found

    @cached_property
    def severities(self) -> dict[str, str]:
        """How urgent each verdict is."""
        from analyzer.diagnose import VERDICTS

        return {verdict.word: verdict.severity for verdict in VERDICTS}

    @cached_property
    def meanings(self) -> dict[str, str]:
        """What each verdict says."""
        from analyzer.diagnose import VERDICTS

        return {verdict.word: verdict.meaning for verdict in VERDICTS}

    def severity_of(self, stream: int) -> str:
        """How urgent the verdict of a connection is."""
        from analyzer.diagnose import VERDICTS

        severity: str = VERDICTS[self.judged[stream]].severity
        return severity

    def by_service(self, streams: Column) -> list[Column]:
        """These streams, gathered by the server's address and port."""
        return self.context.by_service(streams)

    def by_service_and_path(self, streams: Column) -> list[Column]:
        """These streams, gathered by the addresses of client and server and the server's port."""
        return self.context.by_service_and_path(streams)

    def worst_first(self, streams: Sequence[int] | Column) -> list[int]:
        """These streams, those with the most urgent verdict first."""
        return [stream for some in self.by_verdict(streams).values() for stream in some.tolist()]

    def verdict_counts(self, streams: Sequence[int] | Column) -> dict[str, int]:
        """How many of these streams have each verdict, the most urgent first."""
        return {word: len(some) for word, some in self.by_verdict(streams).items()}

    def frame_text(self, frame: int) -> str:
        """A frame number, with its file's index before it when there are several files."""
        return frame_text(frame, len(self.captures))

    @property
    def charts(self) -> Charts:
        """Pictures of it: `timeline`, `idle`, `intervals`, `ladder`, `hosts`."""
        from analyzer.report.charts.charts import Charts

        return Charts(self)

    @property
    def tables(self) -> Tables:
        """It as pyarrow Tables: `flows`, `probes`, `episodes`, `findings`."""
        from analyzer.report.arrow import Tables

        return Tables(self)

    def advise(self, candidates: Sequence[Candidate] | None = None, streams: Iterable[int] | None = None) -> Advice:
        """What these keepalive settings, or those proposed, would have made of the failures, or of those of streams."""
        from analyzer.advise import advise

        return advise(self, candidates, streams)

    def to_json(self) -> str:
        """The text of `--format json`."""
        from analyzer.report.json import json_text

        return json_text(self, self.flows, self.findings, self.hosts())

    def report(self, path: str) -> None:
        """Write the incident report, one HTML file; raises UsageError where it cannot be written."""
        from analyzer.report.incident.gather import write_report

        write_report(self, path)

    def _repr_html_(self) -> str:
        from analyzer.report.incident.gather import notebook_summary

        return notebook_summary(self)

    @property
    def digits(self) -> int:
        """Decimals of a second that the captures resolve."""
        return max((capture.digits for capture in self.captures), default=6)

    @property
    def context(self) -> Context:
        """What rules may ask."""
        from analyzer.diagnose import Context

        return Context(
            captures=self.captures,
            facts=self.facts,
            verdicts=self.judged,
            idle_after=self.idle_after,
            flow=lru_cache(FLOWS_AT_HAND)(self.flow),
            ends=self.ends,
            flows=self.flows_of,
            frame_text=self.frame_text,
            apart=self.apart,
        )
