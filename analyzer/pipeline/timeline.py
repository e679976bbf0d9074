"""Several captures as one timeline: read one after another, merged where they overlap, and each packet counted once.

Files are opened when their time comes, so that a rotated set of any length needs the memory of one file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.capture import expand, open_capture
from analyzer.capture.kept import Spool
from analyzer.errors import CaptureError
from analyzer.kernels import Kernels
from analyzer.model.captures import CaptureFacts, Problem, SameTraffic
from analyzer.model.columns import Packets, Records
from analyzer.pipeline.lane import Lane
from analyzer.pipeline.merging import Merging

if TYPE_CHECKING:
    from analyzer.pipeline.same_traffic.samples import Peek, Sample

JOIN = ("auto", "yes", "no")  # when captures are taken for one traffic: where that is shown, always, never
RESET_NS = 1_000_000  # a clock that was set as well by the beginnings need not be set again


class Timeline:
    """All captures; `captures` has what each one is and holds, in the order in which they were named."""

    def __init__(
        self,
        paths: Sequence[str],
        kernels: Kernels,
        *,
        split_tunnels: bool,
        spool: Spool | None = None,
        keep: Callable[[int, Records], None] | None = None,
        join: str = "auto",
        translated: bool = False,
        known: Sequence[CaptureFacts] = (),
        tables: int = 1,
        larger: int = 1,
    ) -> None:
        """Find the captures and look at how each begins; one that cannot be read has a problem.

        `spool` keeps what cannot be read twice; `keep` is given a capture's index and each of its batches of records
        before it is decoded. `join` is one of JOIN; with `translated` addresses may have been on the way from one
        capture to another. `known` is what an earlier reading found the clocks of all to be, `tables` how many batches
        are used at one time, and `larger` how many times larger they are.
        """
        self.captures: list[CaptureFacts] = []
        self.octets = 0  # in all files together; 0 where nobody knows
        self._kernels = kernels
        self._split_tunnels = split_tunnels
        self._spool = spool
        self._keep = keep
        self._join, self._translated = join, translated
        self._waiting: list[Peek] = []
        self._samples: list[Sample] = []
        self._done = 0
        self._merging = Merging(kernels, self, tables)
        self._tables, self._larger = tables, larger
        named = [found for path in paths for found in named_by(path)]
        for one in named:
            self._look_at(one, files=len(named), compare=join != "no" and not known)
        if known:
            self._adopt(known)
        elif join != "no" and len(self._waiting) > 1:
            self._compare_beginnings()
        self._waiting.sort(key=lambda one: (self._start_of(one), one.index), reverse=True)

    def _start_of(self, one: Peek) -> int:
        return one.start - self.captures[one.index].clock_shift

    def _adopt(self, known: Sequence[CaptureFacts]) -> None:
        """Take over what an earlier reading of the same captures found of their clocks."""
        for facts, before in zip(self.captures, known, strict=False):
            facts.adopt(before)

    def _compare_beginnings(self) -> None:
        """Find captures that hold the same traffic by how they begin; samples of all are taken from now on."""
        from analyzer.pipeline.same_traffic.clocks import find_places
        from analyzer.pipeline.same_traffic.samples import Sample, room_of_each

        samples = [one.sample for one in self._waiting]
        find_places(samples, self.captures, join=self._join, translated=self._translated, whole=False)
        if self._merging.lanes:
            return  # what comes through a pipe cannot be read again
        room = room_of_each(len(samples))
        self._samples = [Sample(one.index, room) for one in self._waiting]

    def reconsider(self) -> bool:
        """Compare all captures as they are now that they have been read; return whether to read them again.

        Then another timeline, which is told what `captures` is now, has them in order.
        """
        from analyzer.pipeline.same_traffic.clocks import find_places

        if not self._samples:
            return False
        before = [(facts.same_traffic, facts.clock_shift) for facts in self.captures]
        samples, self._samples = self._samples, []
        find_places(samples, self.captures, join=self._join, translated=self._translated, whole=True)
        if has_moved(self.captures, before):
            return True
        for facts, (_, shift) in zip(self.captures, before, strict=True):
            facts.clock_shift = shift  # by which its packets were tracked
        return False

    @property
    def same_traffic(self) -> bool:
        """Whether two of the captures hold the same traffic."""
        return any(facts.same_traffic for facts in self.captures)

    @property
    def octets_read(self) -> int:
        """Of `bytes`, how many have been read."""
        return self._done + sum(lane.reader.octets_read for lane in self._merging.lanes)

    @property
    def end(self) -> int:
        """The time of the last packet of any kind."""
        ends = [facts.last_time - facts.clock_shift for facts in self.captures if facts.last_time is not None]
        return max(ends, default=0)

    def batches(self) -> Iterator[Packets]:
        """All packets in order of time; each batch is overwritten when all tables have been used."""
        return self._merging.batches()

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._kernels = kernels
        self._merging.use(kernels)

    def _look_at(self, path: str | CaptureError, *, files: int, compare: bool) -> None:
        index = len(self.captures)
        self.captures.append(CaptureFacts(str(path)))
        try:
            if isinstance(path, CaptureError):
                raise path
            if files == 1 or not Path(path).is_file():  # a pipe cannot be looked at twice
                lane = self._opened(index, path)
                self._merging.add(lane)
                self.octets += lane.reader.size_hint
                return
            from analyzer.pipeline.same_traffic.samples import PEEKED, PEEKED_OF_EACH, peek

            self.octets += Path(path).stat().st_size
            packets = max(min(PEEKED // files, PEEKED_OF_EACH), 1) if compare else 1
            one, self.captures[index] = peek(index, path, packets)
            self._waiting.append(one)
        except CaptureError as error:
            self._fail(index, error)

    def _fail(self, index: int, error: CaptureError) -> None:
        self.captures[index].path = error.path
        self.captures[index].problems.append(Problem(error.offset, error.reason))

    def next_is_due(self, horizon: int | None) -> bool:
        """Whether a capture begins before the end of what is at hand, or at all where nothing is."""
        if not self._waiting or horizon is None:
            return bool(self._waiting)
        # Whatever comes out of a capture before another is opened must not depend on how much is read at once.
        return self._start_of(self._waiting[-1]) <= horizon

    def open_next(self) -> Lane | None:
        """Open the capture that begins first."""
        due = self._waiting.pop()
        try:
            return self._opened(due.index, due.path)
        except CaptureError as error:
            self._fail(due.index, error)
            return None

    def has_ended(self, lane: Lane) -> None:
        """Note that nothing is left of a capture."""
        self._done += lane.reader.octets_read

    def _opened(self, index: int, path: str) -> Lane:
        source = None if self._spool is None else self._spool.open(path)
        reader = open_capture(path, self._kernels, source=source, larger=self._larger)
        reader.facts.adopt(self.captures[index])
        self.captures[index] = reader.facts
        lane = Lane(index, reader, self._kernels, self._split_tunnels, self._tables)
        lane.keep = None if self._keep is None else partial(self._keep, index)
        lane.sample = next((sample for sample in self._samples if sample.index == index), None)
        return lane


def has_moved(captures: Sequence[CaptureFacts], before: Sequence[tuple[SameTraffic | None, int]]) -> bool:
    """Whether captures are not where they were before: of other traffic, or by other clocks."""
    return any(
        facts.world or (facts.same_traffic is None) != (same is None) or abs(facts.clock_shift - shift) > RESET_NS
        for facts, (same, shift) in zip(captures, before, strict=True)
    )


def named_by(path: str) -> Sequence[str | CaptureError]:
    """The captures that a path names, or the error that it names none."""
    try:
        return expand(path)
    except CaptureError as error:
        return [error]
