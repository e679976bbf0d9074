"""The gaps between probes of all connections that are shown, with their settings and known defaults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from analyzer.report.charts import style
from analyzer.report.charts.gather import empty_figure, named, span_of
from analyzer.report.charts.intervals import Default, Setting, draw_distribution, draw_intervals
from analyzer.report.charts.probes import UNANSWERED, gaps_of, probes_of

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.model.columns import Estimate, HostSettings, Keepalive
    from analyzer.report.charts.style import Figure

HEIGHT_IN = 5.2
ASKED = 200  # connections whose settings are looked at, of very many
MOST_SETTINGS = 6
NAMES = ("tcp_keepalive_time", "tcp_keepalive_intvl", "former_tcp_keepalive_time")
PROGRAMS = 1  # named of those with one default


def intervals(analysis: Analysis, streams: list[int], utc: bool) -> Figure:
    """See Charts.intervals."""
    if not streams:
        return empty_figure()
    probes = probes_of(analysis.facts, np.array(streams, np.int64))
    gaps = gaps_of(probes)
    if not len(gaps.time):
        return empty_figure(f"{named(analysis)}: no keepalive probe that followed anything")
    probed = np.unique(probes.prober >> 1).tolist()
    span = span_of(analysis.facts, probed, utc)
    figure = style.new_figure(HEIGHT_IN)
    left, right = figure.subplots(1, 2, width_ratios=[5, 1])
    settings, shown = _settings(analysis, probed)
    draw_distribution(right, gaps)
    draw_intervals(left, gaps, span, settings, _defaults(shown), beside=right)
    count = len(np.unique(probes.prober))
    who = "one prober" if count == 1 else f"{count} probers"
    lost = int((probes.fate == UNANSWERED).sum())
    below = f"{len(probes.time)} probes of {who}, {lost} unanswered"
    style.title(left, f"Gaps between keepalive probes in {named(analysis)}", below)
    return figure


def _settings(analysis: Analysis, streams: list[int]) -> tuple[list[Setting], Counter[str]]:
    """The settings that most probers share, and the names of the known defaults that fit them."""
    found: dict[tuple[str, float | None], Estimate] = {}
    count: Counter[tuple[str, float | None]] = Counter()
    profiles: Counter[str] = Counter()
    for entry, weight in _entries(analysis, streams):
        profiles.update(entry.profiles)
        for name in NAMES:
            estimate: Estimate | None = getattr(entry, name, None)
            if estimate is not None and (estimate.value is not None or estimate.high is not None):
                found.setdefault((name, estimate.value), estimate)
                count[name, estimate.value] += weight
    common = [key for key, _ in count.most_common(MOST_SETTINGS)]
    return [Setting(key[0].replace("_tcp", " tcp"), found[key]) for key in common], profiles


def _entries(analysis: Analysis, streams: list[int]) -> Iterator[tuple[Keepalive | HostSettings, int]]:
    """The settings of these connections: of those of one host together, where they are several."""
    pools = analysis.hosts(ASKED) if len(streams) > 1 else []
    pooled: set[int] = set()
    for pool in pools:
        mine = set(pool.streams) & set(streams)
        if len(mine) > 1:
            yield pool, len(mine)
            pooled |= mine
    alone = [stream for stream in streams if stream not in pooled]
    for flow in analysis.flows_of(alone[:ASKED]):
        yield from ((entry, 1) for entry in flow.keepalive)


def _defaults(shown: Counter[str]) -> list[Default]:
    """Known values, those of the programs that fit first, then those that most programs have."""
    from analyzer.knowledge.matching import profiles

    programs: dict[float, list[str]] = {}
    weight: Counter[float] = Counter()
    for profile in profiles():
        for setting in {profile.tcp_keepalive_time, profile.tcp_keepalive_intvl}:
            if isinstance(setting, int) and setting > 0:
                programs.setdefault(setting, []).append(profile.name)
                weight[setting] += 1 + 1000 * shown[profile.name]
    found = []
    for seconds, _ in weight.most_common():
        names = sorted(programs[seconds], key=lambda name: -shown[name])
        more = f" and {len(names) - PROGRAMS} more" if len(names) > PROGRAMS else ""
        found.append(Default(seconds, ", ".join(names[:PROGRAMS]) + more))
    return found
