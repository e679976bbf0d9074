"""A number for each connection's client, server and service, by which connections are gathered."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.model.columns import Tracks
from analyzer.tables.arrays import Column, mixed
from analyzer.tables.fields import CLIENT_IS_LOW, HIGH_HI, HIGH_LO, KEY_PORTS, LOW_HI, LOW_LO, ROLES


class Hosts(NamedTuple):
    """Columns of model.Facts: the address of the client, that of the server, and the latter with its port."""

    client: Column
    server: Column
    service: Column


def name_hosts(tracks: Tracks) -> Hosts:
    """Those of these connections."""
    flows = tracks.flows
    low, high = mixed(flows[:, LOW_HI], flows[:, LOW_LO]), mixed(flows[:, HIGH_HI], flows[:, HIGH_LO])
    client_is_low, ports = flows[:, ROLES] & CLIENT_IS_LOW != 0, flows[:, KEY_PORTS]
    server = np.where(client_is_low, high, low)
    port = np.where(client_is_low, ports & 0xFFFF, ports >> 16)
    return Hosts(np.where(client_is_low, low, high), server, mixed(server, port))
