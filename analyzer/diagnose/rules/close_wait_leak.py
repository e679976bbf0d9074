"""The finding close-wait-leak."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.registry import MAX_FRAMES, Claim, Context, survey
from analyzer.diagnose.words import connections, ends, seconds
from analyzer.layout import FIN_FRAME, FIN_TIME
from analyzer.model import SIDES


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
    facts = context.facts
    for group in context.by_service(context.judged("close_wait_leak")):
        flow = context.flow(int(group[0]))
        fins = facts.tracks.endpoints(FIN_TIME, group[:1])[0]
        closer, holder = ends(flow, SIDES[int(fins[1] > 0 and not 0 < fins[0] < fins[1])])
        when = facts.tracks.endpoints(FIN_TIME)[group].max(axis=1)
        frames = facts.tracks.endpoints(FIN_FRAME)[group].max(axis=1)
        growth = ""
        if len(group) > 1 and np.ptp(when) > 0:
            growth = f", {int((when <= (when.min() + when.max()) // 2).sum())} of them in the first half of "
            growth += seconds(np.ptp(when))
        who = holder if len(group) == 1 else holder.address
        yield Claim(
            summary=f"{who} has not closed {connections(len(group))} of {flow.server} that {closer.address} closed up "
            f"to {seconds(facts.end - int(when.min()))} before the end{growth}",
            remedy=f"Find the process on {holder.address} with sockets in CLOSE-WAIT (ss -tnp state close-wait); it "
            "must close when a read returns the end of the stream.",
            frames=tuple(frames[:MAX_FRAMES].tolist()),
            observed="a FIN that was acknowledged, and none in return",
            expected="a FIN in return when the application has read to the end",
            source="RFC 9293 3.6 and 3.10.4",
            streams=tuple(group.tolist()),
        )
