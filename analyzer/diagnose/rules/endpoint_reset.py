"""The finding endpoint-reset."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.hops import OTHER, SAME
from analyzer.diagnose.phrases import connections, ends
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, earliest, survey
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
OWN = "See the log of that application at that time; if it means to reset, let it be."


@survey(
    "endpoint-reset",
    severity="info",
    title="{whom} reset {connections}",
)
def endpoint_reset(context: Context) -> Iterator[Claim]:
    """A RST ended the connection, and not because its sender had forgotten it.

    It answered nothing, or what came after its sender had closed (Linux: once the application has closed, what arrives
    is answered with RST). A TCP sends such a RST when its
    application closes a socket with data unread in it, or with SO_LINGER and a time of 0, or is killed; then it passes
    as many routers as that host's other packets. Where it passed others, a device may have made it in that host's
    name. Where probes or data of the sender were unanswered, it may have given its peer up.

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
    flow = context.flow(int(group[0]))
    who, _ = ends(flow, flow.ending.by or "")
    yield Claim(
        summary=f"{connections(len(group))} of {flow.server} ended by a RST of an application, such as {who}'s",
        remedy=OWN,
        frames=_frames(context, group),
        observed=f"a RST that answers nothing{', with the ' if hops else ''}{hops}",
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
    flow = context.flow(int(group[0]))
    who, _ = ends(flow, flow.ending.by or "")
    yield Claim(
        summary=f"{connections(len(group))} of {flow.server} ended by a RST in the name of an end, such as {who}, "
        "that came over other hops than its packets",
        remedy="Look for a device on the path that resets connections (a firewall, a load balancer at its idle limit); "
        "a capture at that end shows whether it sent the RST.",
        frames=_frames(context, group),
        observed="a RST that answers nothing, with another hop limit than its sender's other packets",
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
    flow = context.flow(int(group[0]))
    who, _ = ends(flow, flow.ending.by or "")
    yield Claim(
        summary=f"{connections(len(group))} of {flow.server} ended by a RST of an end whose last probe or data was "
        f"unanswered, such as {who}: it may have given up",
        remedy="See whether the application gave up by a time limit of its own, or was ended for another reason.",
        frames=_frames(context, group),
        observed="a RST after a probe without an answer, or data without an acknowledgement",
        expected="an answer, or a RST one interval after the last of several probes",
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
    who, other = ends(flow, flow.ending.by or "")
    yield Claim(
        summary=f"{connections(len(group))} of {flow.server} ended by a RST of an end that had closed, such as {who}, "
        f"to what {other.address} sent after that",
        remedy="Let the end that closes read what is on its way first (shutdown, then read to the end), or the other "
        "stop sending when the stream has ended.",
        frames=_frames(context, group),
        observed="a RST in answer to data or a probe, after its sender's FIN",
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
    flow = context.flow(int(group[0]))
    who, other = ends(flow, flow.ending.by or "")
    yield Claim(
        summary=f"{connections(len(group))} of which little was captured ended by a RST, such as {who}'s to a segment "
        f"of {other}: it knew no such connection",
        remedy="Where there are many, see who sends such segments: a scan does.",
        frames=_frames(context, group),
        observed="a RST in answer to a segment, and no connection before it in the capture",
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
