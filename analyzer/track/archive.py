"""What has left memory: rows of the tracker's tables on disk, each at its number, in files that have no name.

A file without a name is its owner's alone, and gone with the process however that ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from analyzer.model.columns import Tracks
from analyzer.tables.arrays import Column, Mask, are_among
from analyzer.tables.fields import EVENT_ENDPOINT, EVENT_SIZE, FLOW_SIZE, PROBE_BEFORE, PROBE_SIZE
from analyzer.track.renumber import (
    pieces,
    places,
    probe_places,
    probing_streams,
    renumber_events,
    renumber_flows,
    renumber_probes,
    taken,
)

WORD = 8
# Rows so near, in words, are written together with what lies between them: a call costs more than copying that.
NEAR = 1 << 10
# What /tmp holds is often memory; this is a disk, and made for such files (Filesystem Hierarchy Standard 5.15).
ON_DISK = Path("/var/tmp")


class Table:
    """Rows of one table on disk, found by their numbers; and the numbers of the rows that are in memory."""

    def __init__(self, size: int) -> None:
        """`size` is that of a row; raises OSError where no file can be made."""
        folder = None if "TMPDIR" in os.environ or not os.access(ON_DISK, os.W_OK) else ON_DISK
        import tempfile

        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - open as long as this is
        self._size = size
        self._kept = np.zeros(0, np.int64)  # numbers of the rows that were in memory when others last left
        self._next = 0  # what the first row since then is numbered

    def numbers(self, rows: int) -> Column:
        """The numbers of all rows in memory, which are so many."""
        return np.concatenate([self._kept, np.arange(self._next, self._next + rows - len(self._kept))])

    def total(self, rows: int) -> int:
        """How many rows there have been, of which so many are in memory."""
        return self._next + rows - len(self._kept)

    def keep(self, stays: Mask) -> None:
        """Of the rows in memory only these are left there."""
        rows = len(stays)
        kept = self.numbers(rows)[stays]
        self._next = self.total(rows)
        self._kept = kept

    def write(self, numbers: Column, rows: Column) -> None:
        """Put rows at their places; raises OSError when the disk takes no more."""
        begins = np.flatnonzero(np.diff(numbers) * self._size > NEAR) + 1
        for start, end in pairwise([0, *begins.tolist(), len(numbers)]):
            first, last = int(numbers[start]), int(numbers[end - 1])
            lines = rows[start:end]
            if last - first >= len(lines):
                lines = self._between(first, last)
                lines[numbers[start:end] - first] = rows[start:end]
            octets, at = np.ascontiguousarray(lines).data.cast("B"), first * self._size * WORD
            while octets:  # a disk that fills up takes some of it, then none
                written = os.pwrite(self._file.fileno(), octets, at)
                octets, at = octets[written:], at + written

    def _between(self, first: int, last: int) -> Column:
        """These rows and all between them, as they lie on disk, zeros where none do."""
        octets = bytearray((last - first + 1) * self._size * WORD)
        os.preadv(self._file.fileno(), [octets], first * self._size * WORD)
        return np.frombuffer(octets, np.int64).reshape(-1, self._size)

    def read(self) -> Column:
        """All rows, as an array that lies on the disk; what is changed of it is changed in memory."""
        if not self._file.seek(0, os.SEEK_END):
            return np.zeros((0, self._size), np.int64)
        return np.asarray(np.memmap(self._file, np.int64, "c")).reshape(-1, self._size)

    def room(self, rows: int) -> Column:
        """The same with room for the rows in memory, which are so many, in memory itself."""
        whole = np.zeros((self.total(rows), self._size), np.int64)
        stored = self.read()
        whole[: len(stored)] = stored
        return whole

    def close(self) -> None:
        """Give the room on the disk back."""
        self._file.close()


class Archive:
    """All three tables. The tracker numbers its rows anew when some leave; here each keeps its first number."""

    def __init__(self) -> None:
        """Raises OSError where no file can be made."""
        self._flows, self._probes, self._events = Table(FLOW_SIZE), Table(PROBE_SIZE), Table(EVENT_SIZE)
        self._tables = (self._flows, self._probes, self._events)
        # By the number of a probe in memory: 1 + that of the same prober's probe before, which is on disk.
        self._before: dict[int, int] = {}

    def numbers(self, streams: int) -> Column:
        """What the connections in memory, which are so many, were numbered at first."""
        return self._flows.numbers(streams)

    def streams(self, living: int) -> int:
        """How many connections there have been, of which so many are in memory."""
        return self._flows.total(living)

    def release(self, whole: Tracks, leaving: Mask, done: Mask) -> tuple[Tracks, Mask, Mask]:
        """Write connections to disk, and of those that stay the probes that are `done`.

        Returns the tables of what stays, which connections those are, and which rows of the probe log. The flows are
        moved within `whole`. Raises OSError when the disk takes no more, with nothing changed.
        """
        stays = ~leaving
        probe_stays = stays[probing_streams(whole)] & ~done
        event_stays = stays[whole.events[:, EVENT_ENDPOINT] >> 1]
        for table, numbers, rows in self._numbered(whole, leaving, ~probe_stays, ~event_stays):
            table.write(numbers, rows)
        self._note_cuts(whole, probe_stays)
        stream_to, probe_to = places(stays), probe_places(np.flatnonzero(probe_stays), len(whole.probes))
        for start, rows in pieces(np.flatnonzero(stays)):
            whole.flows[start : start + len(rows)] = renumber_flows(taken(whole.flows, rows), stream_to, probe_to)
        probes = renumber_probes(whole.probes[probe_stays], stream_to, probe_to)
        events = renumber_events(whole.events[event_stays], stream_to)
        for table, kept in zip(self._tables, (stays, probe_stays, event_stays), strict=True):
            table.keep(kept)
        return Tracks(whole.flows[: np.count_nonzero(stays)], probes, events), stays, probe_stays

    def finish(self, living: Tracks) -> Tracks:
        """All there ever was, numbered as it was at first, given what is in memory."""
        everything = [np.ones(len(table), bool) for table in living]
        try:
            for table, numbers, rows in self._numbered(living, *everything):
                table.write(numbers, rows)
            return Tracks(*[table.read() for table in self._tables])
        except OSError:  # the disk is full
            whole = {table: table.room(len(rows)) for table, rows in zip(self._tables, living, strict=True)}
            for table, numbers, rows in self._numbered(living, *everything):
                whole[table][numbers] = rows
            return Tracks(*whole.values())

    def close(self) -> None:
        """Give the room on the disk back."""
        for table in self._tables:
            table.close()

    def _numbered(
        self, whole: Tracks, flows: Mask, probes: Mask, events: Mask
    ) -> Iterator[tuple[Table, Column, Column]]:
        """These rows of the tables in memory, some at a time, by the numbers that all had at first."""
        stream_to, probe_numbers = self.numbers(len(whole.flows)), self._probes.numbers(len(whole.probes))
        probe_to = np.concatenate([[0], probe_numbers + 1])
        event_numbers = self._events.numbers(len(whole.events))
        for _, rows in pieces(np.flatnonzero(flows)):
            yield self._flows, stream_to[rows], renumber_flows(taken(whole.flows, rows), stream_to, probe_to)
        for _, rows in pieces(np.flatnonzero(probes)):
            numbers = probe_numbers[rows]
            written = renumber_probes(taken(whole.probes, rows), stream_to, probe_to)
            for place in np.flatnonzero(written[:, PROBE_BEFORE] == 0).tolist():
                written[place, PROBE_BEFORE] = self._before.get(int(numbers[place]), 0)
            yield self._probes, numbers, written
        for _, rows in pieces(np.flatnonzero(events)):
            yield self._events, event_numbers[rows], renumber_events(taken(whole.events, rows), stream_to)

    def _note_cuts(self, whole: Tracks, stays: Mask) -> None:
        """Remember which probe was before one that stays, where that one leaves."""
        numbers = self._probes.numbers(len(stays))
        before = whole.probes[:, PROBE_BEFORE] - 1
        before_them = np.array(list(self._before), np.int64)
        still = before_them[are_among(before_them, numbers[stays])].tolist()
        cut = np.flatnonzero(stays & (before >= 0) & ~stays[before])
        new = zip(numbers[cut].tolist(), (numbers[before[cut]] + 1).tolist(), strict=True)
        self._before = {number: self._before[number] for number in still} | dict(new)
