"""The finding close-wait-leak."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.columns import are_among
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.words import connections, ends, seconds
from analyzer.layout import BYTES, FIN_END, FIN_FRAME, FIN_TIME, KNOWN, SENT_FIN, SENT_SYN
from analyzer.model import SIDES, Column, Facts

# As long as Linux waits for the other end's FIN (net.ipv4.tcp_fin_timeout): a program that closes later is late.
LATE_NS = 60_000_000_000
# Servers of the web wait so long before they close what they no longer read (nginx lingering_time).
SOON_NS = 30_000_000_000
# What closed within less than this closed at once: nothing grows.
GROWTH_NS = 1_000_000_000


@survey("close-wait-leak", severity="medium")
def close_wait_leak(context: Context) -> Iterator[Claim]:
    """One side closed, and the application of the other never did.

    The FIN was acknowledged by the kernel; the application has read the end of the stream, or would if it looked, and
    keeps its socket in CLOSE-WAIT. No timer of TCP ends that state, and keepalive does not either: its probes are
    answered while the other end is in FIN-WAIT-2. Sockets in CLOSE-WAIT that become more and more are a program that
    forgets to close.

    Look at: `ss -tnp state close-wait` on that host, which names the process.

    Mend the program: close when a read returns 0; give reads a deadline. On the other side Linux forgets a closed
    socket in FIN-WAIT-2 after net.ipv4.tcp_fin_timeout (60 s).
    """
    for service in context.by_service(context.judged("close_wait_leak")):
        for side in (1, 2):
            closed = _first_to_close(context.facts, service) == side
            if closed.any():
                yield _claim(service[closed], side - 1, context)


def _first_to_close(facts: Facts, streams: Column) -> Column:
    """The side that has sent its FIN: 1 client, 2 server."""
    return np.asarray(np.where(facts.tracks.endpoints(FIN_TIME, streams)[:, 0] > 0, 1, 2))


def _claim(group: Column, side: int, context: Context) -> Claim:
    """What is to be said of connections of one service that the same side closed."""
    facts = context.facts
    flow = context.flow(int(group[0]))
    closer, holder = ends(flow, SIDES[side])
    when = facts.tracks.endpoints(FIN_TIME, group)[:, side]
    frames = facts.tracks.endpoints(FIN_FRAME, group)[:, side]
    growth = ""
    if len(group) > 1 and when.max() - when.min() > GROWTH_NS:
        growth = f", {int((when <= (when.min() + when.max()) // 2).sum())} of them in the first half of "
        growth += seconds(int(when.max() - when.min()))
    who = holder if len(group) == 1 else holder.address
    waited = facts.listened(when)
    return Claim(
        summary=f"{who} has not closed {connections(len(group))} of {flow.server} that {closer.address} closed up "
        f"to {seconds(int(waited.max()))} before the end{growth}",
        remedy=f"Find the process on {holder.address} with sockets in CLOSE-WAIT (ss -tnp state close-wait); it "
        "must close when a read returns the end of the stream.",
        frames=tuple(frames[:MAX_FRAMES].tolist()),
        observed="a FIN that was acknowledged, and none in return",
        expected="a FIN in return when the application has read to the end",
        source="RFC 9293 3.6 and 3.10.4",
        confidence=_confidence(facts, group, 1 - side, waited),
        streams=tuple(group.tolist()),
    )


def _confidence(facts: Facts, group: Column, holder: int, waited: Column) -> str:
    """How sure it is: the holder's stream was open, as it has shown, and its program has had its time.

    A FIN at the beginning of what was captured of a connection may be the second of two.
    """
    endpoints = facts.tracks.endpoints
    opened = (endpoints(KNOWN, group)[:, holder] & SENT_SYN != 0) | (endpoints(BYTES, group)[:, holder] > 0)
    numbers = endpoints(FIN_END)[endpoints(KNOWN) & SENT_FIN != 0]
    mine = endpoints(FIN_END, group)[:, 1 - holder]
    seen_twice = are_among(numbers, mine).sum() > len(mine)  # the other leg of a NAT or a proxy, perhaps
    if seen_twice or not (opened | (facts.probes[group, holder] > 0)).all() or waited.min() < SOON_NS:
        return "possible"
    return "certain" if waited.min() >= LATE_NS else "likely"
