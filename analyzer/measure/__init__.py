"""Tables of the tracker -> Facts in columns; for connections that are shown or found, Episodes and Flows."""

from __future__ import annotations

from analyzer.kinds import How
from analyzer.measure.endings import measure_endings
from analyzer.measure.flows import KeepaliveRows, endpoints_of, gather_keepalives, make_flow
from analyzer.measure.heartbeats import beating
from analyzer.measure.hosts import pool_settings
from analyzer.measure.probes import measure_probes, probers
from analyzer.measure.resets import made_on_the_path
from analyzer.model import Facts, Tracks

__all__ = ["KeepaliveRows", "endpoints_of", "gather_keepalives", "make_flow", "measure", "pool_settings", "probers"]


def measure(tracks: Tracks, end: int) -> Facts:
    """Measure all connections at once; `end` is the time of the capture's last packet in nanoseconds."""
    probes = measure_probes(tracks)
    endings = measure_endings(tracks, end, probes)
    return Facts(
        tracks=tracks,
        end=end,
        probe_kind=probes.kind,
        handshake=endings.handshake,
        how=endings.how,
        by=endings.by,
        forged=made_on_the_path(tracks) & (endings.how == How.RST),
        why=endings.why,
        ended=endings.ended,
        probes=probes.probes,
        answered=probes.answered,
        reset=probes.reset,
        icmp=probes.icmp,
        trailing=probes.trailing,
        interval=probes.interval,
        last_probe=probes.last_probe,
        zero_window_probes=probes.zero_window_probes,
        beating=beating(tracks),
    )
