"""The hallway for captures that go on: the same rooms as `pipeline`, and a look at what is new between batches.

Packets are taken as they come; where several interfaces are captured at once, they are not put in order of time.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from analyzer.backend import Backend
from analyzer.capture import Reader, Source
from analyzer.capture.ring import Ring
from analyzer.capture.rotation import Rotation
from analyzer.captured import CaptureFacts
from analyzer.clock import Clock
from analyzer.diagnose import Context
from analyzer.errors import CaptureError
from analyzer.events import Event
from analyzer.inputs import Followed, Input, StandardInput, capturer, interfaces_there, names_of
from analyzer.kernels import Kernels
from analyzer.layout import FILE_BITS
from analyzer.measure import measure
from analyzer.memory import Memory
from analyzer.model import Facts, Records
from analyzer.pipeline import Analysis, frame_text
from analyzer.timeline import Lane
from analyzer.track import Tracker
from analyzer.watch import Watch

LOOK_EVERY_S = 0.25
# Of a stream that comes faster so many packets are looked at together: what is told of them is in memory meanwhile.
LOOK_PACKETS = 1 << 16
FOLLOW_EVERY_S = 0.1
# Batches of one stream at a time, before the others have their turn and time is looked at.
BATCHES = 64
# A tcpdump that ended by itself is started again after so long: an interface that was taken down comes back.
AGAIN_AFTER_S = 1.0
MAX_INPUTS = (1 << FILE_BITS) - 1  # each start of tcpdump, and each file of a folder, is one

NO_SUCH_INTERFACE = ("No such device", "not found")  # as tcpdump and scapy say it


class Live:
    """One live analysis: `run` until its streams end or `stop`, then `finish`, then `close`."""

    def __init__(
        self,
        kernels: Kernels,
        *,
        idle_after: int,
        notify: Callable[[str], None],
        most: int,
        split_tunnels: bool = False,
    ) -> None:
        """`tell`, where it is set, is given each event as it happens; `notify` what concerns the capturing itself."""
        self.captures: list[CaptureFacts] = []
        self._kernels = kernels
        self._split_tunnels = split_tunnels
        self._idle_after = idle_after
        self.tell: Callable[[Event], None] | None = None
        self._notify = notify
        self._tracker = Tracker(kernels, files=MAX_INPUTS)
        self._memory = Memory(self._tracker, notify, most)
        self._clock = Clock()
        self._watch = Watch(self._tracker, self._context, idle_after)
        self._lanes: dict[Lane, Input] = {}
        self._behind: set[Lane] = set()  # those with more at hand than was taken
        self._again: dict[str, float] = {}  # interfaces to capture on again, and when
        self._wanted: str | None = None
        self._backend = Backend.auto
        self._rotation: Rotation | None = None  # a folder whose files are read one after another
        self.ring: Ring | None = None  # where what is captured is kept, if it is
        self._wake_reading, self._wake_writing = os.pipe()
        os.set_blocking(self._wake_writing, False)
        self._stopped = False
        self._looked = 0.0
        self._unseen = 0  # packets since then

    def read_standard_input(self) -> None:
        """Read a stream from there; raises CaptureError when it does not begin as a capture."""
        self._add("standard input", StandardInput())

    def follow(self, path: str) -> None:
        """Read a file that is still being written, or a folder's files as they come.

        Raises CaptureError when a file does not begin as a capture; a folder may be empty as yet.
        """
        if Path(path).is_dir():
            self._rotation = Rotation(path)
            self._next_file()
        else:
            self._add(path, Followed(path))

    def capture(self, names: Sequence[str], wanted: str | None, backend: Backend = Backend.auto) -> None:
        """Capture on interfaces, of TCP only what the filter `wanted` lets through.

        Raises CaptureError when that is not possible or not permitted.
        """
        self._wanted, self._backend = wanted, backend
        self._clock.live = True
        for name in names_of(names, backend):
            self._start(name)

    def _start(self, name: str) -> None:
        """Have an interface captured on; a link type that knows no VLAN tags is captured without."""
        complaint = ""
        for vlan in (True, False):
            try:
                self._add_capturer(name, vlan=vlan)
            except CaptureError as error:
                complaint = error.reason
                if "VLAN" not in complaint:
                    break
            else:
                self._notify(f"{name}: capturing")
                return
        unknown = any(words in complaint for words in NO_SUCH_INTERFACE)
        listed = f"; there are {', '.join(interfaces_there(self._backend))}" if unknown else ""
        raise CaptureError(f"{complaint}{listed}", path=name)

    def _add_capturer(self, name: str, *, vlan: bool) -> None:
        child = capturer(name, self._wanted, self._backend, vlan=vlan)
        try:
            self._add(name, child)
        except CaptureError as error:
            child.close()
            raise CaptureError(child.complaint, path=name) from error

    def _add(self, name: str, source: Input) -> None:
        if len(self.captures) == MAX_INPUTS:  # the tracker's table has no room for more
            raise CaptureError(f"captured {MAX_INPUTS} times: no more", path=name)
        reader = Reader(Source(name, source.output), self._kernels)
        lane = Lane(len(self.captures), reader, self._kernels, self._split_tunnels)
        if self.ring is not None:
            lane.keep = partial(self._keep, self.ring, reader.facts)
        if not isinstance(source, Followed):
            os.set_blocking(source.output.fileno(), False)
        self.captures.append(reader.facts)
        self._lanes[lane] = source
        self._behind.add(lane)  # its first octets have been read to know the format by

    @staticmethod
    def _keep(ring: Ring, facts: CaptureFacts, records: Records) -> None:
        ring.write(records, facts.path, facts.digits)

    @property
    def digits(self) -> int:
        """Decimals of a second that the captures resolve."""
        return max((capture.digits for capture in self.captures), default=6)

    def frame_text(self, frame: int) -> str:
        """A frame number as it is shown."""
        return frame_text(frame, len(self.captures))

    def stop(self, *_: object) -> None:
        """End soon: may be called at any time, as by a signal's handler."""
        self._stopped = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_writing, b"x")

    def run(self, until: float | None = None) -> None:
        """Read until all streams have ended, `stop`, or so late by the monotonic clock."""
        while (self._lanes or self._again or self._rotation) and not self._stopped:
            left = LOOK_EVERY_S if until is None else min(LOOK_EVERY_S, until - time.monotonic())
            if left <= 0:
                break
            # The end of a file is no event that could be waited for: it is looked at each time.
            followed = {lane for lane, source in self._lanes.items() if isinstance(source, Followed)}
            descriptors = {source.output.fileno(): lane for lane, source in self._lanes.items() if lane not in followed}
            left = min(left, FOLLOW_EVERY_S) if followed else left
            ready, _, _ = select.select([*descriptors, self._wake_reading], [], [], 0 if self._behind else left)
            due = self._behind | followed | {descriptors[one] for one in ready if one in descriptors}
            self._behind = {lane for lane in due if self._take(lane, BATCHES)}
            self._start_again()
            self._next_file()
            self._look()
            self._relieve()
        self._drain()
        self._look(last=True)

    def _take(self, lane: Lane, batches: int | None = None) -> bool:
        """Read what is there of one stream, so many batches at most; whether there is more."""
        taken = 0
        while batches is None or (taken < batches and not self._memory.crowded and self._unseen < LOOK_PACKETS):
            taken += 1
            if not lane.advance():
                self._end(lane)
                return False
            if lane.reader.waits:
                return False
            self._tracker.feed(lane.packets)
            if lane.reader.facts.last_time is not None:
                self._clock.packet(lane.reader.facts.last_time)
            if self.tell is not None:
                self._unseen += lane.packets.size
                self._watch.note(lane.packets)
        return True

    def _end(self, lane: Lane) -> None:
        """A stream has ended, by itself or as it was told."""
        source = self._lanes.pop(lane)
        source.close()
        if source.interface is None:
            return
        if source.dropped:
            self._notify(f"{source.interface}: {source.dropped} packets dropped by the kernel")
        if not self._stopped:
            self._notify(f"{source.interface}: {source.complaint}: capturing again as soon as it can be")
            self._again[source.interface] = time.monotonic() + AGAIN_AFTER_S

    def _start_again(self) -> None:
        """Capture again on interfaces where tcpdump ended."""
        for name in [name for name, when in self._again.items() if time.monotonic() >= when]:
            try:
                self._start(name)
            except CaptureError:
                self._again[name] = time.monotonic() + AGAIN_AFTER_S
            else:
                del self._again[name]

    def _next_file(self) -> None:
        """Of a folder's files, go on to the next when the one at hand has been read to where it ends now."""
        if self._rotation is None or self._behind:
            return
        path = self._rotation.next()
        if path is None:
            return
        for lane, source in list(self._lanes.items()):
            source.stop()
            self._take(lane)
        try:
            self._add(path, Followed(path))
        except CaptureError as error:
            self._notify(str(error))

    def _drain(self) -> None:
        """Have the streams end, and take what they still hold."""
        self._stopped = True
        self._relieve()
        for lane, source in list(self._lanes.items()):
            source.stop()
            if source.interface is not None:
                os.set_blocking(source.output.fileno(), True)
                self._take(lane)
            else:
                self._take(lane, BATCHES)

    def _relieve(self) -> None:
        """Have leave memory what can, if it is time to; what there is to tell of them is told before."""
        if not self._memory.crowded:
            return
        self._look(early=True)
        stayed = self._memory.relieve(self._clock.now())
        if stayed is not None and self.tell is not None:
            self._watch.leave(*stayed)

    def _look(self, *, early: bool = False, last: bool = False) -> None:
        """Tell what is new, if it is time to; the last time, all that stands."""
        early |= last or self._unseen >= LOOK_PACKETS
        if self.tell is None or not (early or time.monotonic() - self._looked >= LOOK_EVERY_S):
            return
        self._looked = time.monotonic()
        self._unseen = 0
        for event in self._watch.look(self._clock.now(), last=last):
            self.tell(event)

    def finish(self) -> Analysis:
        """What all of it shows; its end is the last packet's time."""
        for lane in self._lanes:
            lane.note_counts()
        self._tracker.note_copies(self.captures)
        ends = [facts.last_time for facts in self.captures if facts.last_time is not None]
        return Analysis(self.captures, measure(self._tracker.finish(), max(ends, default=0)), self._idle_after)

    def close(self) -> None:
        """Give everything back."""
        for source in self._lanes.values():
            source.close()
        self._tracker.close()
        if self.ring is not None:
            self.ring.close()
        os.close(self._wake_reading)
        os.close(self._wake_writing)

    def _context(self, facts: Facts) -> Context:
        return Analysis(self.captures, facts, self._idle_after).context
