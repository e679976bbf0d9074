"""What is about to happen to each connection of a live analysis: its next probe, and when it will be given up.

The settings are those that the connection itself shows and, for those it does not show yet, what other connections of
the same host to the same service show together: a program sets them alike (`measure/hosts.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.analysis import Analysis
from analyzer.diagnose import overdue
from analyzer.model.flows import SETTINGS, Estimate, Flow, HostSettings, Keepalive
from analyzer.model.status import Outlook
from analyzer.model.words import How
from analyzer.report.connections import ending_text
from analyzer.report.phrases import settings_text
from analyzer.tables.arrays import Column
from analyzer.tables.fields import ENDPOINT_SIZE, HEAD_SIZE, LAST_RX, NEVER
from analyzer.tcp import SECOND

# Of a connection without a probe, until a usual keepalive would have shown itself: it may well have one.
IDLE, NOT_PROBED = "idle", "no probe yet"
Pools = dict[tuple[str, str, int], list[HostSettings]]


def look_ahead(analysis: Analysis, numbers: Column) -> Iterator[Outlook]:
    """The outlook of each connection, as it stands at the analysis's end."""
    pools: Pools = {}
    for pool in analysis.hosts():
        pools.setdefault((pool.address, pool.sender, pool.port), []).append(pool)
    silent = analysis.context.judged("unprotected")
    early = set(silent[~overdue(analysis.context, silent)].tolist())
    for flow, number in zip(analysis.flows, numbers.tolist(), strict=True):
        one = _outlook(analysis, flow, number, pools)
        yield one._replace(verdict=IDLE, severity="info", settings=NOT_PROBED) if flow.stream in early else one


def _outlook(analysis: Analysis, flow: Flow, number: int, pools: Pools) -> Outlook:
    now, over = analysis.facts.end, flow.ending.how is not How.OPEN
    shown, probe_at, dead_at, unanswered = "", [], [], 0
    for entry in flow.keepalive:
        side = int(entry.sender == "server")
        settings = _settings(entry, flow, side, pools)
        run = int(analysis.facts.trailing[flow.stream, side])
        probe, dead = _next(analysis, flow.stream, side, run, settings)
        probe_at += [probe] if probe is not None else []
        dead_at += [dead] if dead is not None else []
        unanswered = max(unanswered, run)
        shown += (" " if shown else "") + settings_text(settings)
    timer = _timer(flow)
    if not probe_at and timer is not None:
        probe_at.append(timer)
    return Outlook(
        stream=number,
        client=flow.client,
        server=flow.server,
        verdict=flow.verdict,
        severity=analysis.severities[flow.verdict],
        over=over,
        ended_at=flow.ending.time,
        ending=ending_text(flow) if over else "",
        idle=max(now - flow.end, 0),
        settings=shown or " ".join(_beats(flow) or _said_by_kernels(flow)),
        probe_in=min(probe_at) - now if probe_at and not over else None,
        unanswered=unanswered,
        dead_in=min(dead_at) - now if dead_at and not over else None,
    )


def _beats(flow: Flow) -> list[str]:
    return [f"{beats.name} {beats.period_s:.3g} s" for beats in flow.heartbeats]


def _said_by_kernels(flow: Flow) -> list[str]:
    """Whether keepalive is on, where no packet has shown it yet."""
    known = {one.sighting.keepalive for one in flow.sockets}
    return ["keepalive on"] if True in known else ["keepalive off"] if False in known else []


def _timer(flow: Flow) -> int | None:
    """When a kernel sends the next probe, as its timer says."""
    due = [
        one.sighting.at + round(one.socket.timer_left * SECOND)
        for one in flow.sockets
        if one.sighting.keepalive and one.sighting.at is not None and one.socket.timer_left is not None
    ]
    return min(due, default=None)


def _settings(entry: Keepalive, flow: Flow, side: int, pools: Pools) -> list[float | None]:
    """The three settings in seconds, or as many; None for what nothing shows."""
    several = pools.get(((flow.client, flow.server)[side].address, entry.sender, flow.server.port), [])
    pool = several[0] if len(several) == 1 else None  # two programs: which of them it is, is not known
    known = []
    for name in SETTINGS:
        value = _value(getattr(entry, name))
        known.append(_value(getattr(pool, name)) if value is None and pool is not None else value)
    return known


def _value(estimate: Estimate | None) -> float | None:
    """A setting's value, or what lies between its bounds where they are close to each other."""
    if estimate is None or estimate.value is not None:
        return None if estimate is None else estimate.value
    if estimate.low is None or estimate.high is None or estimate.high - estimate.low > 1:
        return None
    return round((estimate.low + estimate.high) / 2, 1)


def _next(
    analysis: Analysis, stream: int, side: int, run: int, settings: list[float | None]
) -> tuple[int | None, int | None]:
    """When the next probe is due, and when its sender gives up; `run` probes have gone unanswered.

    As net/ipv4/tcp_timer.c has it (tcp_keepalive_timer): the last probe is waited for as long as each before it.
    """
    idle, interval, count = settings
    if not run:
        head = analysis.facts.tracks.flows[stream]
        heard = int(head[HEAD_SIZE + side * ENDPOINT_SIZE + LAST_RX])
        return (None if idle is None or heard == NEVER else heard + round(idle * SECOND)), None
    last_probe = int(analysis.facts.last_probe[stream, side])
    wait = int(analysis.facts.interval[stream, side]) if interval is None else round(interval * SECOND)
    if not wait:
        return None, None
    if count is None:
        return last_probe + wait, None
    left = int(count) - run
    return (last_probe + wait if left > 0 else None), last_probe + (left + 1) * wait
