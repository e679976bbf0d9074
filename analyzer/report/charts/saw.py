"""The idle timer of one prober as points of a line: counted up since it last received, or down as its kernel does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.model.flows import Estimate, Flow
from analyzer.report.charts.axis import Numbers
from analyzer.report.charts.probes import Probes
from analyzer.tables.arrays import Column
from analyzer.tables.fields import NEVER
from analyzer.tcp import LATE_PART, SECOND

MOST_FIRINGS = 20_000  # of a timer, in a chart


class Saw(NamedTuple):
    """What is known of the timer of one end of a connection; times in nanoseconds."""

    flow: Flow
    side: int
    received: Column  # when it received something, thinned, in order
    sent: Column  # when it sent something
    probes: Probes
    end: int  # when its connection ended, or the capture
    tcp_keepalive_time: Estimate | None
    tcp_keepalive_intvl: Estimate | None
    tcp_keepalive_probes: Estimate | None


Line = tuple[Column, Numbers]  # times in nanoseconds, and seconds


def counted_up(saw: Saw) -> Line:
    """Time since the last received segment: a tooth from each segment to the next."""
    marks = _marks(saw)
    if not len(marks):
        return np.zeros(0, np.int64), np.zeros(0)
    ends = np.append(marks[1:], max(saw.end, int(marks[-1])))
    times = np.stack([marks, ends], axis=1).reshape(-1)
    heights = np.stack([np.zeros(len(marks)), (ends - marks) / SECOND], axis=1).reshape(-1)
    return times, heights


def height_at(saw: Saw, times: Column) -> Numbers:
    """Seconds since the last received segment at these times (nanoseconds), as many; 0 before the first."""
    marks = _marks(saw)
    if not len(marks):
        return np.zeros(len(times))
    place = np.searchsorted(marks, times, side="right") - 1
    return np.where(place >= 0, (times - marks[np.maximum(place, 0)]) / SECOND, 0.0)


def _marks(saw: Saw) -> Column:
    """When something was received; what the probes tell of it is exact, and there before the capture begins."""
    since = saw.probes.since[saw.probes.since > NEVER]
    every = np.unique(np.concatenate([saw.received, since]))
    if not len(every):
        every = saw.sent[:1]
    return np.asarray(every[every <= saw.end])


def counted_down(saw: Saw) -> Line | None:
    """What `ss -o` shows as timer:(keepalive,...): until the timer fires; None where the idle time is not known.

    A segment that arrives does not restart the timer: when it fires, the kernel looks how long ago it last received
    something, and sleeps for the rest of tcp_keepalive_time, or sends a probe and sleeps for tcp_keepalive_intvl
    (Linux net/ipv4/tcp_timer.c, tcp_keepalive_timer). Probes that were seen set the line right.
    """
    if saw.tcp_keepalive_time is None or saw.tcp_keepalive_time.value is None:
        return None
    idle = round(saw.tcp_keepalive_time.value * SECOND)
    interval = saw.tcp_keepalive_intvl
    pause = round(interval.value * SECOND) if interval is not None and interval.value is not None else idle
    fired, due = _firings(saw, max(idle, 1), max(pause, 1))
    ends = np.append(fired[1:], max(min(due, saw.end), int(fired[-1])))
    goals = np.append(fired[1:], due)
    times = np.stack([fired, ends], axis=1).reshape(-1)
    return times, np.stack([goals - fired, goals - ends], axis=1).reshape(-1) / SECOND


def _firings(saw: Saw, idle: int, pause: int) -> tuple[Column, int]:
    """When the timer was set for the first time, each time that it fired, and when it is due then."""
    marks, probes = _marks(saw), saw.probes.time
    found = [saw.flow.start]
    due = saw.flow.start + idle
    while len(found) < MOST_FIRINGS:
        place = int(np.searchsorted(probes, found[-1], side="right"))
        seen = int(probes[place]) if place < len(probes) else None
        if seen is not None and seen <= due + idle // LATE_PART:
            found.append(seen)
            due = seen + pause
            continue
        if due + idle // LATE_PART >= saw.end:
            return np.array(found, np.int64), max(due, saw.end)
        found.append(due)
        heard = int(np.searchsorted(marks, due, side="right")) - 1
        rest = int(marks[heard]) + idle if heard >= 0 else due + idle
        # Nothing was sent although it was time: unacknowledged data was on its way, and the timer is set anew.
        due = rest if rest > due else due + idle
    return np.array(found, np.int64), due
