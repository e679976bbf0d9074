"""The failures of an analysis that keepalive settings may matter to, connection by connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from analyzer.advise.asked import Advised
from analyzer.diagnose import Context
from analyzer.diagnose.idle_timeouts import SHORTEST_NS, Memory
from analyzer.model.advice import Kind
from analyzer.model.columns import Facts
from analyzer.model.words import How, Why
from analyzer.tables.arrays import are_among
from analyzer.tables.fields import (
    ADVANCE_TIME,
    END_TIME,
    ENDPOINT_SIZE,
    HEAD_SIZE,
    LAST_PROBE,
    LAST_RX,
    NEVER,
    OPEN_GAP_END,
    PROBE_SINCE,
    RESENT,
    RESENT_FIRST,
)

STALLED = ("app_hung", "zero_window_stall")


class Failed(NamedTuple):
    """One connection that failed; times in nanoseconds, 0 where not known."""

    stream: int
    kind: Kind
    side: int  # of the end that waited
    since: int  # the last packet from its peer
    known: int  # when it was given up, as far as packets show
    until: int  # ... or for how long the capture watched
    silence: int = 0  # before what was lost
    memory: Memory | None = None  # of a device that forgot it
    by_reset: bool = False  # an RST said so
    sent: int = 0  # the data that was not acknowledged, and when it was first sent again
    resent: int = 0


def find_failed(analysis: Advised, streams: set[int] | None) -> list[Failed]:
    """All of them, or those of these streams; in order of stream, each once."""
    found: dict[int, Failed] = {}
    for one in _all_failed(analysis):
        if (streams is None or one.stream in streams) and one.stream not in found:
            found[one.stream] = one
    return [found[stream] for stream in sorted(found)]


def _all_failed(analysis: Advised) -> Iterator[Failed]:
    """The first that names a connection is right about it."""
    context, facts = analysis.context, analysis.facts
    gaps = context.silence.last_gap
    for memory in context.memories:
        for stream in memory.forgotten.tolist():
            yield _dropped(facts, stream, int(gaps[stream]), Kind.IDLE_DROP)._replace(memory=memory)
    for stream in context.judged("middlebox_reset", "middlebox_drop").tolist():
        if gaps[stream] >= SHORTEST_NS:
            yield _dropped(facts, stream, int(gaps[stream]), Kind.IDLE_DROP)
    for stream in context.judged("lost_state").tolist():
        yield _dropped(facts, stream, int(gaps[stream]), Kind.LOST_STATE)
    yield from _of(context, ("dead_peer", "middlebox_drop"), _dead_peer)
    yield from _of(context, ("retransmission_timeout",), _unacknowledged)
    leaked, idle = (_named(analysis, rule) for rule in ("leaked-connection", "unprotected-idle"))
    yield from _silent(facts, context.judged("close_wait_leak").tolist() + leaked, Kind.NEVER_CLOSED)
    yield from _silent(facts, idle, Kind.UNPROTECTED)
    yield from _silent(facts, context.judged(*STALLED).tolist(), Kind.STALLED)


def _of(context: Context, verdicts: tuple[str, ...], made: Callable[[Facts, int], Failed]) -> Iterator[Failed]:
    return (made(context.facts, stream) for stream in context.judged(*verdicts).tolist())


def _named(analysis: Advised, rule: str) -> list[int]:
    return [stream for one in analysis.findings if one.rule == rule for stream in one.concerned]


def _dropped(facts: Facts, stream: int, gap: int, kind: Kind) -> Failed:
    """What was silent for so long, and then lost."""
    by_reset = bool(facts.how[stream] == How.RST and facts.why[stream] != Why.KEEPALIVE_EXHAUSTED)
    side = 2 - int(facts.by[stream]) if by_reset else _unheard_side(facts, stream)
    known = int(facts.ended[stream])
    row = facts.tracks.flows[stream]
    since = int(row[OPEN_GAP_END]) - gap if gap else _endpoint(facts, stream, side, LAST_RX)
    return Failed(stream, kind, side % 2, max(since, 0), known, facts.end, gap, by_reset=by_reset)


def _unheard_side(facts: Facts, stream: int) -> int:
    """The end that probed or resent in vain; of both, the one that did so more often."""
    tried = facts.trailing[stream] + np.array([_endpoint(facts, stream, side, RESENT) for side in range(2)])
    return int(tried.argmax())


def _dead_peer(facts: Facts, stream: int) -> Failed:
    gave_up = facts.why[stream] == Why.KEEPALIVE_EXHAUSTED
    side = int(facts.by[stream]) - 1 if gave_up else int(facts.trailing[stream].argmax())
    last = _endpoint(facts, stream, side, LAST_PROBE)
    since = int(facts.tracks.probes[last - 1, PROBE_SINCE]) if last else NEVER
    known = int(facts.ended[stream]) if gave_up else 0
    return Failed(stream, Kind.DEAD_PEER, side, max(since, 0), known, facts.end)


def _unacknowledged(facts: Facts, stream: int) -> Failed:
    side = int(np.argmax([_endpoint(facts, stream, side, RESENT) for side in range(2)]))
    since, sent, resent = (_endpoint(facts, stream, side, field) for field in (LAST_RX, ADVANCE_TIME, RESENT_FIRST))
    known = int(facts.ended[stream]) if are_among(facts.how[stream], (How.RST, How.TIMEOUT)) else 0
    return Failed(
        stream, Kind.UNACKNOWLEDGED_DATA, side, max(since, 0), known, facts.end, sent=min(sent, resent), resent=resent
    )


def _silent(facts: Facts, streams: list[int], kind: Kind) -> Iterator[Failed]:
    """Open to the end, for as long as somebody listened."""
    since = facts.tracks.flows[streams, END_TIME] if streams else np.zeros(0, np.int64)
    until = since + facts.listened(since)
    for stream, last, end in zip(streams, since.tolist(), until.tolist(), strict=True):
        yield Failed(stream, kind, 0, last, 0, end)


def _endpoint(facts: Facts, stream: int, side: int, field: int) -> int:
    return int(facts.tracks.flows[stream, HEAD_SIZE + side * ENDPOINT_SIZE + field])
