"""All streams of a live analysis: which of them has something, which has ended, and which begins again."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from analyzer.capture import Reader, Source
from analyzer.capture.follow import Rotation
from analyzer.capture.interface.processes import Capturers
from analyzer.capture.interface.rights import is_root
from analyzer.capture.ring import Ring
from analyzer.errors import CaptureError
from analyzer.kernels import Kernels
from analyzer.live.complaints import in_words
from analyzer.live.pace import Pace
from analyzer.live.sources import Capturer, Followed, Input, StandardInput, interfaces_there
from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Records
from analyzer.pipeline.lane import Lane
from analyzer.tables.fields import FILE_BITS

FOLLOW_EVERY_S = 0.1
# A capturer that ended by itself is started again after so long: an interface that was taken down comes back.
AGAIN_AFTER_S = 1.0
ASK_EVERY_S = 10.0
MAX_INPUTS = (1 << FILE_BITS) - 1  # each start of tcpdump, and each file of a directory, is one
Take = Callable[[Lane], bool]  # reads all that a stream has


class Intake:
    """Opens streams and tells which to read; `captures` has what each one is and holds."""

    def __init__(self, kernels: Kernels, notify: Callable[[str], None], *, split_tunnels: bool) -> None:
        """`notify` is told what concerns the capturing itself."""
        self.captures: list[CaptureFacts] = []
        self.ring: Ring | None = None  # where what is captured is kept, if it is
        self._dropped = 0  # of inputs that have ended, how many packets the kernel had no room for
        self._ask = Pace(ASK_EVERY_S)
        self._kernels = kernels
        self._notify = notify
        self._split_tunnels = split_tunnels
        self._lanes: dict[Lane, Input] = {}
        self._behind: set[Lane] = set()  # those with more at hand than was taken
        self._again: dict[str, float] = {}  # interfaces to capture on again, and when
        self._rotation: Rotation | None = None  # a directory whose files are read one after another
        self._capturers: Capturers | None = None
        self._ending = False
        self._begun_as_root = is_root()  # who captures is root's to the end

    @property
    def compiled(self) -> bool:
        """Whether the kernels are machine code."""
        return self._kernels.compiled

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._kernels = kernels
        for lane in self._lanes:
            lane.use(kernels)

    def read_standard_input(self) -> None:
        """Read a stream from there; raises CaptureError when it does not begin as a capture."""
        self.read("standard input", StandardInput())

    def follow(self, path: str) -> None:
        """Read a file that is still being written, or a directory's files as they come.

        Raises CaptureError when a file does not begin as a capture; a directory may be empty as yet.
        """
        if Path(path).is_dir():
            self._rotation = Rotation(path)
        else:
            self.read(path, Followed(path))

    def capture(self, capturers: Capturers) -> None:
        """Capture on all their interfaces.

        Raises CaptureError when that is not possible or not permitted.
        """
        self._capturers = capturers
        for name in capturers.names:
            self._start(name)

    @property
    def dropped(self) -> int:
        """Packets that the kernel had no room for, as far as is known: it is asked every few seconds."""
        return self._dropped + sum(source.dropped for source in self._lanes.values())

    @property
    def goes_on(self) -> bool:
        """Whether there is, or may come, something to read."""
        return bool(self._lanes or self._again or self._rotation)

    def ready(self, wait: float, wake: int) -> Iterator[Lane]:
        """The streams that have something, once one has or so many seconds are over, or `wake` can be read."""
        # The end of a file is no event that could be waited for: it is looked at each time.
        followed = {lane for lane, source in self._lanes.items() if isinstance(source, Followed)}
        descriptors = {source.output.fileno(): lane for lane, source in self._lanes.items() if lane not in followed}
        wait = min(wait, FOLLOW_EVERY_S) if followed else wait
        ready, _, _ = select.select([*descriptors, wake], [], [], 0 if self._behind else wait)
        due = self._behind | followed | {descriptors[one] for one in ready if one in descriptors}
        self._behind.clear()
        yield from due

    def more(self, lane: Lane) -> None:
        """Note that this one has more at hand than was taken."""
        self._behind.add(lane)

    def ended(self, lane: Lane) -> None:
        """A stream has ended, by itself or as it was told."""
        source = self._lanes.pop(lane)
        source.close()
        if source.interface is None:
            return
        if source.dropped:
            self._dropped += source.dropped
            self._notify(f"{source.interface}: {source.dropped} packets dropped by the kernel")
        if not self._ending:
            self._notify(f"{source.interface}: {source.complaint}: capturing again as soon as it can be")
            self._again[source.interface] = time.monotonic() + AGAIN_AFTER_S

    def renew(self, take: Take) -> None:
        """Capture again on interfaces where that ended; of a directory's files go on to the next."""
        if self._ask.due:
            with self._ask.step():
                for source in self._lanes.values():
                    source.ask()
        for name in [name for name, when in self._again.items() if time.monotonic() >= when]:
            try:
                self._start(name)
            except CaptureError:
                self._again[name] = time.monotonic() + AGAIN_AFTER_S
            except ConnectionError as error:
                self._notify(f"{name}: {error}: nothing more is captured there")
                del self._again[name]
            else:
                del self._again[name]
        if self._rotation is not None and not self._behind:
            self._next_file(self._rotation, take)

    def drain(self) -> Iterator[tuple[Lane, bool]]:
        """The streams, which are to end, and of each whether it will: others may go on with theirs."""
        self._ending = True
        for lane, source in list(self._lanes.items()):
            source.stop()
            if source.interface is not None:
                os.set_blocking(source.output.fileno(), True)
            yield lane, source.interface is not None

    def note_counts(self) -> None:
        """Put into the facts of the streams that go on what is known so far."""
        for lane in self._lanes:
            lane.note_counts()

    def close(self) -> None:
        """Give everything back."""
        for source in self._lanes.values():
            source.close()
        if self._capturers is not None:
            self._capturers.close()
        if self.ring is not None:
            self.ring.close()

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
        raise CaptureError(in_words(complaint, name, interfaces_there(), root=self._begun_as_root), path=name)

    def _add_capturer(self, name: str, *, vlan: bool) -> None:
        assert self._capturers is not None
        child = Capturer(name, self._capturers, vlan=vlan)
        try:
            self.read(name, child)
        except CaptureError as error:
            child.close()
            raise CaptureError(child.complaint, path=name) from error

    def read(self, name: str, source: Input) -> None:
        """Read a stream; raises CaptureError when it does not begin as a capture."""
        if len(self.captures) == MAX_INPUTS:  # the tracker's table has no room for more
            raise CaptureError(f"captured {MAX_INPUTS} times: no more", path=name)
        reader = Reader(Source(name, source.output), self._kernels)
        lane = Lane(len(self.captures), reader, self._kernels, self._split_tunnels)
        if self.ring is not None:
            lane.keep = partial(_keep, self.ring, reader.facts)
        if not isinstance(source, Followed):
            os.set_blocking(source.output.fileno(), False)
        self.captures.append(reader.facts)
        self._lanes[lane] = source
        self._behind.add(lane)  # its first bytes have been read to know the format by

    def _next_file(self, rotation: Rotation, take: Take) -> None:
        """Go on to the next file, once the one at hand has been read to where it ends now."""
        path = rotation.next()
        if path is None:
            return
        for lane, source in list(self._lanes.items()):
            source.stop()
            take(lane)
        try:
            self.read(path, Followed(path))
        except CaptureError as error:
            self._notify(str(error))


def _keep(ring: Ring, facts: CaptureFacts, records: Records) -> None:
    ring.write(records, facts.path, facts.digits)
