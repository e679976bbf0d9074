"""The finding older-connection-held."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.advice import how_to_set, proposed
from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Flow
from analyzer.model.quantities import duration
from analyzer.tables.arrays import Mask
from analyzer.tables.fields import CHALLENGED, HANDSHAKE, HANDSHAKE_RTT, HEAD_SIZE, OLDER_RESET, SAW_ACK, SYN_TIME


def _challenged(facts: Facts) -> Mask:
    return facts.tracks.flows[:, HANDSHAKE] & CHALLENGED != 0  # type: ignore[no-any-return]


@rule(
    "older-connection-held",
    severity="low",
    where=_challenged,
    title="{whom} still held an older connection on the addresses and ports of {connections}",
    moment="SYN",
)
def older_connection_held(flow: Flow, context: Context) -> Iterator[Claim]:
    """The server still held an older connection with these addresses and ports.

    A client opened a new connection, and the server answered the SYN with an ACK that carries the sequence numbers of
    the older connection (a challenge ACK, RFC 9293 3.10.7.4). That acknowledges nothing the client sent, so the client
    answered with an RST, which made the server drop the old connection; the next SYN, a second or more later, was
    accepted. So the client, or something on the path, had lost a connection that the server still held: the client
    rebooted or vanished, a NAT reassigned its port, or the client reused the port.

    Look at: how long the server keeps connections of clients that are dead. Keepalive on the server, with an idle time
    of minutes rather than two hours, ends them before a client reuses the port.
    """
    head = context.facts.tracks.flows[flow.stream]
    reset = bool(head[HANDSHAKE] & OLDER_RESET)
    took = int(head[HEAD_SIZE + SYN_TIME]) - flow.start
    delay = ""
    if head[HANDSHAKE] & SAW_ACK and head[HANDSHAKE_RTT] >= 0 and took > 0:
        delay = f", which delayed the new connection by {duration(took)}"
    yield Claim(
        summary=f"{flow.server} still held an older connection when {flow.client} opened a new one on the same "
        f"ports{delay}",
        remedy="Enable keepalive on the server with an idle time of minutes, so that it drops dead clients before they "
        f"reconnect. {how_to_set(context.facts, flow, proposed(context.safe_idle[flow.stream]), SIDES[1:])}",
        frames=(),
        observed=f"an ACK with other sequence numbers in reply to a SYN{', and the RST from the client' * reset}",
        expected="a SYN-ACK",
        source="RFC 9293 3.10.7.4 and 3.5.1",
        confidence="certain" if reset else "possible",
        at=flow.start,
    )
