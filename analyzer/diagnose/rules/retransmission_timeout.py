"""The finding retransmission-timeout."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.errors_on_path import path_errors
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.diagnose.systems import is_windows
from analyzer.diagnose.words import ends, seconds
from analyzer.kinds import How
from analyzer.layout import ENDPOINT_SIZE, HEAD_SIZE, REQUEST_FRAME, RESENT, RESENT_FIRST, RESENT_LAST
from analyzer.model import SIDES, Flow

THEN = {How.TIMEOUT: "and then fell silent", How.RST: "and then reset the connection"}


@rule("retransmission-timeout", severity="high", verdicts=("retransmission_timeout", "middlebox_drop"))
def retransmission_timeout(flow: Flow, context: Context) -> Iterator[Claim]:
    """Data was sent again and again, and never acknowledged.

    The sender's retransmission timer doubles from some 200 ms to 120 s. Linux gives up after net.ipv4.tcp_retries2
    retransmissions (15: 924.6 s at least), without a word on the wire; all that time the application waits, for no
    keepalive probe is sent while data is unacknowledged.

    Look at: the receiving host and the path, from the first of these retransmissions on. Where the connection had been
    idle before, a device on the path may have forgotten it: see middlebox-idle-timeout.

    To know sooner set TCP_USER_TIMEOUT (RFC 5482) on the socket, or lower net.ipv4.tcp_retries2; give requests a
    deadline in the application.
    """
    row = context.facts.tracks.flows[flow.stream].tolist()
    said = "".join(f"; {error}" for error in path_errors(context.facts, flow.stream)[:2])
    for side in range(2):
        x = HEAD_SIZE + side * ENDPOINT_SIZE
        if row[x + RESENT] < 2:
            continue
        sender, peer = ends(flow, SIDES[side])
        lasted = row[x + RESENT_LAST] - row[x + RESENT_FIRST]
        then = THEN.get(flow.ending.how, "and was at it still")
        yield Claim(
            summary=f"{sender} sent the same again {row[x + RESENT]} times in {seconds(lasted)} {then}; {peer} "
            f"acknowledged none of it{said}",
            remedy=_remedy(context, flow, side),
            frames=(row[REQUEST_FRAME],) if row[REQUEST_FRAME] else (),
            observed=f"{row[x + RESENT]} retransmissions without an acknowledgement",
            expected="an ACK within a round trip",
            source="RFC 9293 3.8.1; RFC 6298; Linux net/ipv4/tcp_timer.c tcp_write_timeout()",
        )


def _remedy(context: Context, flow: Flow, side: int) -> str:
    if is_windows(context.facts, flow, side):
        return (
            "Find out why nothing arrives; give requests a deadline in the application (Windows: the socket option "
            "TCP_MAXRT, or TcpMaxDataRetransmissions for all)."
        )
    return (
        "Find out why nothing arrives; set TCP_USER_TIMEOUT on the socket (or net.ipv4.tcp_retries2) to the "
        "time after which that should be known."
    )
