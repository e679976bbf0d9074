"""The finding endpoint-reset."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.words import connections, ends
from analyzer.layout import RESET_FRAME


@survey("endpoint-reset", severity="info")
def endpoint_reset(context: Context) -> Iterator[Claim]:
    """An application reset the connection, and no device on the path did.

    The RST answered neither a probe nor data of a connection that its sender had forgotten, and it passed as many
    routers as that host's other packets. A TCP sends such a RST when its application closes a socket with data unread
    in it, or with SO_LINGER and a time of 0, or is killed.

    Look at: the log of that application at that time. Compare middlebox-reset and lost-state.
    """
    for group in context.by_service(context.judged("aborted")):
        flow = context.flow(int(group[0]))
        who, _ = ends(flow, flow.ending.by or "")
        frames = context.facts.tracks.flows[group, RESET_FRAME]
        yield Claim(
            summary=f"{connections(len(group))} of {flow.server} ended by a RST of an application, such as {who}'s",
            remedy="See why the application closes with data unread, or with SO_LINGER 0; if it means to, let it be.",
            frames=tuple(frames[:MAX_FRAMES].tolist()),
            observed="a RST that answers nothing, with the hop limit of its sender's other packets",
            expected="FIN in both directions",
            source="RFC 9293 3.10.5; RFC 2525 2.17",
            streams=tuple(group.tolist()),
        )
