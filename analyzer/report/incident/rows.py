"""A connection in the report: its line of the table, and what more is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

from analyzer.model.flows import SETTINGS, Estimate, Flow, Keepalive
from analyzer.model.quantities import duration
from analyzer.report.connections import ending_text, lasted, probes_text, profile_names
from analyzer.report.held import held_words
from analyzer.report.incident.nouns import About, Row
from analyzer.tcp import SECOND

QUARTER = 900  # seconds: clocks are changed at whole ones


def row_of(flow: Flow, about: About) -> Row:
    """A connection's line of the table, and what more is known of it."""
    length, still = lasted(flow, about.end)
    ahead = 0 if about.utc else _ahead(flow.start // SECOND // QUARTER)
    return Row(
        stream=flow.stream,
        client=str(flow.client),
        server=str(flow.server),
        verdict=flow.verdict,
        start=flow.start // 1_000_000 + ahead * 1000,
        lasted=length // 1000,
        open=still,
        packets=sum(flow.packets),
        sent=flow.bytes,
        probes=probes_text(flow),
        ending=ending_text(flow),
        details=list(_details(flow)),
    )


@lru_cache(64)
def _ahead(quarter: int) -> int:
    """Seconds that local clocks were ahead of UTC in a quarter of an hour since 1970."""
    offset = datetime.fromtimestamp(quarter * QUARTER, UTC).astimezone().utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0


def _details(flow: Flow) -> Iterable[tuple[str, str]]:
    rtt = f", round trip {duration(flow.handshake_rtt)}" if flow.handshake_rtt is not None else ""
    yield "handshake", flow.handshake.name.lower().replace("_", " ") + rtt
    yield "states", f"client {flow.state[0].name.replace('_', '-')}, server {flow.state[1].name.replace('_', '-')}"
    for entry in flow.keepalive:
        yield f"keepalive of the {entry.sender}", _keepalive(entry)
    for beats in flow.heartbeats:
        yield (
            f"heartbeats of the {beats.sender}",
            f"{beats.name}, every {beats.period_s:.4g} s; {beats.sent} sent, {beats.answered} answered",
        )
    for one in flow.said:
        interval = f": {one.seconds:g} s" if one.seconds is not None else ""
        yield f"the {one.by} said", f"{one.protocol} {one.words}{interval}"
    for held in flow.sockets:
        yield f"socket of the {held.side}", held_words(held)
    if flow.tunnel:
        yield "tunnel", flow.tunnel


def _keepalive(entry: Keepalive) -> str:
    probes = "probe" if entry.probes == 1 else "probes"
    reset = f", {entry.reset} answered with an RST" if entry.reset else ""
    counts = f"{entry.probes} {probes}, {entry.answered} answered{reset}, {entry.unanswered} without a reply"
    settings = "; ".join(f"{name} {_estimate(getattr(entry, name))}" for name in SETTINGS)
    known = f"; as {profile_names(entry.profiles)}" if entry.profiles else ""
    return f"{counts}; {settings}{known} ({entry.confidence})"


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not shown"
    value = "unknown" if estimate.value is None else f"{estimate.value:g}"
    low = "" if estimate.low is None else f"{estimate.low:g}"
    high = "" if estimate.high is None else f"{estimate.high:g}"
    return f"{value} [{low}..{high}]"
