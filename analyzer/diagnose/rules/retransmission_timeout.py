"""The finding retransmission-timeout."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.advice import DEFAULT_TAKES, USUAL, takes, user_timeout
from analyzer.diagnose.context import Context
from analyzer.diagnose.errors_on_path import path_errors
from analyzer.diagnose.phrases import ends, named
from analyzer.diagnose.registry import Claim, rule
from analyzer.diagnose.systems import is_windows
from analyzer.model.flows import SIDES, Flow
from analyzer.model.quantities import duration, times
from analyzer.model.words import How
from analyzer.tables.fields import (
    BEAT_LAST,
    ENDPOINT_SIZE,
    FIN_END,
    FIN_FRAME,
    FIN_TIME,
    HEAD_SIZE,
    KNOWN,
    LAST_DATA,
    LAST_RX,
    REQUEST_FRAME,
    RESENT,
    RESENT_FIRST,
    RESENT_GAP,
    RESENT_LAST,
    RESET_TIME,
    SENT_FIN,
    STAMP,
    SYN_TSVAL,
)
from analyzer.tcp import SECOND

# Gaps between resends double (RFC 6298 5.5): who has missed its turn by so much has stopped.
MISSED, SLACK_NS = 2.5, 100_000_000


@rule(
    "retransmission-timeout",
    severity="high",
    verdicts=("retransmission_timeout", "middlebox_drop"),
    title="{whom} did not acknowledge data on {connections}",
    moment="first retransmission",
)
def retransmission_timeout(flow: Flow, context: Context) -> Iterator[Claim]:
    """Data was retransmitted again and again, and never acknowledged.

    The sender's retransmission timer doubles from about 200 ms to 120 s. Linux gives up after net.ipv4.tcp_retries2
    retransmissions (15, which takes at least 15 min), and does so silently: it sends no RST. The application waits all
    that time: no keepalive probe is sent while data is unacknowledged.

    Look at: the receiving host and the network path, from the first of these retransmissions on. If the connection had
    been idle before, a device on the path may have forgotten it: see middlebox-idle-timeout.

    To detect this sooner, set TCP_USER_TIMEOUT (Linux, tcp(7)) on the socket, or lower net.ipv4.tcp_retries2. Set
    deadlines for requests in the application.
    """
    row = context.facts.tracks.flows[flow.stream].tolist()
    said = "".join(f"; {error}" for error in path_errors(context.facts, flow.stream)[:2])
    for side in range(2):
        x = HEAD_SIZE + side * ENDPOINT_SIZE
        if row[x + RESENT] < 2:
            continue
        sender, peer = ends(flow, SIDES[side])
        lasted = row[x + RESENT_LAST] - row[x + RESENT_FIRST]
        silent = int(context.facts.listened(np.array([row[x + RESENT_LAST]]))[0])
        missed = silent > MISSED * row[x + RESENT_GAP] + SLACK_NS
        then = "and was still retransmitting at the end of the capture"
        if flow.ending.how is How.RST:
            then = "and then reset the connection"
        elif missed or flow.ending.how is How.TIMEOUT:
            then = f"and stopped {duration(silent)} before the capture ends"
        seen = flow.packets[1 - side] > 0
        what = "a FIN" if _is_fin(row, side) else "data"
        answer = "did not acknowledge" if seen else "is not in this capture, so it is unknown whether it acknowledged"
        yield Claim(
            summary=f"{peer} {answer} {what} from {sender}, which retransmitted it {times(row[x + RESENT])} in "
            f"{duration(lasted)} {then}{said}",
            remedy=_remedy(context, flow, side, still_open=then.startswith("and was"), lasted=lasted),
            frames=tuple(frame for frame in (row[REQUEST_FRAME] or row[x + FIN_FRAME],) if frame),
            observed=f"{row[x + RESENT]} retransmissions without an acknowledgement{_heartbeat(flow, row, side)}",
            expected="an ACK within a round trip",
            source="RFC 9293 3.8.1; RFC 6298; Linux net/ipv4/tcp_timer.c tcp_write_timeout()",
            confidence="certain" if seen else "likely",
            at=row[x + RESENT_FIRST],
            whom=named(flow, SIDES[1 - side]),
        )


def _heartbeat(flow: Flow, row: list[int], side: int) -> str:
    """That a heartbeat found the peer silent, and how long it took the application to give up, where it did."""
    x = HEAD_SIZE + side * ENDPOINT_SIZE
    beats = [one for one in flow.heartbeats if one.sender == SIDES[side]]
    if not beats or row[x + BEAT_LAST] < max(row[x + LAST_DATA], row[x + LAST_RX]):
        return ""
    what = f"; the data begins with a {beats[0].name} heartbeat, sent every {beats[0].period_s:.4g} s"
    ended = min([time for time in (row[x + FIN_TIME], row[RESET_TIME]) if time], default=0)
    if ended <= row[x + BEAT_LAST]:
        return what
    probing = [takes(entry, 0) for entry in flow.keepalive if entry.sender == SIDES[side]]
    known = f"its settings takes {probing[0]}" if probing and probing[0] else f"Linux defaults takes {DEFAULT_TAKES}"
    return f"{what}; its sender gave up {duration(ended - row[x + BEAT_LAST])} later, and keepalive with {known}"


def _remedy(context: Context, flow: Flow, side: int, *, still_open: bool, lasted: int) -> str:
    """What to find out; then a limit, unless the sender has one that is as short."""
    sender, peer = ends(flow, SIDES[side])
    find = f"Find out why packets from {sender.address} to {peer} get no reply: check the host, then the network path."
    if is_windows(context.facts, flow, side):
        return f"{find} On Windows the socket option TCP_MAXRT, or TcpMaxDataRetransmissions for all, limits the wait."
    if _is_fin(context.facts.tracks.flows[flow.stream].tolist(), side):
        return f"{find} The application has closed this socket: on Linux net.ipv4.tcp_orphan_retries limits the wait."
    if not still_open and lasted <= USUAL.total * SECOND:
        return f"{find} The sender gave up after {duration(lasted)}, so its time limit is not the problem."
    return f"{find} {user_timeout(flow, SIDES[side])}"


def _is_fin(row: list[int], side: int) -> bool:
    """Whether what was sent again and again is a FIN, and nothing before it."""
    x = HEAD_SIZE + side * ENDPOINT_SIZE
    first = (row[x + SYN_TSVAL] >> STAMP) + (1 << 31)  # see kernels.history.resent
    return row[x + KNOWN] & SENT_FIN != 0 and (first + 1) & 0xFFFFFFFF == row[x + FIN_END]
