"""How a live analysis stands at one moment, and each of its connections: what is about to happen to it."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.model.flows import Endpoint


class Status(NamedTuple):
    """Counts since the beginning, but `connections` and `idle`; `now` is nanoseconds of capture time, lag seconds."""

    now: int
    packets: int
    streams: int
    connections: int  # in memory
    idle: int  # of those: open, and silent for as long as counts as idle
    left_open: int  # left memory before they ended
    dropped: int  # by the kernel
    lag: float  # how old the latest packet was when it was read; 0 where its clock is not ours


class Outlook(NamedTuple):
    """One connection; spans in nanoseconds from now on, None where it is not known."""

    stream: int
    client: Endpoint
    server: Endpoint
    verdict: str
    severity: str
    over: bool  # it has ended
    ended_at: int | None  # nanoseconds of capture time
    ending: str  # how, by whom, and why; empty while it is open
    idle: int  # since its last packet
    settings: str  # of who probes: `15/15/9`; else what heartbeats come how often: `mqtt 60 s`; empty without either
    probe_in: int | None  # below 0: it is overdue
    unanswered: int  # probes in a row
    dead_in: int | None  # when its prober will give up, if nothing is heard
