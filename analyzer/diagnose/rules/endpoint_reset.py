"""The finding endpoint-reset."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.hops import OTHER, SAME, reset_hops
from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.words import connections, ends
from analyzer.layout import RESENT, RESET_FRAME, RESET_GIVEN_UP, RESET_SIDE, RESET_WHY
from analyzer.model import Column

OWN = "See the log of that application at that time; if it means to reset, let it be."


@survey("endpoint-reset", severity="info")
def endpoint_reset(context: Context) -> Iterator[Claim]:
    """A RST ended the connection that answered nothing.

    It answered neither a probe nor data of a connection that its sender had forgotten. A TCP sends such a RST when its
    application closes a socket with data unread in it, or with SO_LINGER and a time of 0, or is killed; then it passes
    as many routers as that host's other packets. Where it passed others, a device may have made it in that host's
    name. Where probes or data of the sender were unanswered, it may have given its peer up.

    Look at: the log of that application at that time. Compare middlebox-reset, lost-state and dead-peer.
    """
    for service in context.by_service(context.judged("aborted")):
        flows, resent = context.facts.tracks.flows[service], context.facts.tracks.endpoints(RESENT, service)
        by = np.maximum(flows[:, RESET_SIDE] - 1, 0)
        gave_up = (flows[:, RESET_WHY] == RESET_GIVEN_UP) | (resent[np.arange(len(service)), by] > 0)
        hops = reset_hops(context.facts, service)
        yield from _claim(context, service[~gave_up & (hops == SAME)], "hop limit of its sender's other packets")
        yield from _claim(context, service[~gave_up & (hops != SAME) & (hops != OTHER)], "")
        yield from _foreign(context, service[~gave_up & (hops == OTHER)])
        yield from _given_up(context, service[gave_up])


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
    )


def _frames(context: Context, group: Column) -> tuple[int, ...]:
    frames = context.facts.tracks.flows[group, RESET_FRAME]
    return tuple(np.asarray(frames[:MAX_FRAMES]).tolist())
