"""The finding endpoint-reset."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.hops import OTHER, SAME
from analyzer.diagnose.phrases import ends
from analyzer.diagnose.registry import MAX_FRAMES, Claim, earliest, survey
from analyzer.model.quantities import connections
from analyzer.tables.arrays import Column, are_among
from analyzer.tables.fields import (
    KNOWN,
    RESENT,
    RESET_FRAME,
    RESET_GIVEN_UP,
    RESET_REPLY_TO_ACK,
    RESET_REPLY_TO_DATA,
    RESET_REPLY_TO_PROBE,
    RESET_SIDE,
    RESET_TIME,
    RESET_WHY,
    SENT_FIN,
)

REPLIES = (RESET_REPLY_TO_ACK, RESET_REPLY_TO_DATA, RESET_REPLY_TO_PROBE)
OWN = "Check the application's log at that time. Change nothing if it resets connections on purpose."


@survey(
    "endpoint-reset",
    severity="info",
    title="{whom} reset {connections}",
    moment="RST",
)
def endpoint_reset(context: Context) -> Iterator[Claim]:
    """One side reset a connection that it still knew.

    The RST was not an answer to any segment, or it answered data that arrived after its sender had closed. A TCP sends
    such an RST when its application closes a socket with unread data (being killed counts as closing), or closes it
    with SO_LINGER and a time of 0. Once the application has closed, Linux answers further data with an RST. If the RST
    has the hop limit (TTL) of that host's other packets, that host sent it. If the hop limit differs, a device may have
    made it in that host's name. If that side's own probes or data were unanswered, it may have given up.

    Look at: the log of that application at that time. Compare middlebox-reset, lost-state and dead-peer.
    """
    lone = [np.zeros(0, np.int64)]
    for service in context.by_service(context.judged("aborted")):
        known = context.facts.tracks.endpoints(KNOWN, service)
        flows, resent = context.facts.tracks.flows[service], context.facts.tracks.endpoints(RESENT, service)
        by = np.maximum(flows[:, RESET_SIDE] - 1, 0)
        gave_up = (flows[:, RESET_WHY] == RESET_GIVEN_UP) | (resent[np.arange(len(service)), by] > 0)
        replied = are_among(flows[:, RESET_WHY], REPLIES)
        hops = context.reset_hops[service]
        own = ~gave_up & ~replied
        yield from _claim(context, service[own & (hops == SAME)], "hop limit of its sender's other packets")
        yield from _claim(context, service[own & (hops != SAME) & (hops != OTHER)], "")
        yield from _foreign(context, service[own & (hops == OTHER)])
        yield from _given_up(context, service[gave_up & ~replied])
        had_closed = known[np.arange(len(service)), by] & SENT_FIN != 0
        yield from _too_late(context, service[replied & had_closed])
        lone.append(service[replied & ~had_closed])
    yield from _unknown(context, np.sort(np.concatenate(lone)))


def _claim(context: Context, group: Column, hops: str) -> Iterator[Claim]:
    if not len(group):
        return
    yield Claim(
        summary=f"The application on {_named(context, group)} reset {_them(context, group)}",
        remedy=OWN,
        frames=_frames(context, group),
        observed=f"an RST that is no reply{', with the ' if hops else ''}{hops}",
        expected="FIN in both directions",
        source="RFC 9293 3.10.5; RFC 2525 2.17",
        confidence="certain" if hops else "likely",
        streams=tuple(group.tolist()),
        at=_first(context, group),
        whom=_senders(context, group),
    )


def _foreign(context: Context, group: Column) -> Iterator[Claim]:
    if not len(group):
        return
    yield Claim(
        summary=f"An RST in the name of {_named(context, group)} ended {_them(context, group)}; "
        f"its hop "
        "limit differs from that host's other packets",
        remedy="Look for a device on the path that resets connections: a firewall, or a load balancer at its idle "
        "limit. "
        "A capture at that host shows whether it sent the RST.",
        frames=_frames(context, group),
        observed="an RST that is no reply, with another hop limit than its sender's other packets",
        expected="FIN in both directions",
        source="RFC 9293 3.10.5",
        confidence="possible",
        streams=tuple(group.tolist()),
        at=_first(context, group),
        whom=_senders(context, group),
    )


def _given_up(context: Context, group: Column) -> Iterator[Claim]:
    if not len(group):
        return
    yield Claim(
        summary=f"{_named(context, group)} reset {_them(context, group)} after a probe or data "
        f"got no "
        "reply: it may have given up",
        remedy="Check whether the application gave up at a time limit of its own, or ended for another reason.",
        frames=_frames(context, group),
        observed="an RST after a probe without a reply, or after data without an acknowledgement",
        expected="a reply, or an RST one interval after the last of several probes",
        source="RFC 9293 3.8.4 and 3.10.5",
        confidence="possible",
        streams=tuple(group.tolist()),
        at=_first(context, group),
        whom=_senders(context, group),
    )


def _too_late(context: Context, group: Column) -> Iterator[Claim]:
    if not len(group):
        return
    flow = context.flow(int(group[0]))
    _, other = ends(flow, flow.ending.by or "")
    yield Claim(
        summary=f"{_named(context, group)} closed {_them(context, group)}, then answered later "
        f"packets "
        f"{f'from {other.address} ' if len(group) == 1 else ''}with RST",
        remedy="Have the side that closes call shutdown and read to the end first, or have the other side stop "
        "sending after "
        "the FIN.",
        frames=_frames(context, group),
        observed="an RST in reply to data or a probe, after a FIN of the same side",
        expected="FIN in both directions",
        source="RFC 9293 3.10.7.1; RFC 2525 2.17",
        confidence="likely",
        streams=tuple(group.tolist()),
        at=_first(context, group),
        whom=_senders(context, group),
    )


def _unknown(context: Context, group: Column) -> Iterator[Claim]:
    if not len(group):
        return
    yield Claim(
        summary=f"{_named(context, group)} answered segments of {connections(len(group))} with RST; the capture "
        f"shows no "
        "handshake of them",
        remedy="If there are many, check who sends such segments: a port scan does.",
        frames=_frames(context, group),
        observed="an RST in reply to a segment, and no connection before it in the capture",
        expected="a handshake before it",
        source="RFC 9293 3.10.7.1",
        confidence="possible",
        streams=tuple(group.tolist()),
        at=_first(context, group),
        whom=_senders(context, group),
    )


def _frames(context: Context, group: Column) -> tuple[int, ...]:
    frames = context.facts.tracks.flows[group, RESET_FRAME]
    return tuple(np.asarray(frames[:MAX_FRAMES]).tolist())


def _first(context: Context, group: Column) -> int | None:
    return earliest(context.facts.tracks.flows[group, RESET_TIME])


def _senders(context: Context, group: Column) -> str:
    """Who reset: one host, or several at both sides."""
    by = context.facts.tracks.flows[group, RESET_SIDE]
    sides = [context.at_side(group[by == side + 1], side) for side in range(2) if (by == side + 1).any()]
    return " and ".join(sides)


def _them(context: Context, group: Column) -> str:
    """The connections, from or to the end that did not reset them, where one side reset them all."""
    by = context.facts.tracks.flows[group, RESET_SIDE]
    if (by == by[0]).all():
        return context.of(group, int(by[0]) - 1)
    return f"{connections(len(group))} to {context.at_side(group, 1)}"


def _named(context: Context, group: Column) -> str:
    """Who reset, with its port where there is one connection."""
    if len(group) > 1:
        return _senders(context, group)
    return context.whose(group, int(context.facts.tracks.flows[group[0], RESET_SIDE]) - 1)
