"""The packets themselves, read a second time: those of chosen connections, in order, with the bytes of each.

The analysis forgets packets; what needs them - charts, annotations, extracts - asks for them here. The captures pass
through the same timeline and the same tracker once more, so that a packet has the stream that the analysis gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from analyzer.capture.kept import Spool, is_pipe
from analyzer.errors import CaptureError, UsageError
from analyzer.kernels import Kernels, octets_of
from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Records
from analyzer.model.second_reading import Raw
from analyzer.pipeline.timeline import Timeline
from analyzer.tables.arrays import Column
from analyzer.tables.fields import (
    CAPLEN,
    FRAME,
    LINK_TYPE,
    OFFSET,
    ORIGLEN,
    PACKET_SIZE,
    RECORD_SIZE,
    STREAM,
    TIME,
)
from analyzer.tables.frames import file_of, number_of
from analyzer.track import Tracker

MOST_HELD = 500_000  # some 100 MB


class Again:
    """The captures of an analysis, to be read once more, or as often as one likes."""

    def __init__(
        self,
        paths: Sequence[str],
        captures: Sequence[CaptureFacts],
        kernels: Kernels,
        spool: Spool | None,
        *,
        split_tunnels: bool,
    ) -> None:
        """`captures` is what they held at first; `spool` has kept what cannot be read twice, if there was one."""
        self._paths = paths
        self._known = captures
        self._packets = [facts.packets for facts in captures]
        self._kernels = kernels
        self._spool = spool
        self._split_tunnels = split_tunnels
        self._pipes = [path for path in paths if is_pipe(path)]
        self._held: dict[int, list[Column]] = {}  # by stream

    def hold(self, streams: Sequence[int]) -> None:
        """Keep the packets of these streams, without their bytes, for all that asks for these or some of them.

        Those of streams with more than MOST_HELD packets together are read anew each time.
        """
        held: dict[int, list[Column]] = {stream: [] for stream in streams}
        count = 0
        for batch in self.batches(streams):
            count += len(batch.rows)
            if count > MOST_HELD:
                return
            for stream in np.unique(batch.rows[:, STREAM]).tolist():
                held[stream].append(batch.rows[batch.rows[:, STREAM] == stream])
        self._held = held

    def records(self, take: Callable[[CaptureFacts, int, Records], None]) -> None:
        """Have all packets taken as they were captured, those of any kind: the facts of a capture, its index, a batch.

        Of several captures that overlap the batches come as they are read. Raises UsageError as `batches` does.
        """

        def keep(index: int, records: Records) -> None:
            take(timeline.captures[index], index, records)

        timeline = self._timeline(keep)
        for _ in timeline.batches():
            pass

    def batches(self, streams: Sequence[int] | Column) -> Iterator[Batch]:
        """The packets of these streams in order of time, some at a time; second copies of packets are left out.

        Raises UsageError where a capture was a pipe that was not kept, CaptureError where one is not what it was.
        """
        wanted = np.unique(np.asarray(streams, np.int64))
        if len(wanted) and all(stream in self._held for stream in wanted.tolist()):
            pieces = [rows for stream in wanted.tolist() for rows in self._held[stream]]
            if pieces:
                rows = np.concatenate(pieces)
                yield Batch(rows[np.argsort(rows[:, TIME], kind="stable")], _AtHand())
            return
        at_hand = _AtHand()
        timeline = self._timeline(at_hand.keep)
        tracker = Tracker(self._kernels, files=len(timeline.captures), same_traffic=timeline.same_traffic)
        for packets in timeline.batches():
            tracker.feed(packets)
            rows = np.asarray(packets.rows[: packets.size * PACKET_SIZE], np.int64).reshape(-1, PACKET_SIZE)
            rows = rows[np.isin(rows[:, STREAM], wanted)]
            if len(rows):
                yield Batch(rows, at_hand)
        for facts, count in zip(timeline.captures, self._packets, strict=False):
            if facts.packets < count:  # it may have grown: that is not ours
                raise CaptureError("it has changed since it was read first", path=facts.path)

    def _timeline(self, keep: Callable[[int, Records], None]) -> Timeline:
        """The captures from their beginnings."""
        if self._spool is not None:
            self._spool.replay()
        elif self._pipes:
            raise UsageError(f"{self._pipes[0]} cannot be read a second time: its packets were to be kept (spool)")
        return Timeline(
            self._paths,
            self._kernels,
            split_tunnels=self._split_tunnels,
            spool=self._spool,
            keep=keep,
            known=self._known,
        )


class Batch:
    """Some packets: `rows`, columns as in tables.fields, may be kept; their bytes are there until the next batch."""

    def __init__(self, rows: Column, at_hand: _AtHand) -> None:
        self.rows = rows
        self._at_hand = at_hand

    def raw(self) -> Iterator[Raw]:
        """The bytes of each row."""
        return (self._at_hand.raw(frame) for frame in self.rows[:, FRAME].tolist())


class _AtHand:
    """The records that each capture has in its buffer now, by the capture's index."""

    def __init__(self) -> None:
        self._records: dict[int, tuple[Any, Column, int]] = {}

    def keep(self, index: int, records: Records) -> None:
        """Take note of a batch, before decoding has scapy change what it does not know."""
        rows = np.array(records.rows[: records.size * RECORD_SIZE], np.int64).reshape(-1, RECORD_SIZE)
        self._records[index] = (octets_of(records.buffer), rows, records.first_frame)

    def raw(self, frame: int) -> Raw:
        """The packet of a frame that is at hand."""
        buffer, rows, first = self._records[file_of(frame)]
        row = rows[number_of(frame) - first].tolist()
        octets = bytes(buffer[row[OFFSET] : row[OFFSET] + row[CAPLEN]])
        return Raw(octets, row[ORIGLEN], row[LINK_TYPE])
