"""The finding heartbeat-missed."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.missed import allowed, heard, is_whole, missed, said_goodbye, starved, unreplied
from analyzer.diagnose.phrases import ends, named, other_side
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Flow, Heartbeat
from analyzer.model.quantities import duration
from analyzer.model.words import How
from analyzer.tables.fields import (
    BEAT_LAST,
    ENDPOINT_SIZE,
    FIN_FRAME,
    FIN_TIME,
    HEAD_SIZE,
    LAST_DATA,
    REQUEST_FRAME,
    REQUEST_TIME,
    RESET_FRAME,
    RESET_TIME,
)
from analyzer.tables.heartbeats import MISSED
from analyzer.tcp import SECOND

# Protocols give a peer up that missed two heartbeats (AMQP 0-9-1 4.2.7), or one and a half (MQTT 3.1.1 3.1.2.10).
TOO_LONG = 1.5
STILL_OPEN = 3  # where nobody has closed: an end may beat again
# Timers of a second's grain, and brokers that look at their clients' silence once in an interval.
EARLY, LATE = 0.02, 1.2
# Whose other end closes when they stop: MQTT 3.1.1 3.1.2.10, ZooKeeper's session timeout, STOMP 1.2, engine.io-protocol
# 4, SignalR's client timeout. Of other protocols a ping is the sender's own affair.
GIVE_UP = ("mqtt", "zookeeper", "stomp", "socket.io", "signalr")
UNKNOWN = "periodic"  # who knows whether it promises to go on
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
    it stopped (MQTT), or until the other no longer replied. Then the connection was closed, or it is still open. The
    application is blocked (a busy event loop, a stopped process) or has lost its timer. The other side declares it dead
    after one and a half to three intervals, and closes.

    Often the protocol says how long it waits (MQTT's CONNECT, AMQP's Connection.TuneOk, BGP's OPEN), or that this is
    why it closes (WebSocket's close code 1011, BGP's NOTIFICATION); then the finding quotes it. TCP keepalive does not
    notice a blocked application: its kernel replies to probes.

    Look at: what the silent process was doing, starting one interval after its last heartbeat or reply.

    Keep the event loop free of blocking work. A separate heartbeat thread keeps the connection open, but then the
    heartbeat no longer shows that the worker is alive.
    """
    facts = context.facts.alone(flow.stream)
    row = facts.tracks.flows[0].tolist()
    forged = bool(facts.forged[0])  # whom a device on the path reset, the peer has not closed
    if claim := _said_so(flow, facts) or (None if forged else _kept_waiting(flow, row, facts)):
        yield claim
        return
    if len(flow.heartbeats) == len(SIDES):
        if not forged:
            yield from _fell_silent(flow, row, facts)
        return
    for beats in flow.heartbeats:
        yield from _stopped_replying(flow, beats, row, facts, context.idle_after)
        yield from _stopped_sending(flow, beats, row, facts)


def _said_so(flow: Flow, facts: Facts) -> Claim | None:
    """An end that closed, and said that it did so for want of heartbeats."""
    told = next((one for one in flow.said if one.what == MISSED), None)
    if told is None:
        return None
    side = SIDES.index(told.by)
    closing, silent = ends(flow, told.by)
    lasted = told.time - told.since_peer if told.since_peer else 0
    how_long = f"; {silent} had sent no data for {duration(lasted)}" if lasted >= SECOND else ""
    acknowledged = bool(heard(facts.tracks)[0, side])
    unheard = "" if acknowledged else f". The host of {silent} did not acknowledge that"
    return Claim(
        summary=f"{closing} closed the connection for want of heartbeats and said so ({told.protocol}: "
        f"{told.words}){how_long}{unheard}",
        remedy=REMEDY if acknowledged else f"Check the host of {silent} and the path to it, then its application.",
        frames=(told.frame,),
        observed=f"{told.protocol} {told.words}",
        expected="a heartbeat, or a reply to one, in each interval",
        source=SOURCE,
        confidence="certain" if acknowledged else "possible",
        at=told.since_peer or told.time,
        whom=named(flow, other_side(told.by)),
    )


def _kept_waiting(flow: Flow, row: list[int], facts: Facts) -> Claim | None:
    """An end that was silent for longer than had been said it would be, when the other closed the connection."""
    if flow.ending.by not in SIDES or flow.ending.how not in (How.FIN, How.RST, How.HALF_CLOSED):
        return None
    time, frame = _first_close(row)
    by, side = SIDES.index(flow.ending.by), 1 - SIDES.index(flow.ending.by)
    limit = allowed(flow, SIDES[side])
    if limit is None or time not in (row[HEAD_SIZE + by * ENDPOINT_SIZE + FIN_TIME], row[RESET_TIME]):
        return None
    if said_goodbye(flow, row, by, time) or not heard(facts.tracks)[0, by] or not is_whole(row, side):
        return None
    x = HEAD_SIZE + side * ENDPOINT_SIZE
    last = max(row[x + BEAT_LAST], row[x + LAST_DATA])
    silent = time - last
    missed = silent / (limit.interval * SECOND)
    if not last or not limit.factor - EARLY <= missed <= limit.factor + LATE:
        return None
    quiet, closing = ends(flow, SIDES[side])
    words = f"{limit.said.protocol} {limit.said.words}"
    return Claim(
        summary=f"{quiet} sent no data for {duration(silent)}, {missed:.1f} times the interval of {limit.interval:g} s "
        f"that {words} set, when {closing} closed the connection",
        remedy=REMEDY,
        frames=(limit.said.frame, frame),
        observed=f"no data for {duration(silent)}; {words}: {limit.interval:g} s",
        expected=f"data or a heartbeat at least every {limit.interval * limit.factor:g} s",
        source=SOURCE,
        confidence="likely" if limit.sure else "possible",
        at=last,
        whom=named(flow, SIDES[side]),
    )


def _stopped_sending(flow: Flow, beats: Heartbeat, row: list[int], facts: Facts) -> Iterator[Claim]:
    """The one end that beats, until the other had waited for long enough."""
    side = SIDES.index(beats.sender)
    if beats.protocol not in GIVE_UP or facts.forged[0] or not starved(facts.tracks, facts.beating)[0, side]:
        return
    x = HEAD_SIZE + side * ENDPOINT_SIZE
    time, frame = _first_close(row)
    if said_goodbye(flow, row, 1 - side, time):
        return
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


def _fell_silent(flow: Flow, row: list[int], facts: Facts) -> Iterator[Claim]:
    """One of two ends that both beat, until the other closed, or for long; `facts` are of this connection alone."""
    is_open = flow.ending.how is How.OPEN
    if (flow.ending.by not in SIDES and not is_open) or flow.heartbeats[0].protocol == UNKNOWN:
        return
    # The end that closed, or that was heard of last.
    lasts = [row[HEAD_SIZE + place * ENDPOINT_SIZE + BEAT_LAST] for place in range(2)]
    by = lasts.index(max(lasts)) if is_open else SIDES.index(str(flow.ending.by))
    side = 1 - by
    time, frame = (lasts[by], 0) if is_open else _first_close(row)
    beats, others = (next(one for one in flow.heartbeats if one.sender == SIDES[place]) for place in (side, by))
    x = HEAD_SIZE + side * ENDPOINT_SIZE
    # Other data stands for a heartbeat.
    last = max(row[x + BEAT_LAST], row[x + LAST_DATA])
    usual = max(beats.period_s * SECOND, int(facts.tracks.longest_beat_gaps()[0, side]))
    silent, most = lasts[by] - last, (STILL_OPEN if is_open else TOO_LONG) * usual
    if beats.protocol != others.protocol or silent <= most or not heard(facts.tracks)[0, by] or not is_whole(row, side):
        return
    if not is_open and said_goodbye(flow, row, by, time):
        return
    sender, other = ends(flow, beats.sender)
    yield Claim(
        summary=f"{sender} stopped sending {beats.protocol} heartbeats {duration(silent)} before the last one from "
        f"{other}{'' if is_open else ', which closed the connection'}",
        remedy=REMEDY,
        frames=tuple(one for one in (*beats.frames[-1:], *others.frames[-1:], frame) if one),
        observed=f"heartbeats every {beats.period_s:.4g} s from both sides, then from one only",
        expected="heartbeats from both sides",
        source=SOURCE,
        confidence="likely",
        tentative=is_open,
        at=last,
        whom=named(flow, beats.sender),
    )


def _stopped_replying(flow: Flow, beats: Heartbeat, row: list[int], facts: Facts, idle_after: int) -> Iterator[Claim]:
    """The peer of the end that beats, until the connection was closed by either."""
    side = SIDES.index(beats.sender)
    if not unreplied(facts.tracks, facts.beating)[0, side]:
        return
    x = HEAD_SIZE + side * ENDPOINT_SIZE
    time, frame = _first_close(row)
    waited = time - row[REQUEST_TIME]
    if waited <= min(idle_after, beats.period_s * 1e9 / 2):
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
