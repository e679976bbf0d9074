"""The hallway for captures that go on: the same rooms as `pipeline`, and a look at what is new between batches.

Packets are taken as they come; where several interfaces are captured at once, they are not put in order of time.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from analyzer.analysis import Analysis
from analyzer.capture.interface.processes import Capturers
from analyzer.diagnose import Context, find, is_survey
from analyzer.kernels import Kernels
from analyzer.live.clock import Clock
from analyzer.live.host_sockets import HostSockets
from analyzer.live.pace import Pace, Pause
from analyzer.live.streams import MAX_INPUTS, Intake
from analyzer.live.surveys import Surveys
from analyzer.live.watch import Watch
from analyzer.measure import measure
from analyzer.measure.sockets import match
from analyzer.model.captures import CaptureFacts, Span, running
from analyzer.model.columns import Facts, Packets, Tracks
from analyzer.model.events import Event
from analyzer.model.status import Status
from analyzer.pipeline.lane import Lane
from analyzer.tables.arrays import Column
from analyzer.tables.fields import PACKET_SIZE, TIME
from analyzer.tables.frames import frame_text
from analyzer.tcp import SECOND
from analyzer.track import Tracker
from analyzer.track.leaving import least_interesting, silent
from analyzer.track.memory import Memory

LOOK_EVERY_S = 0.25
SURVEY_EVERY_S = 5.0
SURVEYED = 1 << 16  # connections at most, that other work does not wait for long
# Of a stream that comes faster so many packets are looked at together: what is told of them is in memory meanwhile.
LOOK_PACKETS = 1 << 16
REPLAY_LOOK_NS = SECOND
WAKES = 1 << 10  # taken note of at once
# Batches of one stream at a time, before the others have their turn and time is looked at.
BATCHES = 64


class Live:
    """One live analysis: say what to read, `run` until it ends or `stop`, then `finish`, then `close`."""

    def __init__(
        self,
        kernels: Kernels,
        *,
        idle_after: int,
        notify: Callable[[str], None],
        most: int,
        split_tunnels: bool = False,
    ) -> None:
        """`notify` is told what concerns the capturing; at most so many connections stay in memory."""
        self.intake = Intake(kernels, notify, split_tunnels=split_tunnels)
        self.captures: list[CaptureFacts] = self.intake.captures
        self.listeners: list[Callable[[Sequence[Event]], None]] = []  # each is told what is new, in order of time
        self.sockets: HostSockets | None = None  # of the host whose interfaces are captured on
        self.observers: list[Callable[[], None]] = []  # each is called several times a second
        self._idle_after = idle_after
        self._tracker = Tracker(kernels, files=MAX_INPUTS)
        self._memory = Memory(self._tracker, notify, most)
        self._clock = Clock()
        self._watch = Watch(self._tracker, self._measure, self._context, idle_after)
        self._surveys, self._survey = Surveys(), Pace(SURVEY_EVERY_S)
        self._wake_reading, self._wake_writing = os.pipe()
        for descriptor in (self._wake_reading, self._wake_writing):
            os.set_blocking(descriptor, False)
        self._pause = Pause()
        self._stopped = False
        self._looked = 0.0
        self._unseen = 0  # packets since then
        self._replayed = 0  # capture time of the last look at a replay

    @property
    def digits(self) -> int:
        """Decimals of a second that the captures resolve."""
        return max((capture.digits for capture in self.captures), default=6)

    def frame_text(self, frame: int) -> str:
        """A frame number as it is shown."""
        return frame_text(frame, len(self.captures))

    def capture(self, capturers: Capturers) -> None:
        """Capture on interfaces; see `Intake.capture`."""
        self._clock.capturing()
        self.intake.capture(capturers)

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._tracker.use(kernels)
        self.intake.use(kernels)

    @property
    def status(self) -> Status:
        """How it stands."""
        living, now = self._tracker.living(), self._clock.now()
        return Status(
            now=now,
            packets=sum(facts.packets for facts in self.captures),
            streams=self._tracker.streams,
            connections=len(living.flows),
            idle=silent(living, now - self._idle_after),
            left_open=self._memory.left_open,
            dropped=self.intake.dropped,
            lag=self._clock.lag / SECOND,
        )

    def present(self, most: int | None = None) -> tuple[Analysis, Column]:
        """What the connections in memory show now, and their numbers; of more than `most` those that say most.

        It is to be used before more is read.
        """
        tracks, numbers = self._tracker.living(), self._tracker.numbers()
        if most is not None and len(tracks.flows) > most:
            streams = np.flatnonzero(~least_interesting(tracks, np.zeros(len(tracks.flows), bool), most))
            tracks, _ = self._tracker.extract(streams)
            numbers = numbers[streams]
        return self._analysis(self._measure(tracks, self._clock.now())), numbers

    def stop(self, *_: object) -> None:
        """End soon: may be called at any time, as by a signal's handler."""
        self._stopped = True
        self.wake()

    def wake(self) -> None:
        """Wait no longer for packets, if nothing comes: may be called by any thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_writing, b"x")

    def run(self, until: float | None = None) -> None:
        """Read until all streams have ended, `stop`, or so late by the monotonic clock."""
        while self.intake.goes_on and not self._stopped:
            left = LOOK_EVERY_S if until is None else min(LOOK_EVERY_S, until - time.monotonic())
            if left <= 0:
                break
            for lane in self.intake.ready(left, self._wake_reading):
                before = lane.reader.octets_read
                if self._take(lane, BATCHES):
                    self.intake.more(lane)
                self._pause.read(lane.reader.octets_read - before, lane.reader.room)
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_reading, WAKES)
            self.intake.renew(partial(self._take, batches=None))
            self._ask_host()
            self._look()
            self._survey_all()
            for observe in list(self.observers):
                observe()
            self._relieve()
            time.sleep(min(self._pause.next(), left))
        self._ask_host(last=True)
        self._look(early=True)
        self._relieve()
        for lane, ends in self.intake.drain():
            self._take(lane, None if ends else BATCHES)
        self._look(last=True)

    def _take(self, lane: Lane, batches: int | None) -> bool:
        """Read what is there of one stream, so many batches at most; whether there is more."""
        taken = 0
        while batches is None or (taken < batches and not self._memory.crowded and self._unseen < LOOK_PACKETS):
            taken += 1
            if not lane.advance():
                self.intake.ended(lane)
                return False
            if lane.reader.waits:
                return False
            self._track(lane.packets)
            if lane.reader.facts.last_time is not None:
                self._clock.packet(lane.reader.facts.last_time)
        return True

    def _track(self, packets: Packets) -> None:
        """Track them; of a replay a part at a time, so that events come when time, not the next read, brings them."""
        start = 0
        for stop, now in self._cuts(packets) if self.listeners else ():
            self._feed(packets, start, stop)
            self._clock.packet(now)
            if self._watch.waits(now):
                self._tell(self._watch.look(now))
            start = stop
        self._feed(packets, start, packets.size)

    def _feed(self, packets: Packets, start: int, stop: int) -> None:
        self._tracker.feed(packets, start, stop)
        if self.listeners and start < stop:
            self._unseen += stop - start
            self._watch.note(packets, start, stop)

    def _cuts(self, packets: Packets) -> Iterator[tuple[int, int]]:
        """The packets of a replay before which it is time for a look, and their times."""
        times = packets.rows[TIME : packets.size * PACKET_SIZE : PACKET_SIZE]
        for row, now in enumerate(() if self._clock.live else map(int, times)):
            if now - self._replayed >= REPLAY_LOOK_NS:
                self._replayed = now
                yield row, now

    def _relieve(self) -> None:
        """Have leave memory what can, if it is time to; what there is to tell of them is told before."""
        if not self._memory.crowded:
            return
        self._look(early=True)
        stayed = self._memory.relieve(self._clock.now())
        if stayed is not None and self.listeners:
            self._watch.leave(*stayed)

    def _look(self, *, early: bool = False, last: bool = False) -> None:
        """Tell what is new, if it is time to; the last time, all that stands."""
        early |= last or self._unseen >= LOOK_PACKETS
        if not self.listeners or not (early or time.monotonic() - self._looked >= LOOK_EVERY_S):
            return
        self._looked = time.monotonic()
        self._unseen = 0
        self._tell(self._watch.look(self._clock.now(), last=last))

    def _ask_host(self, *, last: bool = False) -> None:
        """Ask for this host's sockets, if it is time to; connections of which it says something new are looked at."""
        if self.sockets is None or not (last or self.sockets.due):
            return
        news = self.sockets.look()
        if self.listeners and len(news):
            self._watch.touch(np.array(list(match(self._tracker.living().flows, news)), np.int64))

    def _survey_all(self) -> None:
        """Tell what is new of several connections together, if it is time to."""
        if self.listeners and self._survey.due:
            with self._survey.step():
                analysis, numbers = self.present(SURVEYED)
                found = find(analysis.context, single=False)
                self._tell(self._surveys.look(found, numbers, self._clock.now()))

    def _tell(self, events: Iterable[Event]) -> None:
        if told := list(events):
            for listener in self.listeners:
                listener(told)

    def finish(self) -> Analysis:
        """What all of it shows; its end is the last packet's time. What has not been told yet of that is told."""
        self.intake.note_counts()
        self._tracker.note_copies(self.captures)
        ends = [facts.last_time for facts in self.captures if facts.last_time is not None]
        end = max(ends, default=0)
        analysis = self._analysis(self._measure(self._tracker.finish(), end, running(self.captures)))
        if self.listeners:
            singles = [finding for finding in analysis.findings if not is_survey(finding)]
            self._tell(self._watch.rest(singles, analysis.flow, end))
            surveyed = [finding for finding in analysis.findings if is_survey(finding)]
            self._tell(self._surveys.look(surveyed, np.arange(len(analysis)), end, last=True))
        return analysis

    def close(self) -> None:
        """Give everything back."""
        self.intake.close()
        self._tracker.close()
        os.close(self._wake_reading)
        os.close(self._wake_writing)

    def _measure(self, tracks: Tracks, end: int, spans: Sequence[Span] = ()) -> Facts:
        facts = measure(tracks, end, spans)
        return facts if self.sockets is None else self.sockets.join(facts)

    def _analysis(self, facts: Facts) -> Analysis:
        return Analysis(self.captures, facts, self._idle_after)

    def _context(self, facts: Facts) -> Context:
        return self._analysis(facts).context
