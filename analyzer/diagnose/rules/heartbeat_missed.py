"""The finding heartbeat-missed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.limits import NOT_YET
from analyzer.diagnose.phrases import ends, named
from analyzer.diagnose.registry import Claim, rule
from analyzer.model.columns import Facts, Tracks
from analyzer.model.flows import SIDES, Flow, Heartbeat
from analyzer.model.quantities import duration
from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import (
    BEAT,
    BEAT_LAST,
    BEAT_WAITS,
    BEATS_ANSWERED,
    BEATS_MASK,
    BEATS_SENT,
    CLIENT_ASKED,
    ENDPOINT_SIZE,
    FIN_ACKED,
    FIN_FRAME,
    FIN_TIME,
    HAS_UNA,
    HEAD_SIZE,
    KNOWN,
    LAST_DATA,
    NXT,
    REQUEST_FRAME,
    REQUEST_TIME,
    RESET_FRAME,
    RESET_SIDE,
    RESET_TIME,
    ROLES,
    SERVER_ASKED,
    UNA,
)
from analyzer.tcp import FIN, SECOND

# Protocols give a peer up that missed two heartbeats (AMQP 0-9-1 4.2.7), or one and a half (MQTT 3.1.1 3.1.2.10).
MISSED = 1.5
# So many replies show that they are to be expected.
REPLIES_BEFORE = 3
# A broker that waits for one and a half intervals (MQTT) closes so long after the last heartbeat, but for jitter.
STARVED = 1.4
# Who waits for more intervals than these closes for another reason.
MOST_MISSED = 4
# Whose other end closes when they stop: MQTT 3.1.1 3.1.2.10, ZooKeeper's session timeout, STOMP 1.2, engine.io-protocol
# 4, SignalR's client timeout. Of other protocols a ping is the sender's own affair.
GIVE_UP = ("mqtt", "zookeeper", "stomp", "socket.io", "signalr")
SOURCE = "AMQP 0-9-1 4.2.7; MQTT 3.1.1 3.1.2.10; RFC 4271 4.4"
REMEDY = "Find out what blocked the silent application. Run heartbeats outside the thread that does the work."


def _missed(facts: Facts) -> Mask:
    if not facts.beating.any():
        return np.zeros(len(facts), bool)
    tracks, beating = facts.tracks, facts.beating
    # Whom a device on the path reset, the peer has not closed.
    missed = _unreplied(tracks, beating) | (_starved(tracks, beating) & ~facts.forged[:, None])
    return np.asarray(beating.all(axis=1) | missed.any(axis=1))


def _unreplied(tracks: Tracks, beating: Mask) -> Mask:
    """Endpoints of ended connections that spoke last, in vain: acknowledged heartbeats without a reply (flows, 2)."""
    flows, endpoints = tracks.flows, tracks.endpoints
    beat, known, fins = endpoints(BEAT), endpoints(KNOWN), endpoints(FIN_TIME)
    replied = beat >> BEATS_ANSWERED & BEATS_MASK
    spoke_last = flows[:, [ROLES]] & np.array([CLIENT_ASKED, SERVER_ASKED]) != 0
    left = endpoints(NXT) - endpoints(UNA) & 0xFFFFFFFF
    acknowledged = (known & HAS_UNA != 0) & (left <= (fins > 0) * FIN)
    ended = (flows[:, [RESET_TIME]] > 0) | (fins > 0).any(axis=1, keepdims=True)
    in_vain = (beat & BEAT_WAITS != 0) & (endpoints(BEAT_LAST) >= flows[:, [REQUEST_TIME]])
    return np.asarray(beating & (replied >= REPLIES_BEFORE) & spoke_last & acknowledged & ended & in_vain)


def _closed_by(tracks: Tracks) -> Column:
    """When each end closed the connection, before the other, by FIN or RST: (flows, 2), NOT_YET where it did not."""
    fins = tracks.endpoints(FIN_TIME)
    closed = np.where(fins > 0, fins, NOT_YET)
    for side in range(2):
        resets = tracks.flows[:, RESET_SIDE] == side + 1
        closed[:, side] = np.where(resets, np.minimum(closed[:, side], tracks.flows[:, RESET_TIME]), closed[:, side])
    return np.asarray(np.where(closed < closed[:, ::-1], closed, NOT_YET))


def _starved(tracks: Tracks, beating: Mask) -> Mask:
    """Endpoints that alone sent heartbeats, then nothing for longer than any gap until the other closed: (flows, 2)."""
    endpoints = tracks.endpoints
    longest = tracks.longest_beat_gaps()
    closed = _closed_by(tracks)[:, ::-1]
    silent = closed - np.maximum(endpoints(BEAT_LAST), endpoints(LAST_DATA))
    often = endpoints(BEAT) >> BEATS_SENT & BEATS_MASK >= REPLIES_BEFORE
    # A host that has gone acknowledges no FIN: then it is not the application that says nothing.
    there = (endpoints(KNOWN)[:, ::-1] & FIN_ACKED != 0) | (tracks.flows[:, [RESET_TIME]] > 0)
    some = beating & ~beating[:, ::-1] & often & there
    return np.asarray(some & (closed < NOT_YET) & (silent > STARVED * longest) & (silent < MOST_MISSED * longest))


@rule(
    "heartbeat-missed",
    severity="medium",
    where=_missed,
    title="{whom} missed heartbeats on {connections}",
    moment="last heartbeat",
)
def heartbeat_missed(flow: Flow, context: Context) -> Iterator[Claim]:
    """One side stopped sending heartbeats, or stopped replying to them.

    Both sides sent application heartbeats (AMQP, BGP, WebSocket) until one of them stopped; or one side sent them until
    it stopped (MQTT), or until the other no longer replied. Then the connection was closed. The application is blocked
    (a busy event loop, a stopped process) or has lost its timer. The other side declares it dead after one and a half
    to three intervals, and closes.

    Look at: what the silent process was doing, starting one interval after its last heartbeat or reply.

    Keep the event loop free of blocking work. A separate heartbeat thread keeps the connection open, but then the
    heartbeat no longer shows that the worker is alive.
    """
    row = context.facts.tracks.flows[flow.stream].tolist()
    if len(flow.heartbeats) == len(SIDES):
        yield from _fell_silent(flow, row)
        return
    for beats in flow.heartbeats:
        yield from _stopped_replying(flow, beats, row, context)
        yield from _stopped_sending(flow, beats, row, context)


def _stopped_sending(flow: Flow, beats: Heartbeat, row: list[int], context: Context) -> Iterator[Claim]:
    """The one end that beats, until the other had waited for long enough."""
    one, side = slice(flow.stream, flow.stream + 1), SIDES.index(beats.sender)
    tracks = context.facts.tracks
    if beats.protocol not in GIVE_UP:
        return
    starved = _starved(tracks._replace(flows=tracks.flows[one]), context.facts.beating[one])[0, side]
    if not starved or context.facts.forged[flow.stream]:
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
        if beats.protocol != others.protocol or silent <= MISSED * beats.period_s * 1e9:
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
    if not _unreplied(tracks._replace(flows=tracks.flows[one]), context.facts.beating[one])[0, side]:
        return
    x = HEAD_SIZE + side * ENDPOINT_SIZE
    time, frame = _first_close(row)
    waited = time - row[REQUEST_TIME]
    if waited <= min(context.idle_after, beats.period_s * 1e9 / 2):
        return
    sender, peer = ends(flow, beats.sender)
    several = row[x + BEAT_LAST] > row[REQUEST_TIME] and waited > MISSED * beats.period_s * 1e9
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
