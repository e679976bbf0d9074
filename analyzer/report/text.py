"""The result for a reader: a summary, the connections worst first, a count per verdict, the findings."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, TextIO

from analyzer.model.captures import CaptureFacts
from analyzer.model.findings import Finding
from analyzer.model.flows import SIDES, Endpoint, Flow, HostSettings, Keepalive
from analyzer.model.words import How, Why
from analyzer.report.phrases import REASONS, setting_values, settings_text
from analyzer.report.times import clock, duration, zone
from analyzer.tables.fields import SKIP_REASONS, UNSUPPORTED_LINK_TYPE
from analyzer.tables.frames import file_of
from analyzer.tcp import SECOND
from analyzer.wire import DECODED_NAMES

WIDTH = 100
ADDRESS_WIDTH = 24
STREAMS_NAMED = 30  # of a group of findings
PROFILES_NAMED = 3  # that fit equally well: more are no answer
MANY = 12  # captures: more are told in one line, but for those with something to tell
LINK_TYPE_REASON = tuple(SKIP_REASONS)[UNSUPPORTED_LINK_TYPE]
Style = Callable[[str, str], str]

COLOURS = {"high": "red", "medium": "yellow", "low": "cyan", "info": "green"}
HEADINGS = ("#", "client", "server", "verdict", "lasted", "packets", "probes", "end", "tunnel")


class Layout(NamedTuple):
    """How text is laid out: for a terminal addresses are shortened, and severities coloured by `style`."""

    terminal: bool
    utc: bool
    style: Style


def write_text(
    captures: Sequence[CaptureFacts],
    flows: Iterable[Flow],
    severity_of: dict[str, str],
    counts: dict[str, int],
    findings: Sequence[Finding],
    hosts: Iterable[HostSettings],
    layout: Layout,
    out: TextIO,
) -> None:
    """Write it all; `flows` are those to list, `counts` says how many connections have each verdict."""
    many = len(captures) > MANY
    if many:
        out.write(_total_line(captures, layout) + "\n")
    for facts in captures:
        if many and not facts.problems and not facts.same_traffic_why and not _not_understood(facts):
            continue
        out.write(_capture_line(facts, layout) + "\n")
        if facts.same_traffic is not None:
            out.write(f"  {_same_traffic(facts, captures)}\n")
        if not_understood := _not_understood(facts):
            out.write(f"  {not_understood}\n")
        if facts.same_traffic_why:
            out.write(f"  {printable(facts.same_traffic_why)}\n")
        for problem in facts.problems:
            where = f"damaged at byte {problem.offset}: " if facts.format else ""
            out.write(f"  {where}{problem.reason}\n")
    rows = [(severity_of[flow.verdict], _flow_cells(flow, layout)) for flow in flows]
    if rows:
        out.write("\n")
        _write_table(rows, layout, out)
    total = sum(counts.values())
    if total > len(rows):
        out.write(f"... and {total - len(rows)} more\n")
    if counts:
        words = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        out.write(f"\n{total} connection{'s' if total != 1 else ''}: {words}\n")
    pooled = [_host_line(host) for host in hosts if len(host.streams) > 1 and _settings(host)]
    if pooled:
        out.write("\nSettings that several connections show together:\n")
        out.writelines(f"  {line}\n" for line in pooled)
    for group in of_one_cause(findings):
        out.write("\n" + _finding_text(group, captures, layout))


def _capture_line(facts: CaptureFacts, layout: Layout) -> str:
    path = printable(facts.path)
    if facts.first_time is None or facts.last_time is None:
        return f"{path}: no packets" if facts.format else f"{path}: not read"
    skipped = sum(facts.skipped.values())
    parts = [
        f"{facts.packets} packets",
        f"{facts.tcp_packets} TCP",
        *([f"{skipped} other"] if skipped else []),
        *([f"{facts.duplicates} captured twice"] if facts.duplicates else []),
    ]
    when = f"{clock(facts.first_time, layout.utc)} {zone(facts.first_time, layout.utc)}"
    return f"{path}: {', '.join(parts)}; {duration(facts.last_time - facts.first_time)} from {when}"


def _not_understood(facts: CaptureFacts) -> str:
    """Why packets were passed over: those of a link type that is not decoded, and all where none is TCP."""
    undecoded = facts.skipped.get(LINK_TYPE_REASON, 0)
    if undecoded:
        names = [name for name in facts.link_types if name not in DECODED_NAMES] or facts.link_types
        return f"{undecoded} packet{'s' * (undecoded != 1)} of link type {', '.join(names)}, which is not decoded"
    if facts.tcp_packets or not facts.skipped:
        return ""
    reasons = sorted(facts.skipped.items(), key=lambda item: -item[1])
    return f"no TCP: {'; '.join(f'{count} x {SKIP_REASONS[reason]}' for reason, count in reasons)}"


def _total_line(captures: Sequence[CaptureFacts], layout: Layout) -> str:
    """A rotated set in one line."""
    first = min((facts.first_time for facts in captures if facts.first_time is not None), default=None)
    last = max((facts.last_time for facts in captures if facts.last_time is not None), default=None)
    text = f"{len(captures)} captures: {sum(facts.packets for facts in captures)} packets"
    if first is None or last is None:
        return text
    tcp = sum(facts.tcp_packets for facts in captures)
    when = f"{clock(first, layout.utc)} {zone(first, layout.utc)}"
    return f"{text}, {tcp} TCP; {duration(last - first)} from {when}"


def _same_traffic(facts: CaptureFacts, captures: Sequence[CaptureFacts]) -> str:
    """What is to be said of a capture that holds the same traffic as another."""
    assert facts.same_traffic is not None
    other, ahead = printable(captures[facts.same_traffic.capture].path), facts.same_traffic.clock_ahead
    text = f"the same traffic as in {other}, each packet counted once"
    if not facts.clock_shift:
        return text
    return f"{text}; its clock is {abs(ahead) / SECOND:.6f} s {'ahead' if ahead > 0 else 'behind'}, and was set right"


def printable(text: str) -> str:
    """A name from outside, without what would move a terminal's cursor or fake a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _write_table(rows: list[tuple[str, tuple[str, ...]]], layout: Layout, out: TextIO) -> None:
    # Few captures have tunnels: the last column stands only where it says something.
    columns = len(HEADINGS) if any(row[-1] for _, row in rows) else len(HEADINGS) - 1
    cells = [HEADINGS, *(row for _, row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(columns)]
    right = {0, 4, 5}

    def line(row: tuple[str, ...]) -> list[str]:
        return [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row[:columns], widths, strict=True))
        ]

    out.write("  ".join(line(HEADINGS)).rstrip() + "\n")
    for severity, row in rows:
        parts = line(row)
        parts[3] = layout.style(parts[3], COLOURS[severity])
        out.write("  ".join(parts).rstrip() + "\n")


def _flow_cells(flow: Flow, layout: Layout) -> tuple[str, ...]:
    return (
        str(flow.stream),
        _endpoint(flow.client, layout),
        _endpoint(flow.server, layout),
        flow.verdict,
        duration(flow.end - flow.start),
        str(sum(flow.packets)),
        probes_text(flow),
        ending_text(flow),
        flow.tunnel or "",
    )


def _endpoint(endpoint: Endpoint, layout: Layout) -> str:
    return shortened(str(endpoint), ADDRESS_WIDTH) if layout.terminal else str(endpoint)


def shortened(text: str, width: int) -> str:
    """Text of at most this width: what is too long loses some of its middle."""
    if len(text) <= width:
        return text
    tail = width // 2 + 2 if width > 8 else width // 2
    return text[: width - tail - 1] + "…" + text[-tail:]


def probes_text(flow: Flow) -> str:
    """Who probed, how often, with what settings, and how many were lost: `client 12 at 30/?/?`, `server 4 (4 lost)`."""
    parts = []
    for entry in flow.keepalive:
        troubles = [f"{n} {word}" for n, word in ((entry.unanswered, "lost"), (entry.reset, "reset")) if n]
        parts.append(
            f"{entry.sender} {entry.probes}{_settings(entry)}" + (f" ({', '.join(troubles)})" if troubles else "")
        )
    parts += [f"{beats.sender} {beats.protocol} every {beats.period_s:.4g} s" for beats in flow.heartbeats]
    for side, count in zip(SIDES, flow.zero_window_probes, strict=True):
        if count:
            parts.append(f"{side} {count} window")
    return ", ".join(parts) or "-"


def _host_line(host: HostSettings) -> str:
    service = f"to port {host.port}" if host.sender == SIDES[0] else f"at port {host.port}"
    known = f", as {profile_names(host.profiles)}" if host.profiles else ""
    return f"{host.address} {service}:{_settings(host)[3:]} ({len(host.streams)} connections{known})"


def profile_names(profiles: Sequence[str]) -> str:
    """Which known defaults fit equally well; where these are many, that they are."""
    if len(profiles) > PROFILES_NAMED:
        return f"any of {len(profiles)} known defaults"
    return " or ".join(profiles)


def _settings(entry: Keepalive | HostSettings) -> str:
    """tcp_keepalive_time, _intvl and _probes, where one of them is known: ` at 3/2/4`, ` at 30/?/?`."""
    values = setting_values(entry)
    if values == [None, None, None]:
        return ""
    former = entry.former_tcp_keepalive_time if isinstance(entry, Keepalive) else None
    before = f"{former.value:g}, then " if former is not None and former.value is not None else ""
    return f" at {before}{settings_text(values)}"


def ending_text(flow: Flow) -> str:
    """How it ended, by whom, and why: `RST by client: keepalive exhausted`."""
    ending = flow.ending
    word = {How.FIN: "FIN", How.RST: "RST"}.get(ending.how, ending.how.name.lower().replace("_", " "))
    if ending.by and ending.how in (How.FIN, How.RST, How.TIMEOUT, How.HALF_CLOSED):
        word += f" by {ending.by}"
    return word if ending.why is Why.NONE else f"{word}: {REASONS[ending.why].word}"


def of_one_cause(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings of one rule about connections of one server together, in the order of the first of each."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        alone = () if finding.stream is not None and finding.service else (len(groups),)
        key = (finding.rule, finding.severity, finding.confidence, finding.service, *alone)
        group = groups.setdefault(key, [])
        if any(one.stream == finding.stream for one in group):  # another thing about the same connection
            group = groups.setdefault((*key, len(groups)), [])
        group.append(finding)
    return list(groups.values())


def _finding_text(group: Sequence[Finding], captures: Sequence[CaptureFacts], layout: Layout) -> str:
    """A finding, and how many more of its kind there are."""
    finding = group[0]
    where = "the capture"
    if finding.stream is not None:
        where = f"stream {finding.stream}"
    elif finding.streams:
        where = f"{len(finding.streams)} streams"
    mark = layout.style(finding.severity.upper(), COLOURS[finding.severity])
    lines = [f"{mark} {finding.rule} ({where}, {finding.confidence})"]
    body = [
        finding.summary + ".",
        f"Seen: {finding.evidence.observed}; expected: {finding.evidence.expected}.",
        f"Mend: {finding.remedy}",
        *(f"Also: {note}." for note in finding.notes),
    ]
    for part in body:
        lines += _paragraph(part)
    lines.append(f"  Wireshark{_file_of(finding, captures)}: {finding.evidence.display_filter}")
    if len(group) > 1:
        streams = [str(one.stream) for one in group[1:]]
        named = ", ".join(streams[:STREAMS_NAMED]) + (", ..." if len(streams) > STREAMS_NAMED else "")
        more = f"The same of {len(streams)} more to {finding.service}: stream{'s' * (len(streams) > 1)} {named}"
        lines += _paragraph(more)
    return "\n".join(lines) + "\n"


@lru_cache(1 << 8)  # one remedy is that of many findings
def _paragraph(text: str) -> list[str]:
    """A finding's text in lines; names of options and settings stay whole, to be copied."""
    return textwrap.wrap(
        text,
        WIDTH - 2,
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _file_of(finding: Finding, captures: Sequence[CaptureFacts]) -> str:
    """Which file a filter by frame numbers is for, where there are several: ` in client.pcap`."""
    if len(captures) == 1 or not finding.evidence.display_filter.startswith("frame.number"):
        return ""
    return f" in {printable(captures[file_of(finding.evidence.frames[0])].path)}"
