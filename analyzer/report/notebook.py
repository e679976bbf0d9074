"""What a notebook shows of an analysis: a short piece of HTML, without style, script or anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from analyzer.model.findings import Finding
from analyzer.model.flows import Flow
from analyzer.model.quantities import duration

COLUMNS = ("#", "client", "server", "verdict", "lasted", "probes", "unanswered", "end")
FINDINGS = 20


def summary(counts: Mapping[str, int], worst: Iterable[Flow], findings: list[Finding]) -> str:
    """How many connections have each verdict, the worst of them as a table, and the findings in a line each."""
    total = sum(counts.values())
    words = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    parts = [f"<p>{total} connection{'' if total == 1 else 's'}{': ' if words else ''}{escape(words)}</p>"]
    rows = "".join(_row("td", _cells(flow)) for flow in worst)
    if rows:
        parts.append(f"<table><thead>{_row('th', COLUMNS)}</thead><tbody>{rows}</tbody></table>")
    if findings:
        items = [f"<li>{escape(_line(one))}</li>" for one in findings[:FINDINGS]]
        rest = len(findings) - len(items)
        parts.append(f"<ul>{''.join(items)}{f'<li>{rest} more</li>' if rest else ''}</ul>")
    return "\n".join(parts)


def _cells(flow: Flow) -> tuple[object, ...]:
    probes = sum(entry.probes for entry in flow.keepalive)
    unanswered = sum(entry.unanswered for entry in flow.keepalive)
    end = flow.ending.how.name.lower() + (f" by {flow.ending.by}" if flow.ending.by else "")
    lasted = duration(flow.end - flow.start)
    return (flow.stream, flow.client, flow.server, flow.verdict, lasted, probes, unanswered, end)


def _row(cell: str, values: Iterable[object]) -> str:
    return f"<tr>{''.join(f'<{cell}>{escape(str(value))}</{cell}>' for value in values)}</tr>"


def _line(finding: Finding) -> str:
    where = "" if finding.stream is None else f" (stream {finding.stream})"
    return f"{finding.severity.upper()} {finding.rule}{where}: {finding.summary}"
