"""Several captures as one timeline: read one after another, merged where they overlap, and each packet counted once.

Files are opened when their time comes, so that a rotated set of any length needs the memory of one file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from analyzer.capture import Reader, expand, open_capture
from analyzer.capture.spool import Spool
from analyzer.captured import CaptureFacts, Problem
from analyzer.decode import Decoder
from analyzer.errors import CaptureError
from analyzer.kernels import Kernels
from analyzer.kernels.merge import LANE_AT, LANE_END, LANE_LATEST, LANE_SHIFT, LANE_SIZE
from analyzer.layout import FRAME_BITS, PACKET_SIZE
from analyzer.model import Packets, Records
from analyzer.peek import Peek, find_same_traffic, peek

PEEKED = 400  # packets at the start of each file that are compared with those of the others
MAX_PEEKED_FILES = 16  # above it only first times are looked at
NEVER = 1 << 62


class Lane:
    """One capture on its way through decoding."""

    def __init__(self, index: int, reader: Reader, kernels: Kernels, split_tunnels: bool) -> None:
        self.index = index
        self.reader = reader
        self.shift = reader.facts.clock_shift
        self.latest = -NEVER  # time of the packets taken so far
        self.packets = Packets((), 0)
        self.row = 0  # the first packet not taken yet
        self._frames = index << FRAME_BITS
        self._decoder = Decoder(kernels, split_tunnels=split_tunnels)
        self._batches = reader.batches()
        self.keep: Callable[[Records], None] | None = None  # is given each batch before it is decoded

    def advance(self) -> bool:
        """Decode the next batch, which may hold none of our packets; False at the end of the capture."""
        self.row = 0
        records = next(self._batches, None)
        if records is not None:
            if self.keep is not None:
                self.keep(records)
            self.packets = self._decoder.feed(records._replace(first_frame=records.first_frame + self._frames))
            return True
        self.packets = Packets((), 0)
        self.note_counts()
        return False

    def note_counts(self) -> None:
        """Put into the facts what is known of the format, and what decoding has counted, so far."""
        self.reader.note_format()
        self.reader.facts.tcp_packets = self._decoder.tcp_packets
        self.reader.facts.skipped = self._decoder.skipped
        if self.reader.facts.other_records:
            self.reader.facts.skipped["no_packet"] = self.reader.facts.other_records

    @property
    def horizon(self) -> int:
        """The latest time among the packets read so far."""
        last = self.reader.facts.last_time
        return -NEVER if last is None else last - self.shift

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self.reader.use(kernels)
        self._decoder.use(kernels)
        self.packets = self.packets._replace(rows=kernels.adopt(self.packets.rows))


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
    ) -> None:
        """Find the captures and look at how each begins; one that cannot be read has a problem.

        `spool` keeps what cannot be read twice; `keep` is given a capture's index and each of its batches of records
        before it is decoded.
        """
        self.captures: list[CaptureFacts] = []
        self.octets = 0  # in all files together; 0 where nobody knows
        self._kernels = kernels
        self._split_tunnels = split_tunnels
        self._spool = spool
        self._keep = keep
        self._waiting: list[Peek] = []
        self._lanes: list[Lane] = []
        self._done = 0
        self._pool: Any = kernels.ints(0)
        self._merged: Any = kernels.ints(0)
        named = [found for path in paths for found in named_by(path)]
        for one in named:
            self._look_at(one, alone=len(named) == 1, packets=PEEKED if len(named) <= MAX_PEEKED_FILES else 1)
        find_same_traffic(self._waiting, self.captures)
        self._waiting.sort(key=lambda one: one.start, reverse=True)

    @property
    def same_traffic(self) -> bool:
        """Whether two of the captures hold the same traffic."""
        return any(facts.same_traffic for facts in self.captures)

    @property
    def octets_read(self) -> int:
        """Of `octets`, how many have been read."""
        return self._done + sum(lane.reader.octets_read for lane in self._lanes)

    @property
    def end(self) -> int:
        """The time of the last packet of any kind."""
        ends = [facts.last_time - facts.clock_shift for facts in self.captures if facts.last_time is not None]
        return max(ends, default=0)

    def batches(self) -> Iterator[Packets]:
        """All packets in order of time; each batch is overwritten by the next."""
        while self._have_packets() or self._waiting:
            if self._open_due():
                continue
            first = self._lanes[0]
            if len(self._lanes) == 1 and not first.shift and not first.row:
                yield first.packets
                first.row = first.packets.size
            else:
                yield self._merge()

    def _have_packets(self) -> bool:
        """Whether, now that every open capture has packets at hand or has been closed, there are any."""
        self._lanes = [lane for lane in self._lanes if lane.row < lane.packets.size or self._advance(lane)]
        return bool(self._lanes)

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._kernels = kernels
        self._pool, self._merged = kernels.ints(0), kernels.ints(0)
        for lane in self._lanes:
            lane.use(kernels)

    def _look_at(self, path: str | CaptureError, *, alone: bool, packets: int) -> None:
        index = len(self.captures)
        self.captures.append(CaptureFacts(str(path)))
        try:
            if isinstance(path, CaptureError):
                raise path
            if alone or not Path(path).is_file():  # a pipe cannot be looked at twice
                self._start(index, path)
                self.octets += self._lanes[-1].reader.size_hint
                return
            self.octets += Path(path).stat().st_size
            self._waiting.append(peek(index, path, packets))
        except CaptureError as error:
            self._fail(index, error)

    def _fail(self, index: int, error: CaptureError) -> None:
        self.captures[index].path = error.path
        self.captures[index].problems.append(Problem(error.offset, error.reason))

    def _open_due(self) -> bool:
        """Open the next capture if it begins before the end of what is at hand; return whether one was opened."""
        if not self._waiting:
            return False
        if self._lanes and self._waiting[-1].start > max(lane.horizon for lane in self._lanes):
            return False
        due = self._waiting.pop()
        try:
            self._start(due.index, due.path)
        except CaptureError as error:
            self._fail(due.index, error)
        return True

    def _start(self, index: int, path: str) -> None:
        source = None if self._spool is None else self._spool.open(path)
        reader = open_capture(path, self._kernels, source=source)
        known = self.captures[index]
        reader.facts.same_traffic, reader.facts.clock_shift = known.same_traffic, known.clock_shift
        self.captures[index] = reader.facts
        lane = Lane(index, reader, self._kernels, self._split_tunnels)
        lane.keep = None if self._keep is None else partial(self._keep, index)
        self._lanes.append(lane)
        self._lanes.sort(key=lambda lane: lane.index)  # of packets with one time, those of the file named first

    def _advance(self, lane: Lane) -> bool:
        more = lane.advance()
        if not more:
            self._done += lane.reader.octets_read
        return more

    def _merge(self) -> Packets:
        """The packets at hand in order of time, up to where one capture must be read on."""
        table = self._kernels.ints(len(self._lanes) * LANE_SIZE)
        total = sum(lane.packets.size - lane.row for lane in self._lanes)
        if len(self._pool) < total * PACKET_SIZE:
            self._pool, self._merged = (self._kernels.ints(total * PACKET_SIZE) for _ in range(2))
        start = 0
        for number, lane in enumerate(self._lanes):
            end = start + lane.packets.size - lane.row
            self._pool[start * PACKET_SIZE : end * PACKET_SIZE] = lane.packets.rows[
                lane.row * PACKET_SIZE : lane.packets.size * PACKET_SIZE
            ]
            for field, value in (
                (LANE_AT, start),
                (LANE_END, end),
                (LANE_LATEST, lane.latest),
                (LANE_SHIFT, lane.shift),
            ):
                table[number * LANE_SIZE + field] = value
            start = end
        count = self._kernels.merge(self._pool, table, self._merged)
        for number, lane in enumerate(self._lanes):
            lane.row = lane.packets.size - int(table[number * LANE_SIZE + LANE_END] - table[number * LANE_SIZE])
            lane.latest = int(table[number * LANE_SIZE + LANE_LATEST])
        return Packets(self._merged, count)


def named_by(path: str) -> Sequence[str | CaptureError]:
    """The captures that a path names, or the error that it names none."""
    try:
        return expand(path)
    except CaptureError as error:
        return [error]
