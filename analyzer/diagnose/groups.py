"""Connections that share a server or a path, found by the numbers that model.Facts has for these."""

from __future__ import annotations

import numpy as np

from analyzer.model.columns import Facts
from analyzer.tables.arrays import Column, mixed


def by_service(facts: Facts, streams: Column, least: int = 1) -> list[Column]:
    """These streams, in groups with one server address and port each, but for groups of fewer than `least`.

    Groups come in the order of their first stream, each in the order of `streams`; so do those of the next two.
    """
    return _gather(streams, facts.service[streams], least)


def by_path(facts: Facts, streams: Column, least: int = 1) -> list[Column]:
    """These streams, in groups with one client address and one server address each."""
    return _gather(streams, path_keys(facts, streams), least)


def by_service_and_path(facts: Facts, streams: Column, least: int = 1) -> list[Column]:
    """These streams, in groups with one client address, one server address and one server's port each."""
    return _gather(streams, service_and_path_keys(facts, streams), least)


def service_and_path_keys(facts: Facts, streams: Column) -> Column:
    """A number for each stream that is the same for the same two addresses and server's port: a hash."""
    return mixed(facts.client[streams], facts.service[streams])


def path_keys(facts: Facts, streams: Column) -> Column:
    """A number for each stream, (streams,), that is the same for the same addresses of client and server: a hash."""
    return mixed(facts.client[streams], facts.server[streams])


def _gather(streams: Column, keys: Column, least: int) -> list[Column]:
    """The streams of each key, in order of stream; the groups in order of their first."""
    order = np.argsort(keys, kind="stable")
    ordered, begins = streams[order], np.ones(len(keys), bool)
    begins[1:] = np.diff(keys[order]) != 0
    first = np.flatnonzero(begins)
    end = np.append(first[1:], len(keys))
    chosen = np.flatnonzero(end - first >= least)
    chosen = chosen[np.argsort(ordered[first[chosen]], kind="stable")]
    return [ordered[begin:end] for begin, end in zip(first[chosen].tolist(), end[chosen].tolist(), strict=True)]
