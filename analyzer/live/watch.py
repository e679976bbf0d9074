"""What is new since the last look: connections that packets touched, or whose time is up, measured as any capture is.

A look makes the tables of those connections alone, measures and judges them as if the capture ended now, and compares
with what has been told. So an event never says what `analyze` would not say of the same packets; the final result is
made from the whole tables and does not depend on looks.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from analyzer.diagnose import RULES, VERDICTS, Context, find, judge
from analyzer.measure import endpoints_of, measure
from analyzer.model.columns import Facts, Packets
from analyzer.model.events import ANSWERED, CLOSED, FINDING, OPENED, PROBE, RESET, UNANSWERED, WITHDRAWN, Event
from analyzer.model.findings import URGENT, Finding
from analyzer.model.flows import MIDDLEBOX, SIDES, Endpoint, Flow
from analyzer.model.words import How, ProbeKind, Why
from analyzer.tables.arrays import Column, Mask, Narrow, distinct
from analyzer.tables.fields import (
    ANSWER,
    ANSWER_FRAME,
    ANSWER_NONE,
    ANSWER_RST,
    ANSWER_TIME,
    FIRST_TIME,
    HANDSHAKE_RTT,
    PACKET_SIZE,
    PROBE_FRAME,
    PROBE_MARKS,
    PROBE_TIME,
    RESET_FRAME,
    ROLES,
    STREAM,
)
from analyzer.tables.probe import probers
from analyzer.tcp import SECOND
from analyzer.track import Tracker

# An answer to a probe takes a round trip; one that has taken this and four of them will hardly come.
PATIENCE_NS = SECOND // 2
ROUND_TRIPS = 4
# A judgement that the next packet may overturn is told when it has stood so long.
STANDS_NS = 5 * SECOND
# After `--idle-after` and this silence says something.
SETTLES_NS = SECOND // 10
NOTHING = np.zeros(0, np.int64)
TOLD_PROBE, TOLD_UNANSWERED, TOLD_ANSWERED = 1, 2, 3
# Verdicts worth an event of their own, as places in VERDICTS; and those that no later packet overturns easily.
TROUBLES = np.array([verdict.severity in URGENT for verdict in VERDICTS])
PLACES = {verdict.word: place for place, verdict in enumerate(VERDICTS)}
AT_ONCE = [PLACES[word] for word in ("dead_peer", "lost_state", "middlebox_reset")]
ENDINGS: dict[int, str] = {How.FIN: CLOSED, How.RST: RESET, How.REFUSED: RESET}
# By number: who ended it, and why.
ENDERS = (None, *SIDES, MIDDLEBOX)
WHYS = [None if why is Why.NONE else why.name.lower() for why in Why]


class Watch:
    """Remembers what has been told of each connection, and of each probe."""

    def __init__(self, tracker: Tracker, context: Callable[[Facts], Context], idle_after: int) -> None:
        """`context` gives what rules may ask about some connections."""
        self._tracker = tracker
        self._context = context
        self._idle_after = idle_after
        self._touched: list[Column] = []
        self._pending = np.zeros(0, np.int64)  # streams that time alone may change
        self._opened = 0  # streams told so far: all below
        self._numbers: Column = NOTHING  # what the streams are called; `leave` changes what is in memory
        self._ended = np.zeros(0, np.bool_)
        self._told = np.zeros(0, np.int8)  # the trouble that stands: 1 + place in VERDICTS; 0 none
        self._suspected = np.zeros(0, np.int8)  # one that has not stood long enough
        self._since = np.zeros(0, np.int64)
        self._recheck = np.zeros(0, np.int64)  # when silence alone will have changed what is to be said; 0 never
        self._probes = np.zeros(0, np.int8)  # of each row of the probe log: TOLD_*
        self._findings: set[tuple[str, int]] = set()  # rule and connection
        self._findings_left = array("q")  # the same of those that have left memory, as numbers

    def note(self, packets: Packets) -> None:
        """Take note of which connections a tracked batch was about."""
        if packets.size:
            rows = np.asarray(packets.rows[: packets.size * PACKET_SIZE], np.int64)
            self._touched.append(distinct(rows[STREAM::PACKET_SIZE]))

    def look(self, now: int, *, last: bool = False) -> list[Event]:
        """What has happened since the last look, in order of time; the `last` one tells all that stands."""
        touched = distinct(np.concatenate([NOTHING, *self._touched]))
        self._touched.clear()
        due = np.flatnonzero((self._recheck > 0) & ((self._recheck <= now) | last))
        streams = distinct(np.concatenate([touched, due, self._pending]))
        streams = streams[streams >= 0]
        if not len(streams):
            return []
        self._numbers = self._tracker.numbers()
        look = self._measure(streams, now)
        self._grow(int(streams[-1]) + 1, int(look.rows[-1]) + 1 if len(look.rows) else 0)
        places = judge(look.facts, self._idle_after)
        events = [
            *self._new_connections(look),
            *self._new_probes(look),
            *self._new_endings(look),
            *self._new_troubles(look, places, last=last),
        ]
        self._recheck[due] = 0
        self._recheck[touched[touched >= 0]] = now + self._idle_after + SETTLES_NS
        self._recheck[streams[look.over]] = 0
        waiting = (look.facts.trailing > 0).any(axis=1) & ~look.over
        self._pending = streams[waiting | (self._suspected[streams] > 0)]
        return sorted(events, key=lambda event: event.time)

    def _measure(self, streams: Column, now: int) -> _Look:
        tracks, rows = self._tracker.extract(streams)
        return _Look(streams, self._numbers[streams], measure(tracks, now), rows, now)

    def leave(self, stays: Mask, probe_stays: Mask) -> None:
        """Forget those connections and rows of the probe log that have left the tables; `look` comes before."""
        self._grow(len(stays), len(probe_stays))
        for name in ("_ended", "_told", "_suspected", "_since", "_recheck"):
            setattr(self, name, getattr(self, name)[: len(stays)][stays])
        self._probes = self._probes[: len(probe_stays)][probe_stays]
        place = np.cumsum(stays) - 1
        self._pending = place[self._pending[stays[self._pending]]]
        self._opened = int(np.count_nonzero(stays))
        self._numbers = self._tracker.numbers()
        still = set(self._numbers.tolist()) if self._findings else ()
        left = [found for found in self._findings if found[1] not in still]
        self._findings_left.extend(map(_number_of, left))
        self._findings.difference_update(left)

    def rest(self, findings: Iterable[Finding], flow: Callable[[int], Flow], now: int) -> Iterator[Event]:
        """Of the findings about single connections of the whole capture those that have not been told."""
        left = set(self._findings_left)
        for finding in findings:
            assert finding.stream is not None
            told = finding.rule, finding.stream
            if told not in self._findings and _number_of(told) not in left:
                of = flow(finding.stream)
                yield Event(FINDING, now, finding.stream, of.client, of.server, finding=finding)

    def _grow(self, streams: int, probes: int) -> None:
        """Room for what is remembered of so many streams and rows of the probe log."""
        self._ended, self._told, self._suspected, self._since, self._recheck = (
            _grown(table, streams) for table in (self._ended, self._told, self._suspected, self._since, self._recheck)
        )
        self._probes = _grown(self._probes, probes)

    def _new_connections(self, look: _Look) -> Iterator[Event]:
        first = int(np.searchsorted(look.streams, self._opened))
        for local, time in enumerate(look.facts.tracks.flows[first:, FIRST_TIME].tolist(), first):
            yield look.event(local, OPENED, time)
        self._opened = max(self._opened, int(look.streams[-1]) + 1)

    def _new_probes(self, look: _Look) -> Iterator[Event]:
        """Probes, their answers, and those that have waited for one long enough."""
        facts, log = look.facts, look.facts.tracks.probes
        if not len(log):
            return
        who = probers(log)
        told = self._probes[look.rows]
        answer = log[:, PROBE_MARKS] & ANSWER
        rtt = np.maximum(facts.tracks.flows[who >> 1, HANDSHAKE_RTT], 0)
        due = log[:, PROBE_TIME] + PATIENCE_NS + ROUND_TRIPS * rtt
        overdue = (look.now > due) | (facts.how[who >> 1] != How.OPEN)
        state = np.where(answer > ANSWER_NONE, TOLD_ANSWERED, np.where(overdue, TOLD_UNANSWERED, TOLD_PROBE))
        rows = np.flatnonzero((facts.probe_kind == ProbeKind.KEEPALIVE) & (state > told))
        columns = (column[rows].tolist() for column in (who, told, state, np.minimum(due, look.now), answer, log))
        for by, before, stands, given_up, how, entry in zip(*columns, strict=True):
            local, side = divmod(by, 2)
            frame = entry[PROBE_FRAME]
            if before < TOLD_PROBE:
                yield look.event(local, PROBE, entry[PROBE_TIME], sender=SIDES[side], frame=frame)
            if stands == TOLD_UNANSWERED:
                yield look.event(local, UNANSWERED, given_up, sender=SIDES[side], frame=frame)
            elif stands == TOLD_ANSWERED and how != ANSWER_RST:  # that is told as the connection's end
                time, answered = entry[ANSWER_TIME], entry[ANSWER_FRAME]
                yield look.event(local, ANSWERED, time, sender=SIDES[side], frame=frame, answer_frame=answered)
        self._probes[look.rows] = np.where(facts.probe_kind == ProbeKind.KEEPALIVE, state, told)

    def _new_endings(self, look: _Look) -> Iterator[Event]:
        facts = look.facts
        ended = np.flatnonzero((facts.ended > 0) & look.over & ~self._ended[look.streams])
        self._ended[look.streams[ended]] = True
        by = np.where(facts.forged, len(SIDES) + 1, facts.by)
        frames = facts.tracks.flows[:, RESET_FRAME]
        columns = (column[ended].tolist() for column in (facts.how, facts.ended, by, facts.why, frames))
        for local, how, time, who, why, frame in zip(ended.tolist(), *columns, strict=True):
            yield look.event(local, ENDINGS[how], time, by=ENDERS[who], why=WHYS[why], frame=frame or None)

    def _new_troubles(self, look: _Look, places: Narrow, *, last: bool) -> Iterator[Event]:
        """Verdicts that stand, and those that stand no more."""
        code = np.where(TROUBLES[places], places + 1, 0).astype(np.int8)
        told, suspected = self._told[look.streams], self._suspected[look.streams]
        since = np.where(suspected == code, self._since[look.streams], look.now)
        stands = last | look.over | np.isin(places, AT_ONCE) | (look.now - since >= STANDS_NS)
        new = (code > 0) & (code != told) & stands
        self._since[look.streams] = since
        self._suspected[look.streams] = np.where((code > 0) & (code != told) & ~stands, code, 0)
        self._told[look.streams] = np.where(new, code, np.where(code > 0, told, 0))
        gone = np.flatnonzero((told > 0) & (code == 0))
        for local, place in zip(gone.tolist(), (told[gone] - 1).tolist(), strict=True):
            yield look.event(local, WITHDRAWN, look.now, verdict=VERDICTS[place].word)
        come = np.flatnonzero(new)
        columns = (column[come].tolist() for column in (places, look.facts.ended, look.facts.trailing))
        for local, place, ended, trailing in zip(come.tolist(), *columns, strict=True):
            word = VERDICTS[place].word.replace("_", "-")
            yield look.event(local, word, ended or look.now, unanswered=max(trailing) or None)
        if new.any():
            yield from self._new_findings(look.streams[new], look.now)

    def _new_findings(self, streams: Column, now: int) -> Iterator[Event]:
        """What rules about single connections find of these."""
        look = self._measure(streams, now)
        for finding in find(self._context(look.facts), surveys=False):
            assert finding.stream is not None
            stream = look.numbers[finding.stream]
            if (finding.rule, stream) not in self._findings:
                self._findings.add((finding.rule, stream))
                event = look.event(finding.stream, FINDING, now)
                yield event._replace(finding=replace(finding, stream=stream))


class _Look:
    """One look: the streams it is about, and what is measured of them when it is taken."""

    def __init__(self, streams: Column, numbers: Column, facts: Facts, rows: Column, now: int) -> None:
        self.streams, self.facts, self.rows, self.now = streams, facts, rows, now
        self.numbers: list[int] = numbers.tolist()
        self.over = np.isin(facts.how, list(ENDINGS))
        self._keys: list[list[int]] = facts.tracks.flows[:, : ROLES + 1].tolist()
        self._ends: dict[int, tuple[Endpoint, Endpoint]] = {}

    def event(self, local: int, kind: str, time: int, **facts: int | str | None) -> Event:
        """An event of one of them."""
        ends = self._ends.get(local)
        if ends is None:
            ends = self._ends[local] = endpoints_of(self._keys[local])
        return Event(kind, time, self.numbers[local], ends[0], ends[1], facts)


def _number_of(told: tuple[str, int]) -> int:
    """A rule's finding of a connection as one number."""
    rule, stream = told
    return stream * len(RULES) + list(RULES).index(rule)


def _grown(table: Any, size: int) -> Any:
    """The table with room for so many, half as much again where it must grow."""
    if size <= len(table):
        return table
    larger = np.zeros(size + size // 2, table.dtype)
    larger[: len(table)] = table
    return larger
