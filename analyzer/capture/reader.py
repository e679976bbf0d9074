"""One capture file: its bytes pass through a buffer, and each batch of whole records in it is handed on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Protocol

from analyzer.capture.formats.pcap import PcapFormat, is_pcap
from analyzer.capture.formats.pcapng import PcapngFormat, is_pcapng
from analyzer.capture.formats.snoop import SnoopFormat, is_snoop
from analyzer.capture.source import Source, open_source
from analyzer.errors import CaptureError
from analyzer.kernels import Buffer, Ints, Kernels
from analyzer.kernels.records import NEED_ROOM
from analyzer.model.captures import WATCH_NS, CaptureFacts, ClockStep, Problem
from analyzer.model.columns import Records
from analyzer.tables.fields import RECORD_SIZE, RECORD_TIME

BUFFER_SIZE = 1 << 20
# Records handed on at a time: their packets' rows, 200 bytes each, stay in the second-level cache of a processor.
BATCH = 2048
# Bytes in the buffer for each record of a batch, at least: with a snaplen of 96 what is read at once is one batch.
RECORD_ROOM = 100
MAGIC_SIZE = 8  # enough to know a format by
SHORTEST_MAGIC = 4
# Queues of a network card and interfaces of a host may be out of order by milliseconds; this is a clock that was set.
CLOCK_STEP_NS = 500_000_000
MAX_CLOCK_STEPS = 20


class Format(Protocol):
    """What a capture file format adds to the reader: its header, and where records lie."""

    name: str
    digits: int
    link_types: list[str]
    other_records: int  # met since they were last counted: numbered as frames by Wireshark, but no packets
    problems: list[tuple[int, str]]  # met and passed since they were last taken: offset in the buffer, reason

    lost: bool  # after damage nothing has made sense so far

    @property
    def times(self) -> tuple[int, int, int, int]:
        """Of the records found last: the time before them, the earliest, the latest, and how far back one steps."""

    @property
    def unfinished(self) -> tuple[int, int]:
        """Of something that is being passed over: bytes passed, bytes still to come."""

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""

    def scan(self, buffer: bytearray, octets: Buffer, start: int, end: int, records: Ints) -> tuple[int, int, int]:
        """Find records in [start, end); return why it stopped, where it stopped, and how many there are.

        Kernels see the buffer as `octets`.

        Each takes RECORD_SIZE words of `records`; why is NEED_MORE, NEED_ROOM, ... (`kernels/records.py`).
        Raises CaptureError, its offset relative to the buffer, where the bytes make no sense.
        """


class Reader:
    """Reads one capture; `facts` fills up on the way."""

    def __init__(self, source: Source, kernels: Kernels, batch: int | None = None, larger: int = 1) -> None:
        """Batches are of so many records, or of BATCH, or so many times larger."""
        self._batch = (batch or BATCH) * larger
        self._source = source
        self._buffer = bytearray(max(BUFFER_SIZE, self._batch * RECORD_ROOM if larger > 1 else 0))
        self._start = 0
        self._end = 0
        self.waits = False  # nothing is there now, and more may come
        self._consumed = 0  # bytes of the stream before the buffer's first
        self.facts = CaptureFacts(source.path)
        self._fill(MAGIC_SIZE)
        magic = bytes(self._buffer[: self._end][:MAGIC_SIZE])
        self._format: Format
        if is_pcap(magic):
            self._format = PcapFormat()
        elif is_snoop(magic):
            self._format = SnoopFormat()
        elif is_pcapng(magic):
            self._format = PcapngFormat()
        else:
            raise CaptureError(source.damage or _not_a_capture(magic), path=source.path)
        self.use(kernels)

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._kernels = kernels
        self._records = kernels.ints(self._batch * RECORD_SIZE)
        self._octets = kernels.view(self._buffer)
        self._format.use(kernels)

    def shorten(self, batch: int) -> None:
        """Have batches of at most so many records from now on, or of one."""
        self._batch = max(batch, 1)
        self._records = self._kernels.ints(self._batch * RECORD_SIZE)

    @property
    def size_hint(self) -> int:
        """Bytes in the file as it lies on disk; 0 where nobody can say."""
        return self._source.size_hint

    @property
    def room(self) -> int:
        """Bytes that the pipe holds which they come through; 0 where it is none."""
        return self._source.room

    @property
    def octets_read(self) -> int:
        """Bytes of the file as it lies on disk that have been read so far."""
        return self._source.octets_read

    def batches(self) -> Iterator[Records]:
        """All records, in batches that are overwritten by the next; damage ends them and is noted in `facts`.

        A batch is empty where a stream that was made not to wait has nothing now.
        """
        facts = self.facts
        try:
            yield from self._scan()
            while self._more():
                if self.waits:
                    yield Records(self._octets, self._records, 0, facts.packets + 1)
                else:
                    yield from self._scan()
            self._note_end()
        except CaptureError as error:
            facts.problems.append(Problem(self._consumed + error.offset, error.reason))
        finally:
            self.note_format()
            self._source.close()

    def note_format(self) -> None:
        """Put into the facts what is known of the format so far."""
        facts = self.facts
        self._count_other_records()
        facts.format = self._format.name + (f" ({self._source.compression})" if self._source.compression else "")
        facts.link_types = list(self._format.link_types)
        facts.digits = self._format.digits

    def close(self) -> None:
        """Read no more."""
        self._source.close()

    def _note_end(self) -> None:
        """The bytes have come to an end: at the end of a record, or not."""
        left = self._end - self._start
        passed, missing = self._format.unfinished
        offset = self._consumed + self._start
        if self._source.damage:
            self.facts.problems.append(Problem(offset, self._source.damage))
        elif left and not self._format.lost:
            reason = f"cut short, or still being written: only {left} bytes of the next record are there"
            self.facts.problems.append(Problem(offset, reason))
        elif missing:
            self.facts.problems.append(Problem(offset - passed, f"cut short: the block here lacks {missing} bytes"))

    def _scan(self) -> Iterator[Records]:
        """The whole records that are in the buffer now."""
        status = NEED_ROOM
        while status == NEED_ROOM:
            status, at, count = self._format.scan(self._buffer, self._octets, self._start, self._end, self._records)
            self.facts.problems += [Problem(self._consumed + at, reason) for at, reason in self._format.problems]
            self._format.problems.clear()
            self._start = at
            if count:
                self._count_other_records()
                first = self.facts.packets + 1
                self.facts.packets += count
                self.facts.digits = self._format.digits
                self._note_times(count, first)
                yield Records(self._octets, self._records, count, first)

    def _count_other_records(self) -> None:
        """Wireshark numbers them, and so do we."""
        facts, count = self.facts, self._format.other_records
        self._format.other_records = 0
        facts.packets += count
        facts.other_records += count

    def _note_times(self, count: int, first: int) -> None:
        """The first and the latest time, and clock steps: records older by more than packets of several queues are."""
        facts = self.facts
        rows: Any = self._records
        times = rows[RECORD_TIME : count * RECORD_SIZE : RECORD_SIZE]
        before, earliest, latest, back = self._format.times
        if facts.first_time is None:
            facts.first_time = int(times[0])
        if earliest // WATCH_NS == latest // WATCH_NS:
            facts.note_span(earliest, latest)
        else:
            for time in map(int, times):
                facts.note_span(time, time)
        if back >= CLOCK_STEP_NS:
            steps = enumerate(time - last for last, time in pairwise([before, *map(int, times)]))
            found = [ClockStep(first + i, step) for i, step in steps if step <= -CLOCK_STEP_NS]
            facts.clock_steps += found[: MAX_CLOCK_STEPS - len(facts.clock_steps)]
        else:
            facts.disorder = max(facts.disorder, back)
        facts.last_time = latest if facts.last_time is None else max(latest, facts.last_time)

    def _more(self) -> bool:
        """Move the tail to the front, make room for the rest of it, and read on; False when there is no more."""
        tail = self._buffer[self._start : self._end]
        self._consumed += self._start
        if len(tail) == len(self._buffer):
            # One record fills the buffer: the formats bound how long a record may be. A new one, since views of the
            # old may still be held.
            self._buffer = bytearray(2 * len(self._buffer))
            self._octets = self._kernels.view(self._buffer)
        self._buffer[: len(tail)] = tail
        self._start, self._end = 0, len(tail)
        return self._fill(1)

    def _fill(self, at_least: int) -> bool:
        """Read until `at_least` more bytes are there, or as many as come at once; False when there are no more."""
        got = 0
        while got < at_least:
            count = self._source.readinto(memoryview(self._buffer)[self._end :])
            self.waits = count is None
            if count is None:
                return True
            if count == 0:
                break
            self._end += count
            got += count
        return got > 0


def open_capture(
    path: str, kernels: Kernels, batch: int | None = None, source: Source | None = None, larger: int = 1
) -> Reader:
    """Open a capture file, or standard input for `-`; `batch` and `larger` are as for Reader.

    `source` has its bytes where it has been opened already. Raises CaptureError when it cannot be read as a capture
    from its first byte on.
    """
    source = source or open_source(path)
    try:
        return Reader(source, kernels, batch, larger)
    except CaptureError:
        source.close()
        raise


def _not_a_capture(magic: bytes) -> str:
    if not magic:
        return "the file is empty"
    if len(magic) < SHORTEST_MAGIC:
        return f"only {len(magic)} bytes, too short for a capture"
    return f"no capture of a known format (pcap, pcapng, snoop): it begins with {magic.hex(' ')}"
