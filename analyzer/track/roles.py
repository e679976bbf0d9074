"""Who is the client of connections whose beginning was not captured: a port that several share is a server's.

The kernels must say it at the first packet, by the ports alone; once all connections are known this looks again.
"""

from __future__ import annotations

import numpy as np

from analyzer.model.columns import Tracks
from analyzer.tables.arrays import Column, are_among, distinct
from analyzer.tables.fields import (
    CLIENT_ASKED,
    CLIENT_IS_LOW,
    ENDPOINT_SIZE,
    EVENT_ENDPOINT,
    GAP_IS_OPEN,
    HANDSHAKE,
    HEAD_SIZE,
    HIGH_HI,
    HIGH_LO,
    KEY_PORTS,
    LOW_HI,
    LOW_LO,
    OPENING,
    RESET_SIDE,
    ROLES,
    SERVER_ASKED,
    SERVER_ENDED_GAP,
)
from analyzer.tables.probe import probers, swap_sides
from analyzer.wire import PORTS_RESERVED, SERVICE_PORTS

# Odd numbers that make one of an address and a port. Two that came out alike would have a guess made otherwise, no
# more.
SPREAD = np.array([0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9, 0x14D049BB133111EB])
# ROLES bits that name a side.
ASKED = CLIENT_ASKED | SERVER_ASKED
LASTING = CLIENT_IS_LOW | GAP_IS_OPEN | SERVER_ENDED_GAP | ASKED


def settle_roles(tracks: Tracks) -> Tracks:
    """Swap client and server, in place, where several connections share the client's port, and none the server's.

    A port that is known to be a service's stays the server's: one port of a client can meet several services.
    """
    guessed = np.concatenate(
        [part.start + np.flatnonzero(some.flows[:, HANDSHAKE] & OPENING == 0) for part, some in tracks.parts()]
    )
    if not len(guessed):
        return tracks
    ends, ports = _ends(tracks.flows[guessed])
    peers = _peers(tracks, ends)
    server = tracks.flows[guessed, ROLES] & CLIENT_IS_LOW  # the place of the server: 0 low, 1 high
    each = np.arange(len(guessed))
    port = ports[each, server]
    known = (port < PORTS_RESERVED) | are_among(port, np.array(SERVICE_PORTS))
    _swap(tracks, guessed[(peers[each, 1 - server] > 1) & (peers[each, server] == 1) & ~known])
    return tracks


def _ends(flows: Column) -> tuple[Column, Column]:
    """A number for address and port of both ends, and the ports, the lower end first: (flows, 2) each."""
    ports = np.stack([flows[:, KEY_PORTS] >> 16, flows[:, KEY_PORTS] & 0xFFFF], axis=1)
    high, low = flows[:, [LOW_HI, HIGH_HI]], flows[:, [LOW_LO, HIGH_LO]]
    return high * SPREAD[0] + low * SPREAD[1] + ports * SPREAD[2], ports


def _peers(tracks: Tracks, asked: Column) -> Column:
    """With how many ports of others each of these ends has had connections, begun in the capture or not.

    One port of a client can meet the same service of several hosts, too: that counts once.
    """
    wanted, pairs = distinct(asked.ravel()), []
    for _, some in tracks.parts():
        ends, ports = _ends(some.flows)
        chosen = are_among(ends.ravel(), wanted)
        pairs.append(np.stack([ends.ravel()[chosen], ports[:, ::-1].ravel()[chosen]]))
    end, port = np.concatenate(pairs, axis=1)
    order = np.lexsort((port, end))
    end, port = end[order], port[order]
    new = np.ones(len(end), bool)
    new[1:] = (end[1:] != end[:-1]) | (port[1:] != port[:-1])
    return np.asarray(np.searchsorted(end[new], asked, side="right") - np.searchsorted(end[new], asked))


def _swap(tracks: Tracks, streams: Column) -> None:
    """Exchange client and server of these connections in all tables."""
    if not len(streams):
        return
    flows, swapped = tracks.flows, np.zeros(len(tracks.flows), bool)
    swapped[streams] = True
    rows = flows[streams]
    x, y, end = HEAD_SIZE, HEAD_SIZE + ENDPOINT_SIZE, HEAD_SIZE + 2 * ENDPOINT_SIZE
    rows[:, x:end] = np.concatenate([rows[:, y:end], rows[:, x:y]], axis=1)
    roles = rows[:, ROLES] & LASTING  # what this client asked, and how fast this server replies, is not known
    roles ^= CLIENT_IS_LOW
    roles ^= np.where(roles & GAP_IS_OPEN, SERVER_ENDED_GAP, 0)
    rows[:, ROLES] = roles ^ np.where(roles & ASKED, ASKED, 0)
    rows[:, RESET_SIDE] = np.where(rows[:, RESET_SIDE], 3 - rows[:, RESET_SIDE], 0)
    flows[streams] = rows
    swap_sides(tracks.probes, np.flatnonzero(swapped[probers(tracks.probes) >> 1]))
    events = np.flatnonzero(swapped[tracks.events[:, EVENT_ENDPOINT] >> 1])
    tracks.events[events, EVENT_ENDPOINT] ^= 1
