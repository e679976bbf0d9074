"""The finding proxy-idle-close."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.words import SECOND, connections, ends, seconds
from analyzer.kinds import How
from analyzer.layout import FIN_FRAME, FIN_TIME, LAST_DATA
from analyzer.model import Column, Facts

if TYPE_CHECKING:
    from analyzer.known import Middlebox

SHORTEST_NS = 4_000_000_000
# One connection alone may be closed at any time: only a known timeout of a minute or so is no chance.
ALONE_NS = 50_000_000_000
# Of a limit that nothing known has, or a short one, several must agree.
FEWEST = 3
SAME = 0.01
SLACK_NS = 250_000_000
PROMPT_NS = 50_000_000
NAMED_AT_MOST = 4


@survey("proxy-idle-close", severity="low")
def proxy_idle_close(context: Context) -> Iterator[Claim]:
    """An idle connection was closed at a time limit, in good order.

    After so many seconds without data one end, mostly a proxy or a server, sent FIN. Keepalive probes do not count as
    data to such a limit, and do not keep the connection. Whoever reuses connections must expect it: a request that is
    sent at that moment crosses the FIN and is lost (see keepalive-race).

    Look at: the idle limits of the host that sent FIN, and of proxies that stand for it.

    Let the end that sends requests close idle connections first, with a limit below the other's; send heartbeats of
    the application where a connection must last.
    """
    closings = [_closings(part) for part in context.facts.parts()]
    idle, first = (np.concatenate(columns) for columns in zip(*closings, strict=True))
    candidates = np.flatnonzero(idle >= SHORTEST_NS)
    for service in context.by_service(candidates):
        for side in range(2):
            group = service[first[service] == side]
            if len(group):
                yield from _claim(context, _at_the_limit(group, idle), len(group), idle, side)


def _closings(facts: Facts) -> tuple[Column, Column]:
    """How long each connection was idle when it was closed (0: it was not), and by which side."""
    fin, data = facts.tracks.endpoints(FIN_TIME), facts.tracks.endpoints(LAST_DATA)
    closed = np.isin(facts.how, (How.FIN, How.HALF_CLOSED, How.RST)) & (fin.max(axis=1) > 0) & (data.max(axis=1) > 0)
    side = np.argmin(np.where(fin > 0, fin, np.iinfo(np.int64).max), axis=1)
    idle = fin[np.arange(len(facts)), side] - data.max(axis=1)
    return np.where(closed, idle, 0), side


def _at_the_limit(group: Column, idle: Column) -> Column:
    """Those that were idle the longest: nothing is idle for longer than a limit allows."""
    longest = idle[group].max()
    return np.asarray(group[idle[group] >= longest - SAME * longest - SLACK_NS])


def _closing_after(idle: int, late: int) -> list[Middlebox]:
    """What is known to close after so long, as late as that; limits are whole seconds."""
    from analyzer.diagnose.catalogue import middleboxes

    return [box for box in middleboxes() if box.closes and 0 <= idle - box.idle_timeout_s * SECOND <= late]


def _claim(context: Context, group: Column, of: int, idle: Column, side: int) -> Iterator[Claim]:
    shortest = int(idle[group].min())
    if 2 * len(group) < of or (len(group) < FEWEST and shortest < ALONE_NS):
        return
    late = SLACK_NS if len(group) > 1 else PROMPT_NS
    known = _closing_after(shortest, late) if shortest % SECOND <= late else []
    if len(group) < FEWEST and not known:
        return
    flow = context.flow(int(group[0]))
    closer, _ = ends(flow, ("client", "server")[side])
    names = f", as of {', '.join(box.name for box in known[:NAMED_AT_MOST])}" if known else ""
    frames = context.facts.tracks.endpoints(FIN_FRAME)[group, side]
    yield Claim(
        summary=f"{connections(len(group))} of {flow.server} closed by {closer.address} after {seconds(shortest)} "
        f"without data{names}",
        remedy="Close idle connections sooner at the end that sends requests, or send heartbeats of the application; "
        "keepalive probes do not count here.",
        frames=tuple(frames[:MAX_FRAMES].tolist()),
        observed=f"a FIN {seconds(shortest)} to {seconds(int(idle[group].max()))} after the last data",
        expected="a limit that both ends know",
        source="RFC 9112 9.3 and 9.5",
        confidence="likely" if len(group) >= FEWEST else "possible",
        streams=tuple(np.sort(group).tolist()),
    )
