"""Packets -> flow table, probe log and event log; the packets themselves are forgotten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from analyzer.kernels import Ints, Kernels
from analyzer.kernels.track.copies import COPY_WITHIN_NS
from analyzer.model.columns import Packets, Tracks
from analyzer.tables.fields import (
    COPIES,
    COUNTS_SIZE,
    EVENT_COUNT_,
    EVENT_SIZE,
    EVENTS_PER_SEGMENT,
    FLOW_COUNT,
    FLOW_SIZE,
    PROBE_COUNT,
    PROBE_SIZE,
    RECENT_SET,
    RECENT_SETS,
    RECENT_SETS_ACROSS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyzer.model.captures import CaptureFacts
    from analyzer.tables.arrays import Column, Mask
    from analyzer.track.archive import Archive

FIRST_ROOM = 64
# Two captures of one packet, taken at two places: half the shortest time after which a keepalive probe is repeated.
SAME_TRAFFIC_NS = 500_000_000


class Tracker:
    """Owns the tables that the kernels fill, and gives them room."""

    def __init__(self, kernels: Kernels, *, files: int = 1, same_traffic: bool = False) -> None:
        """`same_traffic` says that two of the files do hold the same packets, perhaps some way apart."""
        self._kernels = kernels
        self._flows = kernels.ints(FIRST_ROOM * FLOW_SIZE)
        self._probes = kernels.ints(FIRST_ROOM * PROBE_SIZE)
        self._events = kernels.ints(FIRST_ROOM * EVENT_SIZE)
        self._slots = kernels.ints(4 * FIRST_ROOM)
        self._recent = kernels.ints(RECENT_SET * (RECENT_SETS_ACROSS if same_traffic else RECENT_SETS))
        self._copies = kernels.ints(files * COPIES)
        self._counts = kernels.ints(COUNTS_SIZE)
        self._late = kernels.ints(files * COPIES)  # copies that tracking finds: another table than that of `sift`
        self._across = SAME_TRAFFIC_NS if same_traffic else COPY_WITHIN_NS
        self._seed = int.from_bytes(os.urandom(7))
        self._archive: Archive | None = None

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels, from the same state."""
        self._kernels = kernels
        for name in ("_flows", "_probes", "_events", "_slots", "_recent", "_copies", "_late", "_counts"):
            setattr(self, name, kernels.adopt(getattr(self, name)))

    def feed(self, packets: Packets, start: int = 0, stop: int | None = None) -> None:
        """Sift and track a batch of packets, or its rows from `start` to before `stop`."""
        stop = packets.size if stop is None else stop
        self.sift(packets, start, stop)
        self.track(packets, start, stop)

    def sift(self, packets: Packets, start: int = 0, stop: int | None = None) -> None:
        """Hash the keys of these packets, and sort out second copies.

        This is all that can be done before packets ahead of them are tracked: another thread may do it.
        """
        stop = packets.size if stop is None else stop
        self._kernels.sift(packets.rows, start, stop, self._recent, self._copies, self._across, self._seed)

    def track(self, packets: Packets, start: int = 0, stop: int | None = None) -> None:
        """Track packets that were sifted."""
        stop = packets.size if stop is None else stop
        while True:
            start = self._kernels.track(
                packets.rows,
                start,
                stop,
                self._flows,
                self._slots,
                self._late,
                self._probes,
                self._events,
                self._counts,
            )
            if start == stop:
                return
            self._make_room()

    def note_copies(self, captures: Sequence[CaptureFacts]) -> None:
        """Put into the facts of all files how many second copies of packets they hold, so far."""
        for index, facts in enumerate(captures):
            counted = range(index * COPIES, (index + 1) * COPIES)
            own, facts.shared = (int(self._copies[i] + self._late[i]) for i in counted)
            facts.duplicates = own + facts.shared

    def finish(self) -> Tracks:
        """All tables as arrays, each cut to what is in it; nothing can be tracked after that."""
        from analyzer.track.roles import settle_roles

        return settle_roles(self.living() if self._archive is None else self._archive.finish(self.living()))

    def living(self) -> Tracks:
        """The tables of what is in memory: all there is as long as nothing was told to leave."""
        return Tracks(
            _rows(self._flows, self._counts[FLOW_COUNT], FLOW_SIZE),
            _rows(self._probes, self._counts[PROBE_COUNT], PROBE_SIZE),
            _rows(self._events, self._counts[EVENT_COUNT_], EVENT_SIZE),
        )

    def extract(self, streams: Column) -> tuple[Tracks, Column]:
        """The tables of some streams alone, renumbered from 0; and which rows of the whole log their probes are."""
        from analyzer.track.renumber import extract

        return extract(self.living(), streams)

    def numbers(self) -> Column:
        """The numbers that the connections in memory had at first: those in the final tables."""
        import numpy as np

        count = int(self._counts[FLOW_COUNT])
        return np.arange(count) if self._archive is None else self._archive.numbers(count)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many connections, and how many rows of the probe log, are in memory."""
        return int(self._counts[FLOW_COUNT]), int(self._counts[PROBE_COUNT])

    @property
    def streams(self) -> int:
        """How many connections there have been."""
        return int(self._counts[FLOW_COUNT]) if self._archive is None else self._archive.streams(self.sizes[0])

    def release(self, leaving: Mask, done: Mask) -> tuple[Mask, Mask]:
        """Have these connections leave memory for the disk, and these rows of the probe log; the others move up.

        Returns which connections, and which rows of the probe log, stayed. Raises OSError when the disk takes no
        more: then all stay.
        """
        from analyzer.track.archive import Archive

        if self._archive is None:
            self._archive = Archive()
        kept, *stayed = self._archive.release(self.living(), leaving, done)
        for name, place, rows in zip(
            ("_flows", "_probes", "_events"), (FLOW_COUNT, PROBE_COUNT, EVENT_COUNT_), kept, strict=True
        ):
            setattr(self, name, self._refilled(getattr(self, name), rows, int(self._counts[place]) * rows.shape[1]))
            self._counts[place] = len(rows)
        self._slots = self._kernels.ints(len(self._slots))
        self._kernels.rehash(self._flows, int(self._counts[FLOW_COUNT]), self._slots)
        return stayed[0], stayed[1]

    def close(self) -> None:
        """Give the room on the disk back."""
        if self._archive is not None:
            self._archive.close()

    def _refilled(self, table: Ints, rows: Column, used: int) -> Ints:
        """The table with these rows alone in it, and zeros after them; so many of its words were used."""
        import numpy as np

        flat: Any = np.asarray(table) if self._kernels.compiled else table
        flat[: rows.size] = rows.ravel() if self._kernels.compiled else rows.ravel().tolist()
        flat[rows.size : used] = 0 if self._kernels.compiled else [0] * (used - rows.size)
        return table

    def _make_room(self) -> None:
        self._probes = self._grown(self._probes, self._counts[PROBE_COUNT] + 1, PROBE_SIZE)
        self._events = self._grown(self._events, self._counts[EVENT_COUNT_] + EVENTS_PER_SEGMENT + 1, EVENT_SIZE)
        self._flows = self._grown(self._flows, self._counts[FLOW_COUNT] + 1, FLOW_SIZE)
        if len(self._slots) * FLOW_SIZE < 2 * len(self._flows):  # at most half full: probing stays short
            size = len(self._slots)
            while size * FLOW_SIZE < 2 * len(self._flows):
                size *= 2
            self._slots = self._kernels.ints(size)
            self._kernels.rehash(self._flows, int(self._counts[FLOW_COUNT]), self._slots)

    def _grown(self, table: Ints, rows: int, size: int) -> Ints:
        """The table with room for at least `rows`; growing copies nothing, and room that is not used takes none."""
        return table if rows * size <= len(table) else self._kernels.adopt(table, 2 * len(table))


def _rows(table: Any, count: int, size: int) -> Column:
    """The first `count` rows of a flat table as a two-dimensional array."""
    import numpy as np

    return np.asarray(table[: int(count) * size], np.int64).reshape(-1, size)
