"""Connections as rows of a table: what each cell says, and rows that differ in the client's port alone, folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from analyzer.model.flows import SIDES, Endpoint, Flow, HostSettings, Keepalive
from analyzer.model.quantities import duration
from analyzer.model.words import How, Why
from analyzer.report.analysed import Analysed
from analyzer.report.layout import COLOURS, Layout, Shrink, Table, shortened
from analyzer.report.phrases import REASONS, setting_values, settings_text
from analyzer.tables.arrays import Column

ADDRESS_WIDTH = 24
PROFILES_NAMED = 3  # that fit equally well: more are no answer
MORE, VERDICT, TUNNEL = "more", "verdict", "tunnel"
HEADINGS = ("#", MORE, "client", "server", VERDICT, "lasted", "packets", "probes", "end", TUNNEL)
RIGHT = frozenset({"#", MORE, "lasted", "packets"})
# What gives way in a narrow terminal, the first first.
SHRINKS = (
    Shrink(TUNNEL, 0),
    Shrink("packets", 0),
    Shrink("end", 22),
    Shrink("lasted", 0),
    Shrink("probes", 22),
    Shrink("client", 17),
    Shrink("server", 17),
    Shrink("end", 0),
    Shrink("probes", 16),
    Shrink("client", 13),
    Shrink("server", 13),
    Shrink("probes", 0),
)


class Row(NamedTuple):
    """A connection that is listed, and how many more there are like it: of its verdict, to its server."""

    stream: int
    more: int


class Rest(NamedTuple):
    """Connections that are not listed: how many, of which verdict, and to how many other servers."""

    connections: int
    verdict: str = ""
    servers: int = 0

    def __str__(self) -> str:
        servers = f", to {self.servers} other server{'s' * (self.servers > 1)}" if self.servers else ""
        return f"... and {self.connections} more {self.verdict}".rstrip() + servers


def folded(analysis: Analysed, streams: Column, lines: int, most: int) -> Iterator[Row | Rest]:
    """The worst connections first, in about so many lines, one of each verdict at the least, and `most` at the most.

    Connections of one verdict to one server are one row; servers for which there is no room are counted.
    """
    groups = {
        verdict: sorted(analysis.by_service(alike), key=lambda group: -len(group))
        for verdict, alike in analysis.by_verdict(streams).items()
    }
    left = lines - sum(_lines(some, 1) for some in groups.values())
    unlisted = dict(list(groups.items())[most:])
    for verdict, some in list(groups.items())[:most]:
        shown = 1
        while shown < len(some) and (more := _lines(some, shown + 1) - _lines(some, shown)) <= left:
            left -= more
            shown += 1
        yield from (Row(int(group[0]), len(group) - 1) for group in some[:shown])
        if some[shown:]:
            yield Rest(sum(map(len, some[shown:])), verdict, len(some) - shown)
    if unlisted:
        yield Rest(sum(len(group) for some in unlisted.values() for group in some))


def _lines(groups: Sequence[Column], shown: int) -> int:
    """How many lines so many of these groups take, with what is said of the others."""
    return min(shown, len(groups)) + (shown < len(groups))


def table_lines(analysis: Analysed, rows: Sequence[Row | Rest], layout: Layout) -> Iterator[str]:
    """The table, its headings first."""
    listed = [row for row in rows if isinstance(row, Row)]
    flows = list(analysis.flows_of([row.stream for row in listed]))
    end = analysis.facts.end
    cells = [_cells(flow, row.more, end, layout) for flow, row in zip(flows, listed, strict=True)]
    # Columns that few captures need are there only where they say something.
    steps = [Shrink(one, 0) for one in (MORE, TUNNEL) if not any(row[HEADINGS.index(one)] for row in cells)]
    table = Table(HEADINGS, cells, RIGHT)
    head, *body = table.fitted(layout.width, SHRINKS, always=steps)
    yield "  ".join(head).rstrip()
    place = [cell.strip() for cell in head].index(VERDICT)
    lines = iter(zip(body, flows, strict=True))
    margin = " " * (len(head[0]) + 2)
    for row in rows:
        if isinstance(row, Rest):
            yield f"{margin}{row}"
            continue
        line, flow = next(lines)
        line[place] = layout.style(line[place], COLOURS[analysis.severities[flow.verdict]])
        yield "  ".join(line).rstrip()


def _cells(flow: Flow, more: int, end: int, layout: Layout) -> tuple[str, ...]:
    return (
        str(flow.stream),
        f"+{more}" if more else "",
        _endpoint(flow.client, layout),
        _endpoint(flow.server, layout),
        flow.verdict,
        lasted_text(*lasted(flow, end)),
        str(sum(flow.packets)),
        probes_text(flow),
        ending_text(flow),
        flow.tunnel or "",
    )


def lasted(flow: Flow, end: int) -> tuple[int, bool]:
    """Nanoseconds from its first packet to its last, or to the `end` of the capture where it is open; whether it is."""
    still = flow.ending.how in (How.OPEN, How.HALF_CLOSED)
    return max((end if still else flow.end) - flow.start, 0), still


def lasted_text(nanoseconds: int, still: bool) -> str:
    """`11.2 s`; of what is open `> 11.9 s`."""
    return ("> " if still else "") + duration(nanoseconds)


def _endpoint(endpoint: Endpoint, layout: Layout) -> str:
    return str(endpoint) if layout.width is None else shortened(str(endpoint), ADDRESS_WIDTH)


def probes_text(flow: Flow) -> str:
    """Who probed, how often, with what settings, and how many were lost: `client 12 at 30/?/?`, `server 4 (4 lost)`."""
    parts = []
    for entry in flow.keepalive:
        troubles = [f"{n} {word}" for n, word in ((entry.unanswered, "lost"), (entry.reset, "reset")) if n]
        parts.append(
            f"{entry.sender} {entry.probes}{settings_of(entry)}" + (f" ({', '.join(troubles)})" if troubles else "")
        )
    parts += [f"{beats.sender} {beats.name} every {beats.period_s:.4g} s" for beats in flow.heartbeats]
    for side, count in zip(SIDES, flow.zero_window_probes, strict=True):
        if count:
            parts.append(f"{side} {count} window")
    return ", ".join(parts) or "-"


def ending_text(flow: Flow) -> str:
    """How it ended, by whom, and why: `RST by client: keepalive exhausted`."""
    ending = flow.ending
    word = {How.FIN: "FIN", How.RST: "RST"}.get(ending.how, ending.how.name.lower().replace("_", " "))
    if ending.by and ending.how in (How.FIN, How.RST, How.TIMEOUT, How.HALF_CLOSED):
        word += f" by {ending.by}"
    return word if ending.why is Why.NONE else f"{word}: {REASONS[ending.why].word}"


def host_line(host: HostSettings) -> str:
    """The settings that several connections of a host show together."""
    service = f"to port {host.port}" if host.sender == SIDES[0] else f"at port {host.port}"
    known = f"; fits {profile_names(host.profiles)}" if host.profiles else ""
    return f"{host.address} {service}:{settings_of(host)[3:]} ({len(host.streams)} connections{known})"


def profile_names(profiles: Sequence[str]) -> str:
    """Which known defaults fit equally well; where these are many, that they are."""
    if len(profiles) > PROFILES_NAMED:
        return f"{len(profiles)} known defaults"
    return " or ".join(profiles)


def settings_of(entry: Keepalive | HostSettings) -> str:
    """tcp_keepalive_time, _intvl and _probes, where one of them is known: ` at 3/2/4`, ` at 30/?/?`."""
    values = setting_values(entry)
    if values == [None, None, None]:
        return ""
    former = entry.former_tcp_keepalive_time if isinstance(entry, Keepalive) else None
    before = f"{former.value:g}, then " if former is not None and former.value is not None else ""
    return f" at {before}{settings_text(values)}"
