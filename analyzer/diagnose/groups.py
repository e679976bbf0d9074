"""Connections that share a server or a path, found by their keys in columns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from analyzer.model.columns import FLOWS_AT_A_TIME
from analyzer.tables.arrays import Column
from analyzer.tables.fields import CLIENT_IS_LOW, HIGH_HI, HIGH_LO, KEY_PORTS, LOW_HI, LOW_LO, ROLES

# Mixes the words of a key into one: odd, and nothing else is asked of it (Knuth, TAOCP 6.4, multiplicative hashing).
FACTOR = -7046029254386353131


def by_service(flows: Column, streams: Column) -> list[Column]:
    """These streams, in groups with one server address and port each; `flows` is the whole table.

    Groups come in the order of their first stream, each in the order of `streams`; so do those of the next two.
    """
    _, servers = hosts(flows, streams)
    return _gather(streams, _mixed(servers, _server_ports(flows, streams)))


def by_path(flows: Column, streams: Column) -> list[Column]:
    """These streams, in groups with one client address and one server address each."""
    return _gather(streams, path_keys(flows, streams))


def by_service_and_path(flows: Column, streams: Column) -> list[Column]:
    """These streams, in groups with one client address, one server address and one server's port each."""
    return _gather(streams, service_and_path_keys(flows, streams))


def service_and_path_keys(flows: Column, streams: Column) -> Column:
    """A number for each stream that is the same for the same two addresses and server's port: a hash."""
    return _mixed(path_keys(flows, streams), _server_ports(flows, streams))


def path_keys(flows: Column, streams: Column) -> Column:
    """A number for each stream, (streams,), that is the same for the same addresses of client and server: a hash."""
    if len(streams) > FLOWS_AT_A_TIME:
        parts = np.array_split(streams, len(streams) // FLOWS_AT_A_TIME + 1)
        return np.concatenate([path_keys(flows, part) for part in parts])
    clients, servers = hosts(flows, streams)
    return _mixed(clients, servers)


def _server_ports(flows: Column, streams: Column) -> Column:
    ports = flows[streams, KEY_PORTS]
    return np.asarray(np.where(_client_is_low(flows, streams), ports & 0xFFFF, ports >> 16))


def _client_is_low(flows: Column, streams: Column) -> Column:
    return np.asarray(flows[streams, ROLES] & CLIENT_IS_LOW != 0)


def hosts(flows: Column, streams: Column) -> tuple[Column, Column]:
    """A number, a hash, for the address of each stream's client, and for its server's: (streams,) each."""
    low = _mixed(flows[streams, LOW_HI], flows[streams, LOW_LO])
    high = _mixed(flows[streams, HIGH_HI], flows[streams, HIGH_LO])
    client_is_low = _client_is_low(flows, streams)
    return np.where(client_is_low, low, high), np.where(client_is_low, high, low)


def _mixed(a: Column, b: Column) -> Column:
    with np.errstate(over="ignore"):
        mixed = (a * FACTOR ^ b) * FACTOR
    return np.asarray(mixed ^ mixed >> 29)


def _gather(streams: Column, keys: Column) -> list[Column]:
    """The streams of each key, in order of stream; the groups in order of their first."""
    order = np.argsort(keys, kind="stable")
    ordered, cuts = streams[order], (np.flatnonzero(np.diff(keys[order])) + 1).tolist()
    groups = [ordered[begin:end] for begin, end in pairwise([0, *cuts, len(streams)]) if begin < end]
    return sorted(groups, key=lambda group: int(group[0]))
