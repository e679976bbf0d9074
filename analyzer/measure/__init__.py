"""Tables of the tracker -> Facts in columns; for connections that are shown or found, Episodes and Flows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from analyzer.measure.endings import Endings, measure_endings, settled
from analyzer.measure.flows import KEY_SIZE, KeepaliveRows, endpoints_of, first_form, gather_keepalives, make_flows
from analyzer.measure.heartbeats import beating
from analyzer.measure.hosts import name_hosts
from analyzer.measure.probes import measure_probes
from analyzer.measure.resets import made_on_the_path
from analyzer.measure.settings.pooled import pool_settings
from analyzer.measure.settings.unheard import find_unheard_runs
from analyzer.model.captures import Span
from analyzer.model.columns import Facts, Tracks, listened
from analyzer.model.words import How, Why

__all__ = [
    "KEY_SIZE",
    "KeepaliveRows",
    "endpoints_of",
    "first_form",
    "gather_keepalives",
    "make_flows",
    "measure",
    "pool_settings",
]


def measure(tracks: Tracks, end: int, spans: Sequence[Span] = ()) -> Facts:
    """Measure all connections at once; `end` is the time of the capture's last packet in nanoseconds.

    `spans` are the times in which the capture was running, where it paused.
    """
    tracks, unheard = find_unheard_runs(tracks)
    probes = measure_probes(tracks, unheard)
    listening = partial(listened, spans, end)
    parts = []
    for part, some in tracks.parts():
        columns = some.in_columns()
        run = probes.trailing[part], probes.interval[part], probes.last_probe[part]
        parts.append((*name_hosts(columns), beating(columns), *measure_endings(columns, listening, *run)))
    client, server, service, beats, *ends = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    endings = settled(Endings(*ends), tracks, probes.reset, unheard)
    forged = made_on_the_path(tracks) & (endings.how == How.RST)
    # What an endpoint did not send, its application did not abort.
    why = np.where(forged & (endings.why == Why.ABORT), np.int8(Why.NONE), endings.why)
    return Facts(
        tracks=tracks,
        end=end,
        spans=tuple(spans),
        probe_kind=probes.kind,
        prober=probes.prober,
        client=client,
        server=server,
        service=service,
        handshake=endings.handshake,
        how=endings.how,
        by=endings.by,
        forged=forged,
        why=why,
        ended=endings.ended,
        probes=probes.probes,
        answered=probes.answered,
        reset=probes.reset,
        icmp=probes.icmp,
        trailing=probes.trailing,
        interval=probes.interval,
        last_probe=probes.last_probe,
        zero_window_probes=probes.zero_window_probes,
        beating=beats,
        keepalive_on=np.zeros(len(beats), bool),
        keepalive_off=np.zeros(len(beats), bool),
    )
