"""The finding older-connection-held."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.phrases import seconds
from analyzer.diagnose.registry import Claim, Context, rule
from analyzer.model.columns import Facts
from analyzer.model.flows import Flow
from analyzer.tables.arrays import Mask
from analyzer.tables.fields import CHALLENGED, HANDSHAKE, HANDSHAKE_RTT, HEAD_SIZE, OLDER_RESET, SAW_ACK, SYN_TIME


def _challenged(facts: Facts) -> Mask:
    return facts.tracks.flows[:, HANDSHAKE] & CHALLENGED != 0  # type: ignore[no-any-return]


@rule(
    "older-connection-held",
    severity="low",
    where=_challenged,
    title="{whom} still held an older connection on the addresses and ports of {connections}",
)
def older_connection_held(flow: Flow, context: Context) -> Iterator[Claim]:
    """The server still held an older connection of these addresses and ports when the client opened a new one.

    It answered the SYN with an ACK that carries the numbers of the older connection (a challenge ACK, RFC 9293
    3.10.7.4). The client's TCP knows no such connection and answered with RST, which freed the server; its next SYN,
    a second or more later, was accepted. So the client, or something on the path, had forgotten a connection that the
    server held: the client rebooted or vanished, a NAT gave its port to another, or the client used the port again.

    Look at: how long the server keeps connections whose client is gone. Keepalive on the server, with a time of minutes
    rather than two hours, ends them before a client comes back to one.
    """
    head = context.facts.tracks.flows[flow.stream]
    reset = bool(head[HANDSHAKE] & OLDER_RESET)
    took = int(head[HEAD_SIZE + SYN_TIME]) - flow.start
    delay = ""
    if head[HANDSHAKE] & SAW_ACK and head[HANDSHAKE_RTT] >= 0 and took > 0:
        delay = f"; the connection was made {seconds(took)} later"
    yield Claim(
        summary=f"{flow.server} answered a SYN of {flow.client} with an ACK of an older connection that it still held"
        f"{delay}",
        remedy="Have the server probe idle connections (SO_KEEPALIVE with a time of minutes), so that it knows which "
        "clients are gone before they come back.",
        frames=(),
        observed=f"an ACK with other numbers in answer to a SYN{', and the RST of the client to it' * reset}",
        expected="a SYN-ACK",
        source="RFC 9293 3.10.7.4 and 3.5.1",
        confidence="certain" if reset else "possible",
        at=flow.start,
    )
