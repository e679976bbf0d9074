"""The finding proxy-idle-close."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from analyzer.diagnose.context import Context
from analyzer.diagnose.limit_claims import limit_claim
from analyzer.diagnose.limits import FEWEST, SLACK_NS, Limit
from analyzer.diagnose.phrases import ends
from analyzer.diagnose.registry import MAX_FRAMES, Claim, survey
from analyzer.model.flows import SIDES, Flow, Said
from analyzer.model.quantities import between, connections, duration
from analyzer.tables.arrays import distinct
from analyzer.tables.fields import EVENT_ENDPOINT
from analyzer.tables.heartbeats import IDLE, said
from analyzer.tcp import SECOND

if TYPE_CHECKING:
    from analyzer.knowledge.profiles import Middlebox

# One connection alone may be closed at any time: only a known timeout of a minute or so is no chance.
ALONE_NS = 50_000_000_000
PROMPT_NS = 50_000_000
NAMED_AT_MOST = 4
# Servers that speak unasked, and count what the client says.
OF_CLIENT = ("imap", "smtp")


@survey(
    "proxy-idle-close",
    severity="low",
    title="{whom} closed {connections} at an idle limit",
    moment="close",
)
def proxy_idle_close(context: Context) -> Iterator[Claim]:
    """One side closed an idle connection at a time limit.

    After a fixed time without data one side, usually a proxy or a server, sent FIN (some send RST). Keepalive probes do
    not count as data for such a limit, and do not keep the connection open. Clients that reuse connections must expect
    this: a request sent at that moment crosses the FIN and may fail (see keepalive-race).

    Some say so before they close: MySQL with error 4031, PostgreSQL with SQLSTATE 57P05 or 25P03 (a transaction that
    was left open), IMAP with BYE, gRPC with GOAWAY and max_idle. Then the finding quotes it, and is certain.

    Look at: the idle limits of the host that closed, and of proxies in front of it.

    Make the side that sends requests close idle connections first, with a shorter limit. Where a connection must last,
    send application heartbeats.
    """
    for flows, words in _said_so(context):
        yield _told(flows, words)
    for limit in context.idle_limits:
        if not limit.foreign.any():  # that is a device's, see middlebox-idle-timeout
            yield from _claim(context, limit)


def _said_so(context: Context) -> Iterator[tuple[list[Flow], Said]]:
    """Connections that an end closed after saying that they were idle, by service and by its words."""
    told = context.facts.sayings(said(IDLE))
    groups: dict[tuple[str, str, str], tuple[list[Flow], Said]] = {}
    for flow in context.flows(distinct(told[:, EVENT_ENDPOINT] >> 1).tolist()):
        one = next((one for one in flow.said if one.what == IDLE), None)
        if one is not None and flow.ending.by == one.by:
            groups.setdefault((str(flow.server), one.by, one.words), ([], one))[0].append(flow)
    yield from groups.values()


def _told(flows: Sequence[Flow], words: Said) -> Claim:
    told = [next(one for one in flow.said if one.what == IDLE) for flow in flows]
    silences = [one.silence if words.protocol not in OF_CLIENT else _since_client(one) for one in told]
    known = [silence for silence in silences if silence is not None and silence >= SECOND]
    how_long = f"after {between(min(known), max(known))} without data, " if known else ""
    whom = ends(flows[0], words.by)[0]
    return Claim(
        summary=f"{whom} closed {connections(len(flows))} {how_long}and said why ({words.protocol}: {words.words})",
        remedy=_remedy_said(words, min(known, default=0)),
        frames=tuple(one.frame for one in told[:MAX_FRAMES]),
        observed=f"{words.protocol} {words.words}",
        expected="a limit that both sides know",
        source="MySQL ER_CLIENT_INTERACTION_TIMEOUT; PostgreSQL appendix A; RFC 9051 5.4; grpc-go http2_server.go",
        confidence="certain",
        streams=tuple(flow.stream for flow in flows),
        at=min(one.time for one in told),
        whom=str(whom) if words.by == SIDES[1] else whom.address,
    )


def _since_client(one: Said) -> int | None:
    """For how long the client had said nothing, whatever its server told it meanwhile."""
    return one.time - one.since_peer if one.since_peer is not None else None


def _remedy_said(words: Said, idle: int) -> str:
    if "25P03" in words.words:
        return "Commit or roll back when the work is done: a transaction was left open. Keepalive does not change it."
    if words.protocol == "http2":
        return (
            "Change nothing if clients connect again by themselves: max_idle counts calls, and PINGs do not reset it."
        )
    return _remedy(idle, 1) if idle else "Have clients close or replace connections before that limit."


def _closing_after(idle: int, late: int, side: int, port: int) -> list[Middlebox]:
    """What is known to close so at that side of such a service after so long, as late as that, in whole seconds."""
    from analyzer.knowledge.matching import middleboxes

    closing = [box for box in middleboxes() if box.closes and box.closes_as(SIDES[side], port)]
    return [box for box in closing if 0 <= idle - box.idle_timeout_s * SECOND <= late]


def _claim(context: Context, limit: Limit) -> Iterator[Claim]:
    shortest, longest = int(limit.measured.min()), int(limit.measured.max())
    many = len(limit.streams)
    if many < FEWEST and shortest < ALONE_NS:
        return
    flow = context.flow(int(limit.streams[0]))
    late = SLACK_NS if many > 1 else PROMPT_NS
    whole = shortest % SECOND <= late
    known = _closing_after(shortest, late, limit.side, flow.server.port) if whole else []
    if many < FEWEST and (limit.resets.any() or not known):
        return
    names = f" (a limit of {', '.join(box.name for box in known)})" if 0 < len(known) <= NAMED_AT_MOST else ""
    how = "reset" if limit.resets.all() else "closed"
    yield limit_claim(
        context,
        limit,
        summary=f"{context.at_side(limit.streams, limit.side)} {how} {context.of(limit.streams, limit.side)} after "
        f"{duration(shortest)} without data{names}",
        remedy=_remedy(shortest, limit.side),
        observed=f"{'an RST' if limit.resets.all() else 'a FIN'} {between(shortest, longest)} after the last data",
        expected="a limit that both sides know",
        source="RFC 9112 9.3 and 9.5",
        confidence="likely" if many >= FEWEST else "possible",
    )


def _remedy(limit: int, side: int) -> str:
    """Of a server's limit the client has to stay below; one of the client's own is what it should be."""
    more = "Keepalive probes do not count as data. To keep connections open, send application heartbeats."
    if side == 0:
        return f"Change nothing if the client's idle limit of {duration(limit)} is intended. {more}"
    return f"Have clients close or replace connections that are idle for nearly {duration(limit)}. {more}"
