"""What is new since the last look: connections that packets touched, or whose time is up, measured as any capture is.

A look makes the tables of those connections alone, measures and judges them as if the capture ended now, and compares
with what has been told. So an event never says what `analyze` would not say of the same packets; the final result is
made from the whole tables and does not depend on looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from analyzer.diagnose import USUAL_NS, VERDICTS, Context, find, judge, silences
from analyzer.live.reported import Reported
from analyzer.measure import endpoints_of
from analyzer.model.columns import Facts, Packets, Tracks
from analyzer.model.events import (
    ANSWERED,
    CLOSED,
    FINDING,
    OPENED,
    PROBE,
    RECOVERED,
    RESET,
    SEEN,
    UNANSWERED,
    WITHDRAWN,
    Event,
)
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
    HANDSHAKE,
    HANDSHAKE_RTT,
    HIGH_HI,
    PACKET_SIZE,
    PROBE_FRAME,
    PROBE_MARKS,
    PROBE_TIME,
    RESET_FRAME,
    SAW_SYN,
    STREAM,
)
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
# A connection that was in trouble and has one of these now is well again.
WELL = [PLACES[word] for word in ("healthy", "lossy_path", "closed")]
UNPROTECTED = PLACES["unprotected"]
ENDINGS: dict[int, str] = {How.FIN: CLOSED, How.RST: RESET, How.REFUSED: RESET}
# By number: who ended it, and why.
ENDERS = (None, *SIDES, MIDDLEBOX)
WHYS = [None if why is Why.NONE else why.name.lower() for why in Why]


class Watch:
    """Remembers what has been told of each connection, and of each probe."""

    def __init__(
        self,
        tracker: Tracker,
        measured: Callable[[Tracks, int], Facts],
        context: Callable[[Facts], Context],
        idle_after: int,
    ) -> None:
        """`measured` gives the facts of some connections at a time, `context` what rules may ask about them."""
        self._tracker = tracker
        self._measured = measured
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
        self._reported = Reported()
        self._seen = 0  # rows of the probe log

    def note(self, packets: Packets, start: int, stop: int) -> None:
        """Take note of which connections these packets of a tracked batch were about."""
        rows = np.asarray(packets.rows[start * PACKET_SIZE : stop * PACKET_SIZE], np.int64)
        self._touched.append(distinct(rows[STREAM::PACKET_SIZE]))

    def touch(self, streams: Column) -> None:
        """Something else than packets has told of these connections."""
        self._touched.append(streams)

    def waits(self, now: int) -> bool:
        """Whether time may have brought something: probes came, or it was to be looked at something by now."""
        probes, self._seen = self._seen, self._tracker.sizes[1]
        return bool(probes != self._seen or len(self._pending) or ((self._recheck > 0) & (self._recheck <= now)).any())

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
        self._recheck[due] = 0
        self._recheck[touched[touched >= 0]] = now + self._idle_after + SETTLES_NS
        events = [
            *self._new_connections(look),
            *self._new_probes(look),
            *self._new_endings(look),
            *self._new_troubles(look, places, last=last),
        ]
        self._recheck[streams[look.over]] = 0
        waiting = (look.facts.trailing > 0).any(axis=1) & ~look.over
        self._pending = streams[waiting | (self._suspected[streams] > 0)]
        return sorted(events, key=lambda event: event.time)

    def _measure(self, streams: Column, now: int) -> _Look:
        tracks, rows = self._tracker.extract(streams)
        return _Look(streams, self._numbers[streams], self._measured(tracks, now), rows, now)

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
        if self._reported:
            self._reported.leave(set(self._numbers.tolist()))

    def rest(self, findings: Iterable[Finding], flow: Callable[[int], Flow], now: int) -> Iterator[Event]:
        """Of the findings about single connections of the whole capture those that have not been told."""
        for finding in self._reported.not_among(findings):
            assert finding.stream is not None
            of, own = flow(finding.stream), self._reported.add(finding, finding.stream, now)
            yield Event(FINDING, now, finding.stream, of.client, of.server, {"id": own}, finding)

    def _grow(self, streams: int, probes: int) -> None:
        """Room for what is remembered of so many streams and rows of the probe log."""
        self._ended, self._told, self._suspected, self._since, self._recheck = (
            _grown(table, streams) for table in (self._ended, self._told, self._suspected, self._since, self._recheck)
        )
        self._probes = _grown(self._probes, probes)

    def _new_connections(self, look: _Look) -> Iterator[Event]:
        first = int(np.searchsorted(look.streams, self._opened))
        flows = look.facts.tracks.flows[first:]
        columns = flows[:, FIRST_TIME].tolist(), (flows[:, HANDSHAKE] & SAW_SYN != 0).tolist()
        for local, (time, began) in enumerate(zip(*columns, strict=True), first):
            yield look.event(local, OPENED if began else SEEN, time)
        self._opened = max(self._opened, int(look.streams[-1]) + 1)

    def _new_probes(self, look: _Look) -> Iterator[Event]:
        """Probes, their answers, and those that have waited for one long enough."""
        facts, log = look.facts, look.facts.tracks.probes
        if not len(log):
            return
        who, told = facts.prober, self._probes[look.rows]
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
                event = look.event(local, UNANSWERED, given_up, sender=SIDES[side], frame=frame)
                yield event._replace(trouble="low")
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
            event = look.event(local, ENDINGS[how], time, by=ENDERS[who], why=WHYS[why], frame=frame or None)
            yield event._replace(trouble="low" if event.kind == RESET else "info")

    def _new_troubles(self, look: _Look, places: Narrow, *, last: bool) -> Iterator[Event]:
        """Verdicts that stand, and those that stand no more."""
        code = np.where(TROUBLES[places] & ~self._early(look, places), places + 1, 0).astype(np.int8)
        told, suspected = self._told[look.streams], self._suspected[look.streams]
        since = np.where(suspected == code, self._since[look.streams], look.now)
        stands = last | look.over | np.isin(places, AT_ONCE) | (look.now - since >= STANDS_NS)
        new = (code > 0) & (code != told) & stands
        gone = (told > 0) & ((code == 0) | (np.isin(places, WELL) & (code != told)))
        self._since[look.streams] = since
        self._suspected[look.streams] = np.where((code > 0) & (code != told) & ~stands, code, 0)
        self._told[look.streams] = np.where(new, code, np.where(gone, 0, told))
        over = {}  # by connection: the kind of event that what was told of it ends by
        for local in np.flatnonzero(gone | new & (told > 0)).tolist():
            well = places[local] in WELL and told[local] - 1 != UNPROTECTED
            over[look.numbers[local]] = RECOVERED if well else WITHDRAWN
            if gone[local]:
                word = VERDICTS[told[local] - 1].word
                yield look.event(local, over[look.numbers[local]], look.now, verdict=word)
        come = np.flatnonzero(new)
        columns = (column[come].tolist() for column in (places, look.facts.ended, look.facts.trailing))
        for local, place, ended, trailing in zip(come.tolist(), *columns, strict=True):
            word, severity = VERDICTS[place].word.replace("_", "-"), VERDICTS[place].severity
            event = look.event(local, word, ended or look.now, unanswered=max(trailing) or None)
            yield event._replace(trouble=severity)
        if (new | gone).any():
            yield from self._new_findings(look.streams[new | gone], over, look.now)

    def _early(self, look: _Look, places: Narrow) -> Mask:
        """Connections that are not probed, as far as that says nothing yet; they are looked at when it will."""
        silent = silences(look.facts, np.arange(len(places)))
        early: Mask = (places == UNPROTECTED) & (silent <= USUAL_NS) & ~look.facts.keepalive_off
        self._recheck[look.streams[early]] = look.now + USUAL_NS - silent[early] + SETTLES_NS
        return early

    def _new_findings(self, streams: Column, over: dict[int, str], now: int) -> Iterator[Event]:
        """What rules about single connections find of these, and what they found of those in `over` and do no more."""
        look = self._measure(streams, now)
        still: dict[int, set[str]] = {}
        for finding in find(self._context(look.facts), surveys=False):
            assert finding.stream is not None
            stream = look.numbers[finding.stream]
            still.setdefault(stream, set()).add(finding.rule)
            own = self._reported.add(finding, stream, now)
            if own is not None:
                event = look.event(finding.stream, FINDING, now, id=own)
                yield event._replace(finding=finding._replace(stream=stream))
        for local, stream in enumerate(look.numbers):
            if stream in over:
                for one in self._reported.over(stream, still.get(stream, ())):
                    yield look.event(local, over[stream], now, **one.facts)


class _Look:
    """One look: the streams it is about, and what is measured of them when it is taken."""

    def __init__(self, streams: Column, numbers: Column, facts: Facts, rows: Column, now: int) -> None:
        self.streams, self.facts, self.rows, self.now = streams, facts, rows, now
        self.numbers: list[int] = numbers.tolist()
        self.over = np.isin(facts.how, list(ENDINGS))
        self._keys: list[list[int]] = facts.tracks.flows[:, : HIGH_HI + 1].tolist()
        self._ends: dict[int, tuple[Endpoint, Endpoint]] = {}

    def event(self, local: int, kind: str, time: int, **facts: int | str | None) -> Event:
        """An event of one of them."""
        ends = self._ends.get(local)
        if ends is None:
            ends = self._ends[local] = endpoints_of(self._keys[local])
        return Event(kind, time, self.numbers[local], ends[0], ends[1], facts)


def _grown(table: Any, size: int) -> Any:
    """The table with room for so many, half as much again where it must grow."""
    if size <= len(table):
        return table
    larger = np.zeros(size + size // 2, table.dtype)
    larger[: len(table)] = table
    return larger
