"""How many probes settings send: from the silences of all connections, read from the packets a second time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.advise.asked import Advised
from analyzer.advise.failures import Failed
from analyzer.advise.timer import probes_sent
from analyzer.errors import UsageError
from analyzer.model.advice import Candidate, Kind
from analyzer.model.columns import Facts
from analyzer.model.words import How, ProbeKind
from analyzer.tables.arrays import Column, are_among, distinct
from analyzer.tables.fields import ANSWER_FRAME, FIRST_TIME, FRAME, KIND, PROBE_FRAME, STREAM, TIME
from analyzer.tables.flow import by_server
from analyzer.tcp import SECOND

HOUR_S = 3600
NO_FRAME = np.iinfo(np.int64).max
GIVEN_UP = (Kind.DEAD_PEER, Kind.UNACKNOWLEDGED_DATA)


def seconds_of(facts: Facts) -> float:
    """For how long the capture was running."""
    spans = facts.spans
    if len(spans) > 1:
        return sum(last - first for first, last in spans) / SECOND
    flows = facts.tracks.flows
    return (facts.end - int(flows[:, FIRST_TIME].min())) / SECOND if len(flows) else 0.0


def seen_per_hour(facts: Facts, streams: Column) -> float | None:
    """Probes that were sent."""
    seconds = seconds_of(facts)
    return float(facts.probes[streams].sum()) * HOUR_S / seconds if seconds else None


def per_hour(
    analysis: Advised, streams: Column, settings: Sequence[Candidate], failed: Sequence[Failed]
) -> list[float | None]:
    """Probes per hour with each of these settings, of all these connections; None where packets cannot be read again.

    Those ends probe that did, and the client where none did. Probes that were sent, and their answers, are no traffic:
    with other settings they would not have been there.
    """
    seconds = seconds_of(analysis.facts)
    if analysis.again is None or not seconds:
        return [None] * len(settings)
    made = ~are_among(analysis.facts.how[streams], (How.REFUSED, How.NO_ANSWER))
    counter = _Counter(analysis.facts, streams[made], settings, failed)
    try:
        for batch in analysis.again.batches(streams[made]):
            counter.add(batch.rows)
    except UsageError:  # a pipe whose packets were not kept
        return [None] * len(settings)
    counter.end()
    return [float(count) * HOUR_S / seconds for count in counter.counts]


class _Counter:
    """Counts probes in silences as packets pass: `counts` by settings."""

    def __init__(self, facts: Facts, streams: Column, settings: Sequence[Candidate], failed: Sequence[Failed]) -> None:
        self.counts = np.zeros(len(settings))
        self._facts, self._settings = facts, settings
        probing = facts.probes > 0
        probing[~probing.any(axis=1), 0] = True
        chosen = np.zeros(len(facts), bool)
        chosen[streams] = True
        self._counted = (probing & chosen[:, None]).reshape(-1)  # by endpoint: stream * 2 + side
        self._last = np.repeat(facts.tracks.flows[:, FIRST_TIME], 2)  # when it last received something
        self._left_out = _probing_frames(facts)
        self._dead = {2 * one.stream + one.side: one for one in failed if one.kind in GIVEN_UP}

    def add(self, rows: Column) -> None:
        """Count in the silences that these packets end."""
        rows = rows[(rows[:, STREAM] >= 0) & (rows[:, KIND] == 0)]
        place = np.searchsorted(self._left_out, rows[:, FRAME])  # sorted, and with an end: no frame is beyond
        rows = rows[self._left_out[place] != rows[:, FRAME]]
        receiver = 2 * rows[:, STREAM] + np.where(by_server(rows, self._facts.tracks.flows), 0, 1)
        counted = self._counted[receiver]
        receiver, times = receiver[counted], rows[counted, TIME]
        order = np.argsort(receiver, kind="stable")
        receiver, times = receiver[order], times[order]
        before = np.empty_like(times)
        before[1:] = times[:-1]
        first = np.ones(len(receiver), bool)
        first[1:] = receiver[1:] != receiver[:-1]
        before[first] = self._last[receiver[first]]
        self._count(times - before)
        self._last[receiver] = times  # in order of time: the last of each stays

    def end(self) -> None:
        """Count in the silences that go on to the end of the connection, or of the capture.

        Who is silent when the capture ends stays so, for all that is known: its share of a probe counts.
        """
        ended = np.repeat(np.where(self._facts.ended > 0, self._facts.ended, self._facts.end), 2)
        for endpoint, one in self._dead.items():
            if self._counted[endpoint]:
                self._give_up(int(self._last[endpoint]), one)
                self._counted[endpoint] = False
        silence = ended - self._last
        open_ended = np.repeat(self._facts.ended == 0, 2)
        self._count(silence[self._counted & ~open_ended])
        share = silence[self._counted & open_ended].sum() / SECOND
        self.counts += [share / max(settings.idle, settings.interval) for settings in self._settings]

    def _give_up(self, last: int, one: Failed) -> None:
        """Count in the probes of a silence that a peer lived through, and those that found it dead.

        No probe is sent while data is unacknowledged.
        """
        self._count(np.array([max(one.since - last, 0)]))
        for place, settings in enumerate(self._settings):
            waited = (one.until - max(one.since, last)) / SECOND - settings.idle
            if one.kind is Kind.DEAD_PEER and waited >= 0:
                self.counts[place] += min(probes_sent(settings), waited // settings.interval + 1)

    def _count(self, silences: Column) -> None:
        """Count in the probes in silences of a peer that replies, in nanoseconds."""
        for place, settings in enumerate(self._settings):
            idle, spacing = settings.idle * SECOND, max(settings.idle, settings.interval) * SECOND
            self.counts[place] += np.where(silences >= idle, (silences - idle) // spacing + 1, 0).sum()


def _probing_frames(facts: Facts) -> Column:
    """The frames of keepalive probes and of what answered them, in order; last a number that no frame has."""
    rows = facts.tracks.probes[facts.probe_kind == ProbeKind.KEEPALIVE]
    return distinct(np.concatenate((rows[:, PROBE_FRAME], rows[:, ANSWER_FRAME], [NO_FRAME])))
