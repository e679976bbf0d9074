"""The finding heartbeat-missed."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.missed import allowed, missed, starved, unreplied
from analyzer.diagnose.phrases import ends, named, other_side
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.flows import SIDES, Flow, Heartbeat
from analyzer.model.quantities import duration
from analyzer.model.words import How
from analyzer.tables.fields import (
    BEAT_LAST,
    ENDPOINT_SIZE,
    FIN_ACKED,
    FIN_FRAME,
    FIN_TIME,
    HEAD_SIZE,
    KNOWN,
    LAST_DATA,
    REQUEST_FRAME,
    REQUEST_TIME,
    RESET_FRAME,
    RESET_TIME,
)
from analyzer.tables.heartbeats import INTERVAL, MISSED
from analyzer.tcp import SECOND

# Protocols give a peer up that missed two heartbeats (AMQP 0-9-1 4.2.7), or one and a half (MQTT 3.1.1 3.1.2.10).
TOO_LONG = 1.5
# Timers of a second's grain, and brokers that look at their clients' silence once in an interval.
EARLY, LATE = 0.02, 1.2
# Whose other end closes when they stop: MQTT 3.1.1 3.1.2.10, ZooKeeper's session timeout, STOMP 1.2, engine.io-protocol
# 4, SignalR's client timeout. Of other protocols a ping is the sender's own affair.
GIVE_UP = ("mqtt", "zookeeper", "stomp", "socket.io", "signalr")
SOURCE = "AMQP 0-9-1 4.2.7; MQTT 3.1.1 3.1.2.10; RFC 4271 4.4"
REMEDY = "Find out what blocked the silent application. Run heartbeats outside the thread that does the work."


@rule(
    "heartbeat-missed",
    severity="medium",
    where=missed,
    title="{whom} missed heartbeats on {connections}",
    moment="last heartbeat",
)
def heartbeat_missed(flow: Flow, context: Context) -> Iterator[Claim]:
    """One side stopped sending heartbeats, or stopped replying to them.

    Both sides sent application heartbeats (AMQP, BGP, WebSocket) until one of them stopped; or one side sent them until
    it stopped (MQTT), or until the other no longer replied. Then the connection was closed. The application is blocked
    (a busy event loop, a stopped process) or has lost its timer. The other side declares it dead after one and a half
    to three intervals, and closes.

    Often the protocol says how long it waits (MQTT's CONNECT, AMQP's Connection.TuneOk, BGP's OPEN), or that this is
    why it closes (WebSocket's close code 1011, BGP's NOTIFICATION); then the finding quotes it. TCP keepalive does not
    notice a blocked application: its kernel replies to probes.

    Look at: what the silent process was doing, starting one interval after its last heartbeat or reply.

    Keep the event loop free of blocking work. A separate heartbeat thread keeps the connection open, but then the
    heartbeat no longer shows that the worker is alive.
    """
    row = context.facts.tracks.flows[flow.stream].tolist()
    if claim := _said_so(flow, row) or _kept_waiting(flow, row, forged=bool(context.facts.forged[flow.stream])):
        yield claim
        return
    if len(flow.heartbeats) == len(SIDES):
        yield from _fell_silent(flow, row)
        return
    for beats in flow.heartbeats:
        yield from _stopped_replying(flow, beats, row, context)
        yield from _stopped_sending(flow, beats, row, context)


def _silence(row: list[int], side: int, until: int) -> tuple[int, int]:
    """When an end last sent data, and how long before that moment."""
    x = HEAD_SIZE + side * ENDPOINT_SIZE
    last = max(row[x + BEAT_LAST], row[x + LAST_DATA])
    return last, until - last if last else 0


def _said_so(flow: Flow, row: list[int]) -> Claim | None:
    """An end that closed, and said that it did so for want of heartbeats."""
    told = [one for one in flow.said if one.what == MISSED]
    if not told:
        return None
    closing, silent = ends(flow, told[-1].by)
    last, lasted = _silence(row, SIDES.index(other_side(told[-1].by)), told[-1].time)
    how_long = f"; {silent} had sent no data for {duration(lasted)}" if last else ""
    return Claim(
        summary=f"{closing} closed the connection for want of heartbeats and said so ({told[-1].protocol}: "
        f"{told[-1].words}){how_long}",
        remedy=REMEDY,
        frames=(told[-1].frame,),
        observed=f"{told[-1].protocol} {told[-1].words}",
        expected="a heartbeat, or a reply to one, in each interval",
        source=SOURCE,
        at=last or told[-1].time,
        whom=named(flow, other_side(told[-1].by)),
    )


def _kept_waiting(flow: Flow, row: list[int], *, forged: bool) -> Claim | None:
    """An end that was silent for longer than had been said it would be, when the other closed the connection."""
    if forged or flow.ending.by not in SIDES or flow.ending.how not in (How.FIN, How.RST, How.HALF_CLOSED):
        return None
    time, frame = _first_close(row)
    by, side = SIDES.index(flow.ending.by), 1 - SIDES.index(flow.ending.by)
    y = HEAD_SIZE + by * ENDPOINT_SIZE
    limit = allowed(flow, SIDES[side])
    # A host that has gone acknowledges no FIN: then it is not the application that says nothing.
    if limit is None or time not in (row[y + FIN_TIME], row[RESET_TIME]):
        return None
    if row[RESET_TIME] != time and row[y + KNOWN] & FIN_ACKED == 0:
        return None
    interval, factor = limit
    last, silent = _silence(row, side, time)
    promised = next(one for one in reversed(flow.said) if one.what == INTERVAL)
    if not factor - EARLY <= silent / (interval * SECOND) <= factor + LATE:
        return None
    quiet, closing = ends(flow, SIDES[side])
    return Claim(
        summary=f"{quiet} sent no data for {duration(silent)}, {silent / (interval * SECOND):.1f} times the interval "
        f"of {interval:g} s that {promised.protocol} {promised.words} set, when {closing} closed the connection",
        remedy=REMEDY,
        frames=(promised.frame, frame),
        observed=f"no data for {duration(silent)}; {promised.protocol} {promised.words}: {interval:g} s",
        expected=f"data or a heartbeat at least every {interval * factor:g} s",
        source=SOURCE,
        confidence="likely",
        at=last,
        whom=named(flow, SIDES[side]),
    )


def _stopped_sending(flow: Flow, beats: Heartbeat, row: list[int], context: Context) -> Iterator[Claim]:
    """The one end that beats, until the other had waited for long enough."""
    one, side = slice(flow.stream, flow.stream + 1), SIDES.index(beats.sender)
    tracks = context.facts.tracks
    if beats.protocol not in GIVE_UP:
        return
    kept_waiting = starved(tracks._replace(flows=tracks.flows[one]), context.facts.beating[one])[0, side]
    if not kept_waiting or context.facts.forged[flow.stream]:
        return
    x = HEAD_SIZE + side * ENDPOINT_SIZE
    time, frame = _first_close(row)
    silent = time - max(row[x + BEAT_LAST], row[x + LAST_DATA])
    sender, other = ends(flow, beats.sender)
    missed = silent / (beats.period_s * SECOND)
    yield Claim(
        summary=f"{sender} sent no {beats.protocol} heartbeat for {duration(silent)}, {missed:.1f} of its intervals, "
        f"when {other} closed the connection",
        remedy=REMEDY,
        frames=(*beats.frames[-1:], frame),
        observed=f"{beats.sent} heartbeats, one every {beats.period_s:.4g} s, then none for {duration(silent)}",
        expected="a heartbeat in each interval",
        source=SOURCE,
        confidence="likely",
        at=max(row[x + BEAT_LAST], row[x + LAST_DATA]),
        whom=named(flow, beats.sender),
    )


def _fell_silent(flow: Flow, row: list[int]) -> Iterator[Claim]:
    """One of two ends that both beat."""
    for beats, others in zip(flow.heartbeats, flow.heartbeats[::-1], strict=True):
        x, y = (HEAD_SIZE + SIDES.index(one.sender) * ENDPOINT_SIZE for one in (beats, others))
        # Other data stands for a heartbeat, and who has closed sends none.
        last = max(row[x + BEAT_LAST], row[x + LAST_DATA])
        silent = min(row[y + BEAT_LAST], row[x + FIN_TIME] or row[y + BEAT_LAST]) - last
        if beats.protocol != others.protocol or silent <= TOO_LONG * beats.period_s * 1e9:
            continue
        sender, other = ends(flow, beats.sender)
        closed = flow.ending.by == others.sender
        yield Claim(
            summary=f"{sender} stopped sending {beats.protocol} heartbeats {duration(silent)} before the last one from "
            f"{other}{', which closed the connection' if closed else ''}",
            remedy=REMEDY,
            frames=(*beats.frames[-1:], *others.frames[-1:], *((row[y + FIN_FRAME],) if row[y + FIN_FRAME] else ())),
            observed=f"heartbeats every {beats.period_s:.4g} s from both sides, then from one only",
            expected="heartbeats from both sides",
            source=SOURCE,
            confidence="likely",
            at=row[x + BEAT_LAST] or None,
            whom=named(flow, beats.sender),
        )


def _stopped_replying(flow: Flow, beats: Heartbeat, row: list[int], context: Context) -> Iterator[Claim]:
    """The peer of the end that beats, until the connection was closed by either."""
    one, side = slice(flow.stream, flow.stream + 1), SIDES.index(beats.sender)
    tracks = context.facts.tracks
    if not unreplied(tracks._replace(flows=tracks.flows[one]), context.facts.beating[one])[0, side]:
        return
    x = HEAD_SIZE + side * ENDPOINT_SIZE
    time, frame = _first_close(row)
    waited = time - row[REQUEST_TIME]
    if waited <= min(context.idle_after, beats.period_s * 1e9 / 2):
        return
    sender, peer = ends(flow, beats.sender)
    several = row[x + BEAT_LAST] > row[REQUEST_TIME] and waited > TOO_LONG * beats.period_s * 1e9
    yield Claim(
        summary=f"{peer} acknowledged the last {beats.protocol} heartbeat{'s' * several} from {sender} but sent no "
        f"reply "
        f"for {duration(waited)}, until the connection was closed",
        remedy=REMEDY,
        frames=(*beats.frames[-1:], row[REQUEST_FRAME], frame),
        observed=f"a heartbeat every {beats.period_s:.4g} s; {beats.answered} of {beats.sent} got a reply, the last "
        f"did not",
        expected="a reply to each",
        source=SOURCE,
        confidence="likely" if several else "possible",
        at=row[REQUEST_TIME] or None,
        whom=named(flow, SIDES[1 - side]),
    )


def _first_close(row: list[int]) -> tuple[int, int]:
    """Time and frame of the first FIN or RST."""
    sides = [HEAD_SIZE + side * ENDPOINT_SIZE for side in range(2)]
    closes = [(row[x + FIN_TIME], row[x + FIN_FRAME]) for x in sides] + [(row[RESET_TIME], row[RESET_FRAME])]
    return min(close for close in closes if close[0] > 0)
