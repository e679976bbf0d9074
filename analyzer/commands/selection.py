"""Which connections and findings are shown: selectors filter the output, never the analysis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from analyzer.commands.declared import group, option
from analyzer.commands.endpoints import (
    NOT,
    host_option,
    parse_network,
    parse_ports,
    port_option,
    with_hosts,
    with_ports,
)
from analyzer.commands.options import Severity, offered
from analyzer.commands.words import complete_rule, complete_verdict, rule_name, verdict_word
from analyzer.errors import UsageError
from analyzer.model.captures import Span, span_of
from analyzer.tables.fields import END_TIME, FIRST_TIME

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.model.findings import Finding

SOMETIME = Span(0, 0)
SECTION = "Select connections and findings"


@group(
    option(
        "--stream",
        "streams",
        type=int,
        multiple=True,
        metavar="N",
        section=SECTION,
        help="Only the connection with this stream number",
    ),
    host_option("connections", SECTION),
    port_option("connections", SECTION),
    option(
        "--verdict",
        "verdicts",
        multiple=True,
        metavar="WORD",
        section=SECTION,
        shell_complete=offered(complete_verdict),
        help="Only connections with this verdict (`keepalive explain verdicts` lists them)",
    ),
    option(
        "--start",
        metavar="TIME",
        section=SECTION,
        help="Only connections still active at or after TIME: 09:31, 09:31:05, ISO 8601, Unix time, or +30, +5m, "
        "+1h from the first packet",
    ),
    option(
        "--end",
        metavar="TIME",
        section=SECTION,
        help="Only connections that started at or before TIME (+5m counts from the first packet here, too)",
    ),
    option(
        "--severity",
        type=click.Choice(Severity, case_sensitive=False),
        section=SECTION,
        help="Only findings this severe or worse, and the connections that they name",
    ),
    option(
        "--rule",
        "rules",
        multiple=True,
        metavar="NAME",
        section=SECTION,
        shell_complete=offered(complete_rule),
        help="Only findings of this rule, and the connections that they name (`keepalive explain` lists the rules)",
    ),
    option(
        "--ignore",
        "ignored",
        multiple=True,
        metavar="NAME",
        section=SECTION,
        shell_complete=offered(complete_rule),
        help="Hide findings of this rule; --fail-on does not count them",
    ),
    option("--utc", is_flag=True, help="Show times, and read --start 09:31, in UTC instead of local time"),
)
@dataclass(frozen=True, eq=False)
class Selection:
    """What was asked for; an empty one selects everything. Raises UsageError for what cannot be read."""

    streams: Sequence[int] = ()
    hosts: Sequence[str] = ()
    ports: Sequence[str] = ()
    verdicts: Sequence[str] = ()
    start: str | None = None
    end: str | None = None
    severity: Severity | None = None
    rules: Sequence[str] = ()
    ignored: Sequence[str] = ()
    utc: bool = False

    def __post_init__(self) -> None:
        for word in self.verdicts:
            verdict_word(word)
        for spelt, names in (("--rule", self.rules), ("--ignore", self.ignored)):
            for name in names:
                rule_name(name, spelt)
        for host in self.hosts:
            parse_network(host.removeprefix(NOT))
        for port in self.ports:
            parse_ports(port.removeprefix(NOT))
        times = [time for time in (self.start, self.end) if time is not None]
        moments = [self._moment(time, SOMETIME) for time in times]
        # Whether a time of day comes before another form of time only the capture shows: see _connections.
        if len({time.startswith("+") for time in times}) == 1 and not any(map(_of_day, times)):
            self._check_order(moments)

    def words(self) -> list[str]:
        """The options that select the same."""
        return [word for pair in self._pairs() for word in pair]

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for spelt, values in (
            ("--stream", self.streams),
            ("--host", self.hosts),
            ("--port", self.ports),
            ("--verdict", self.verdicts),
            ("--start", self.start and [self.start]),
            ("--end", self.end and [self.end]),
            ("--severity", self.severity and [self.severity.value]),
            ("--rule", self.rules),
            ("--ignore", self.ignored),
        ):
            yield from ((spelt, str(value)) for value in values or ())

    @property
    def of_connections(self) -> bool:
        """Whether some connections are asked for."""
        return any((self.streams, self.hosts, self.ports, self.verdicts, self.start, self.end))

    @property
    def of_findings(self) -> bool:
        """Whether some findings are asked for, and the connections that they name."""
        return bool(self.severity or self.rules)

    def of(self, analysis: Analysis) -> tuple[Analysis, list[int]]:
        """The analysis with the selected findings alone, and the selected streams in order.

        A finding is selected with one of its streams; one about no connection, when no connections are asked for.
        """
        streams = self._connections(analysis)
        if not (self.of_connections or self.of_findings or self.ignored):
            return analysis, streams
        findings = self._findings(analysis, set(streams))
        if self.of_findings:
            named = {stream for one in findings for stream in one.concerned}
            streams = [stream for stream in streams if stream in named]
        return analysis.with_findings(findings), streams

    def missed(self, captures: int, connections: int) -> str:
        """Words for a selection that matches nothing in so many captures."""
        import shlex

        if not self.of_connections:
            return f"no finding matches {shlex.join(self.words())}"
        held = f"the capture{'s have' if captures > 1 else ' has'} {connections or 'none'}"
        return f"no connection matches {shlex.join(self.words())}; {held}"

    def _connections(self, analysis: Analysis) -> list[int]:
        import numpy as np

        flows = analysis.facts.tracks.flows
        chosen = np.ones(len(flows), bool)
        if self.streams:
            chosen &= np.isin(np.arange(len(flows)), self.streams)
        chosen &= with_hosts(flows, self.hosts) & with_ports(flows, self.ports)
        span = span_of(analysis.captures)
        start, end = (None if time is None else self._moment(time, span) for time in (self.start, self.end))
        if start is not None:
            chosen &= flows[:, END_TIME] >= start
        if end is not None:
            chosen &= flows[:, FIRST_TIME] <= end
        self._check_order([time for time in (start, end) if time is not None])
        streams: list[int] = np.flatnonzero(chosen).tolist()
        if self.verdicts:
            words = set(map(verdict_word, self.verdicts))
            streams = [stream for stream in streams if analysis.verdicts[stream] in words]
        return streams

    def _findings(self, analysis: Analysis, chosen: set[int]) -> list[Finding]:
        rules, ignored = ({rule_name(name, "") for name in names} for names in (self.rules, self.ignored))
        findings = []
        for one in analysis.findings:
            streams = one.concerned
            if chosen.isdisjoint(streams) if len(streams) else self.of_connections:
                continue
            if one.rule in ignored or (rules and one.rule not in rules):
                continue
            if self.severity is None or one.is_as_severe(self.severity):
                findings.append(one)
        return findings

    def _moment(self, time: str, span: Span) -> int:
        from analyzer.commands.moments import parse_time

        return parse_time(time, span, utc=self.utc)

    def _check_order(self, moments: Sequence[int]) -> None:
        if len(moments) == 2 and moments[0] > moments[1]:
            raise UsageError(f"--start {self.start} is after --end {self.end}")


def _of_day(time: str) -> bool:
    """Whether only the capture says which day is meant."""
    return ":" in time and "-" not in time
