"""The finding close-wait-leak."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import MAX_FRAMES, Claim, earliest, survey
from analyzer.diagnose.systems import sockets_in_close_wait
from analyzer.model.columns import Facts
from analyzer.model.quantities import duration
from analyzer.tables.arrays import Column, Mask, are_among
from analyzer.tables.fields import (
    BYTES,
    FIN_END,
    FIN_FRAME,
    FIN_TIME,
    KNOWN,
    NXT,
    RESET_FRAME,
    SENT_FIN,
    SENT_RST,
    SENT_SYN,
)

# As long as Linux waits for the other end's FIN (net.ipv4.tcp_fin_timeout): a program that closes later is late.
LATE_NS = 60_000_000_000
# Servers of the web wait so long before they close what they no longer read (nginx lingering_time).
SOON_NS = 30_000_000_000
# How they grew is worth telling of so many, over so long.
SEVERAL, LASTING_NS = 4, 10_000_000_000


@survey(
    "close-wait-leak",
    severity="medium",
    title="{whom} never closed {connections} that the other side had closed",
    moment="FIN",
)
def close_wait_leak(context: Context) -> Iterator[Claim]:
    """One side closed the connection, and the application on the other side never did.

    The kernel acknowledged the FIN. The application has read the end of the stream, or has not looked, and keeps its
    socket in CLOSE-WAIT. Until the application closes the socket, only an RST from the other side ends that state.
    Keepalive gets one late: the other side answers probes while it is in FIN-WAIT-2, and sends an RST once it has
    dropped its socket. Even then the program still holds the descriptor. If the number of sockets in CLOSE-WAIT keeps
    growing, the program forgets to close them.

    Look at: `ss -tnp state close-wait` on that host, which names the process.

    Fix the program: close the socket when a read returns 0, and set a deadline for reads. On the other side Linux
    drops a closed socket in FIN-WAIT-2 after net.ipv4.tcp_fin_timeout (60 s).
    """
    streams = context.judged("close_wait_leak")
    if not len(streams):
        return
    first = _first_to_close(context.facts, streams)
    left = ~_closed_elsewhere(context.facts, streams, first)
    opened = _holder_was_open(context.facts, streams, first)
    for side, seen in ((side, seen) for side in range(2) for seen in (True, False)):
        for group in context.by_service(streams[left & (first == side) & (opened == seen)]):
            claim = _claim(group, side, context)
            yield claim if seen else claim._replace(severity="low", confidence="possible")


def _first_to_close(facts: Facts, streams: Column) -> Column:
    """The side that has sent its FIN: 0 client, 1 server."""
    return np.asarray(np.where(facts.tracks.endpoints(FIN_TIME, streams)[:, 0] > 0, 0, 1))


def _holder_was_open(facts: Facts, streams: Column, closer: Column) -> Mask:
    """Whether the other end has shown that its stream was open: by its SYN, data, or probes.

    Otherwise a FIN at the beginning of what was captured may be the second of two.
    """
    known, data = (facts.tracks.endpoints(field, streams) for field in (KNOWN, BYTES))
    shown = (known & SENT_SYN != 0) | (data > 0) | (facts.probes[streams] > 0)
    return np.asarray(shown[np.arange(len(streams)), 1 - closer])


def _closed_elsewhere(facts: Facts, streams: Column, closer: Column) -> Mask:
    """Whether the other end closed, or reset, the same connection under another address: on the other leg of a NAT."""
    endpoints = facts.tracks.endpoints
    row = np.arange(len(streams))
    numbers = np.where(endpoints(KNOWN) & SENT_FIN != 0, endpoints(FIN_END), -1).reshape(-1)
    ends = np.flatnonzero(are_among(numbers, endpoints(FIN_END, streams)[row, closer]))
    closed = (endpoints(KNOWN) & (SENT_FIN | SENT_RST) != 0).reshape(-1)
    ends = ends[closed[ends ^ 1]]
    mask = np.zeros(len(streams), bool)
    sent = endpoints(NXT).reshape(-1)
    for place, (stream, side) in enumerate(zip(streams.tolist(), closer.tolist(), strict=True)):
        same = ends[(numbers[ends] == numbers[2 * stream + side]) & (ends != 2 * stream + side)]
        # The numbers of the other end are the same, too, or one more for its FIN.
        ahead = sent[same ^ 1] - sent[2 * stream + 1 - side]
        mask[place] = (np.abs(ahead) <= 1).any()
    return mask


def _claim(group: Column, side: int, context: Context) -> Claim:
    """What is to be said of connections of one service that the same side closed."""
    facts = context.facts
    when = facts.tracks.endpoints(FIN_TIME, group)[:, side]
    frames = facts.tracks.endpoints(FIN_FRAME, group)[:MAX_FRAMES, side].tolist()
    frames += facts.tracks.flows[group[:MAX_FRAMES], RESET_FRAME].tolist()
    over = facts.ended[group]
    waited = np.where(over > 0, over - when, facts.listened(when))
    by = "the server" if side else "the client"
    over_here = len(group) == 1 and bool(over.any())
    return Claim(
        summary=f"{context.whose(group, 1 - side)} {'held' if over_here else 'still holds'} "
        f"{context.of(group, 1 - side)} in CLOSE-WAIT; {by} closed {'the oldest' if len(group) > 1 else 'it'} "
        f"{duration(int(waited.max()))} before the "
        f"{'connection ended' if over_here else 'capture ends'}{_growth(when)}",
        remedy=f"{_whom_to_look_for(context, group, 1 - side, over)}. A program must close its socket when a read "
        "returns 0 (end of stream).",
        frames=tuple(frame for frame in frames if frame),
        observed="a FIN that was acknowledged, and no FIN in return",
        expected="a FIN in return after the application reads the end of the stream",
        source="RFC 9293 3.6 and 3.10.4",
        confidence=_confidence(facts, group, 1 - side, waited),
        streams=tuple(group.tolist()),
        at=earliest(when),
        whom=context.at_side(group, 1 - side),
    )


def _growth(when: Column) -> str:
    """How their number grew, where that took a while."""
    if len(when) < SEVERAL or when.max() - when.min() < LASTING_NS:
        return ""
    half = int((when <= (when.min() + when.max()) // 2).sum())
    return f"; the closes lie within {duration(int(when.max() - when.min()))}, {half} of them in its first half"


def _whom_to_look_for(context: Context, group: Column, holder: int, over: Column) -> str:
    """Where to find the program: by its sockets, as long as there are any."""
    who, flow = context.at_side(group, holder), context.flow(int(group[0]))
    if (over > 0).all():
        return f"Fix the program on {who}: it did not close the connection"
    command = sockets_in_close_wait(context.facts, flow, holder)
    return f"Make the process on {who} close its sockets in CLOSE-WAIT. List them with: {command}"


def _confidence(facts: Facts, group: Column, holder: int, waited: Column) -> str:
    """How sure it is: the program of the holder has had its time, and this is the only leg that was captured."""
    endpoints = facts.tracks.endpoints
    numbers = endpoints(FIN_END)[endpoints(KNOWN) & SENT_FIN != 0]
    mine = endpoints(FIN_END, group)[:, 1 - holder]
    seen_twice = are_among(numbers, mine).sum() > len(mine)  # the other leg of a NAT or a proxy, perhaps
    if seen_twice or waited.min() < SOON_NS:
        return "possible"
    return "certain" if waited.min() >= LATE_NS else "likely"
