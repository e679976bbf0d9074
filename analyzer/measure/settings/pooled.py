"""Settings pooled by host: what one program's connections show together, each a part of it.

Connections belong together that one host probes at one side of one service: a program sets them alike. Where two of
them contradict each other, there are two programs (or one with two ways), and they stand apart; what fits several of
these says nothing about any.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.measure.flows import KeepaliveRows, endpoints_of
from analyzer.measure.settings.estimate import estimate_settings, rows_of
from analyzer.measure.settings.timer import Seconds
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Estimate, HostSettings
from analyzer.tables.arrays import Column
from analyzer.tables.fields import CLIENT_IS_LOW, HIGH_HI, HIGH_LO, KEY_PORTS, LOW_HI, LOW_LO, ROLES

STREAMS_AT_A_TIME = 8192
# More settings than these at one side of one service are not one program's, nor ten's.
MOST_APART = 32


class _Bounds(NamedTuple):
    """The three settings of many endpoints: arrays of shape (3, endpoints); open bounds are 0 and infinite."""

    value: Seconds
    low: Seconds
    high: Seconds
    samples: Column

    def of(self, chosen: Column) -> _Bounds:
        return _Bounds(self.value[:, chosen], self.low[:, chosen], self.high[:, chosen], self.samples[:, chosen])


def pool_settings(facts: Facts, keepalives: KeepaliveRows, most: int | None = None) -> list[HostSettings]:
    """The settings of each host at each side of each service, where several connections tell of them.

    In order of their first connections; `most` for only so many hosts and sides, those with the most connections.
    """
    streams = np.flatnonzero(facts.probes.any(axis=1))
    endpoints = (2 * streams[:, None] + (0, 1)).reshape(-1)[facts.probes[streams].reshape(-1) > 0]
    groups = [group for group in _by_host(facts.tracks.flows, endpoints) if len(group) > 1]
    groups.sort(key=len, reverse=True)
    if not groups[:most]:
        return []
    asked = np.sort(np.concatenate(groups[:most]))
    bounds = _all_bounds(facts, endpoints[asked], keepalives)
    pools = []
    for group in groups[:most]:
        places = np.searchsorted(asked, group)
        for some in _agreeing(bounds.of(places)):
            pools.append(_pool(facts, endpoints[group[some]], bounds.of(places[some])))
    return sorted(pools, key=lambda pool: pool.streams[0])


def _all_bounds(facts: Facts, endpoints: Column, keepalives: KeepaliveRows) -> _Bounds:
    """The settings of these endpoints."""
    parts = []
    streams = endpoints[np.concatenate(([True], np.diff(endpoints >> 1) > 0))] >> 1
    for start in range(0, len(streams), STREAMS_AT_A_TIME):
        some = streams[start : start + STREAMS_AT_A_TIME]
        settings = estimate_settings(facts, some, *rows_of(keepalives.rows, keepalives.first, some))
        here = endpoints[np.searchsorted(endpoints, 2 * some[0]) : np.searchsorted(endpoints, 2 * some[-1] + 2)]
        own = 2 * np.searchsorted(some, here >> 1) + (here & 1)
        three = settings.time, settings.intvl, settings.probes
        parts.append(
            (
                np.stack([one.value[own] for one in three]),
                np.nan_to_num(np.stack([one.low[own] for one in three]), nan=0.0),
                np.nan_to_num(np.stack([one.high[own] for one in three]), nan=np.inf),
                np.stack([one.samples[own] for one in three]),
            )
        )
    value, low, high, samples = (np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True))
    return _Bounds(value, low, high, samples)


def _by_host(flows: Column, endpoints: Column) -> list[Column]:
    """Places of these endpoints, gathered by the prober's address, its side, and the server's port."""
    streams, side = endpoints >> 1, endpoints & 1
    client_is_low = flows[streams, ROLES] & CLIENT_IS_LOW != 0
    is_low = client_is_low == (side == 0)
    ports = flows[streams, KEY_PORTS]
    keys = np.stack(
        (
            np.where(is_low, flows[streams, LOW_HI], flows[streams, HIGH_HI]),
            np.where(is_low, flows[streams, LOW_LO], flows[streams, HIGH_LO]),
            np.where(client_is_low, ports & 0xFFFF, ports >> 16),
            side,
        )
    )
    order = np.lexsort(keys)
    cuts = np.flatnonzero((np.diff(keys[:, order]) != 0).any(axis=0)) + 1
    return np.split(order, cuts)


def _agreeing(bounds: _Bounds) -> list[Column]:
    """Places of those that agree: nearly always all."""
    everything = np.arange(bounds.low.shape[1])
    # Two values are two settings, though a timer's rounding lets their bounds touch.
    low_value, high_value = np.fmin.reduce(bounds.value, axis=1), np.fmax.reduce(bounds.value, axis=1)
    if (bounds.low.max(axis=1) <= bounds.high.min(axis=1)).all() and not (low_value < high_value).any():
        return [everything]
    known = (~np.isnan(bounds.value)).sum(axis=0)
    members: list[list[int]] = []
    lows, highs, values = np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3))
    for place in np.argsort(-known, kind="stable").tolist():
        low, high, value = bounds.low[:, place], bounds.high[:, place], bounds.value[:, place]
        same = ~(values < value) & ~(values > value)
        fits = np.flatnonzero(((lows <= high) & (low <= highs) & same).all(axis=1))
        if len(fits) == 1:
            members[fits[0]].append(place)
            lows[fits[0]], highs[fits[0]] = np.maximum(lows[fits[0]], low), np.minimum(highs[fits[0]], high)
            values[fits[0]] = np.fmax(values[fits[0]], value)
        elif not len(fits) and len(members) < MOST_APART:
            members.append([place])
            lows, highs, values = np.vstack((lows, low)), np.vstack((highs, high)), np.vstack((values, value))
    return [np.array(sorted(one)) for one in members]


def _pool(facts: Facts, endpoints: Column, bounds: _Bounds) -> HostSettings:
    """Endpoints that agree, of one side of one service."""
    stream, side = divmod(int(endpoints[0]), 2)
    both = endpoints_of(facts.tracks.flows[stream].tolist())
    time, intvl, probes = _pooled(bounds)
    return HostSettings(
        address=both[side].address,
        sender=SIDES[side],
        port=both[1].port,
        streams=tuple((endpoints >> 1).tolist()),
        tcp_keepalive_time=time,
        tcp_keepalive_intvl=intvl,
        tcp_keepalive_probes=probes,
    )


def _pooled(bounds: _Bounds) -> list[Estimate | None]:
    """The three settings that fit all of these endpoints."""
    pooled: list[Estimate | None] = []
    for value, low, high, samples in zip(*bounds, strict=True):
        least, most = float(low.max()), float(high.min())
        if least == 0 and most == np.inf:
            pooled.append(None)
            continue
        values = value[~np.isnan(value)]
        setting = None
        if len(values):
            setting = float(values[0]) if least <= values.min() == values.max() <= most else None
        elif most != np.inf and np.floor(most) - 1 < least <= np.floor(most):  # one whole number lies between
            setting = float(np.floor(most))
        pooled.append(
            Estimate(setting, round(least, 3), None if most == np.inf else round(most, 3), int(samples.sum()))
        )
    return pooled
