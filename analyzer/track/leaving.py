"""Which connections need not stay in memory: those that are over, and the least interesting of too many."""

from __future__ import annotations

import numpy as np

from analyzer.model.columns import Tracks
from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import (
    END_TIME,
    ENDPOINT_SIZE,
    HANDSHAKE,
    HEAD_SIZE,
    HELD,
    KNOWN,
    LAST_PROBE,
    PROBE_BEFORE,
    RESET_SIDE,
    RUN,
    SAW_ACK,
    SAW_SYN,
    SENT_FIN,
)
from analyzer.tables.probe import probers
from analyzer.tcp import SECOND

# A closed connection's last segments may come again so long (TCP_TIMEWAIT_LEN, include/net/tcp.h); then its addresses
# and ports are free for another.
GRACE_NS = 60 * SECOND
# Nobody waits longer for an answer to a SYN: six of them and their waits (tcp_syn_retries, ip-sysctl.rst), rounded up.
HANDSHAKE_NS = 180 * SECOND
# Where there are too many connections, so many of them are left: that not every new one has to look for another.
LEFT = 0.9
# A settings estimate and a run of unanswered probes need the last of them; so many of each prober stay.
PROBES_KEPT = 64


def over(tracks: Tracks, now: int) -> Mask:
    """Connections that ended, or never began, so long ago that no packet of theirs will come."""
    flows = tracks.flows
    quiet = now - flows[:, END_TIME]
    candidates = np.flatnonzero(quiet > GRACE_NS)
    closed = _closed(tracks, candidates)
    never_open = flows[candidates, HANDSHAKE] & (SAW_SYN | SAW_ACK) == SAW_SYN
    mask = np.zeros(len(flows), bool)
    mask[candidates] = closed | never_open & (quiet[candidates] > HANDSHAKE_NS)
    return mask


def silent(tracks: Tracks, since: int) -> int:
    """How many connections are open, and have had no packet since then."""
    candidates = np.flatnonzero(tracks.flows[:, END_TIME] < since)
    return int(np.count_nonzero(~_closed(tracks, candidates)))


def _closed(tracks: Tracks, streams: Column) -> Mask:
    """Of these connections those that an RST or both FINs ended."""
    fins = (tracks.endpoints(KNOWN, streams) & SENT_FIN != 0).all(axis=1)
    mask: Mask = fins | (tracks.flows[streams, RESET_SIDE] > 0)
    return mask


def least_interesting(tracks: Tracks, chosen: Mask, most: int) -> Mask:
    """Of the connections that are not chosen already so many that `most` are left.

    First those that never began, then those without probes, then those with; of each kind the longest silent ones;
    last of all those whose probes nobody answers at present.
    """
    flows = tracks.flows
    candidates = np.flatnonzero(~chosen)
    probed = (tracks.endpoints(LAST_PROBE, candidates) > 0).any(axis=1)
    suspect = (tracks.endpoints(RUN, candidates) > 1).any(axis=1)
    never_open = flows[candidates, HANDSHAKE] & (SAW_SYN | SAW_ACK) == SAW_SYN
    interest = np.where(never_open, 0, 1 + probed + suspect)
    order = candidates[np.lexsort((flows[candidates, END_TIME], interest))]
    mask = np.zeros(len(flows), bool)
    mask[order[: max(len(order) - most, 0)]] = True
    return mask


def old_probes(tracks: Tracks) -> Mask:
    """Rows of the probe log that no later packet will change: all but the last of each prober."""
    probes = tracks.probes
    prober = probers(probes)
    stream, side = prober >> 1, prober & 1
    has_probed = np.zeros(len(tracks.flows), bool)
    has_probed[stream] = True
    last = tracks.endpoints(LAST_PROBE, np.flatnonzero(has_probed))
    row = last[last > 0] - 1
    old = np.ones(len(probes), bool)
    for _ in range(PROBES_KEPT):
        old[row] = False
        before = probes[row, PROBE_BEFORE]
        row = before[before > 0] - 1
    # What may turn out to be no probe: all of one run.
    held = tracks.flows[stream, HEAD_SIZE + side * ENDPOINT_SIZE + HELD]
    return np.asarray(old & (held == 0))
