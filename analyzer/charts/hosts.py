"""Each client's connections to each service: their settings, their verdicts, and which are not as the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from analyzer.report.charts import style
from analyzer.report.charts.gather import empty_figure, named
from analyzer.report.charts.hosts import Pair, Settings, draw_settings, draw_verdicts, height_of

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.model.columns import HostSettings, Keepalive
    from analyzer.report.charts.style import Figure
    from analyzer.tables.arrays import Column

FRAME_IN = 1.5  # title, axis and legend
LOOKED_AT = 3  # connections of a pair whose settings are looked at, where no pool has them


def hosts(analysis: Analysis, streams: list[int], limit: int) -> Figure:
    """See Charts.hosts."""
    if not streams:
        return empty_figure()
    groups = _groups(analysis, streams)
    shown, total = _worst(analysis, groups, limit), len(groups)
    pairs = _with_odd(_pairs(analysis, shown))
    figure = style.new_figure(height_of(pairs) + FRAME_IN)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    draw_settings(left, pairs)
    draw_verdicts(right, pairs)
    note = f"; the worst {len(pairs)} of {total}" if total > len(pairs) else ""
    below = f"by client and service, worst first{note}; ► is not as the service's other clients"
    style.title(left, f"Settings and verdicts in {named(analysis)}", below)
    return figure


def _groups(analysis: Analysis, streams: list[int]) -> list[Column]:
    """The streams by the addresses of client and server and the server's port."""
    return analysis.context.by_service_and_path(np.array(streams, np.int64))


def _worst(analysis: Analysis, groups: list[Column], limit: int) -> list[list[int]]:
    """Of the groups with the most urgent verdicts so many; those of one service stand together."""
    ordered = analysis.worst_first([stream for group in groups for stream in group.tolist()])
    rank = {stream: place for place, stream in enumerate(ordered)}
    worst = sorted((group.tolist() for group in groups), key=lambda group: min(rank[stream] for stream in group))
    service: dict[tuple[str, int], int] = {}
    named_groups = []
    for group in worst[:limit]:
        server = analysis.flow(group[0]).server
        named_groups.append((service.setdefault(server, len(service)), group))
    return [group for _, group in sorted(named_groups, key=lambda pair: pair[0])]


def _pairs(analysis: Analysis, groups: list[list[int]]) -> list[Pair]:
    pools: dict[int, list[HostSettings]] = {}
    for pool in analysis.hosts():
        for stream in pool.streams:
            pools.setdefault(stream, []).append(pool)
    found = []
    for group in groups:
        flow = analysis.flow(group[0])
        settings: dict[Settings, None] = {}
        for stream in group:
            settings |= dict.fromkeys(_settings(pool) for pool in pools.get(stream, []))
        for stream in [stream for stream in group if stream not in pools][:LOOKED_AT]:
            settings |= dict.fromkeys(_settings(entry) for entry in analysis.flow(stream).keepalive)
        counts = analysis.verdict_counts(group)
        found.append(Pair(flow.client.address, str(flow.server), counts, tuple(settings), odd=False))
    return found


def _settings(entry: HostSettings | Keepalive) -> Settings:
    return Settings(entry.sender, entry.tcp_keepalive_time, entry.tcp_keepalive_intvl, entry.tcp_keepalive_probes)


def _with_odd(pairs: list[Pair]) -> list[Pair]:
    """Mark those whose settings, or whose worst verdict, most others of the same service do not have."""
    looks = [(pair.server, *(one.words for one in pair.settings)) for pair in pairs]
    verdicts = [(pair.server, next(iter(pair.counts), "")) for pair in pairs]
    odd = _seldom(pairs, looks)
    worse = _seldom(pairs, verdicts)
    return [replace(pair, odd=a or b) for pair, a, b in zip(pairs, odd, worse, strict=True)]


def _seldom(pairs: list[Pair], keys: Sequence[tuple[str, ...]]) -> list[bool]:
    """Which keys are not what more than half of the service's pairs have, where there is such a thing."""
    clients, count = Counter(pair.server for pair in pairs), Counter(keys)
    usual = {key[0] for key, number in count.items() if 2 * number > clients[key[0]]}
    return [2 * count[key] <= clients[key[0]] and key[0] in usual for key in keys]
