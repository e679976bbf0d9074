"""The rooms in order: octets to Records to Packets to tables to Facts to Findings, one short loop for all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from analyzer.capture import Reader, open_capture
from analyzer.decode import Decoder
from analyzer.errors import CaptureError, UsageError
from analyzer.kernels import cached, compiled, plain
from analyzer.layout import FRAME_BITS
from analyzer.model import SEVERITIES, CaptureFacts, Facts, Finding, Flow, Problem
from analyzer.track import Tracker

if TYPE_CHECKING:
    from analyzer.diagnose import Context
    from analyzer.model import Column

NANO = 1_000_000_000
IDLE_AFTER_S = 10.0
ENGINES = ("auto", "plain", "compiled")
# Where compiling pays: importing numba and loading the machine code costs as much as this many packets take plain;
# compiling afresh as much as these. Measured in tests/benchmarks.
WARM_PACKETS = 15_000
COLD_PACKETS = 500_000
SMALL_RECORD = 90  # octets: no fewer packets than size / this are in a file that is worth compiling for


class Analysis:
    """What one or several captures show: `captures`, `flows`, `findings`."""

    def __init__(self, captures: list[CaptureFacts], facts: Facts, idle_after: int) -> None:
        self.captures = captures
        self.facts = facts
        self.idle_after = idle_after

    @cached_property
    def verdicts(self) -> list[str]:
        """The verdict of each connection, by stream."""
        from analyzer.diagnose import judge

        return judge(self.facts, self.idle_after)

    @cached_property
    def findings(self) -> list[Finding]:
        """What is worth telling, each with its evidence."""
        from analyzer.diagnose import find

        return find(self.verdicts, self.flow, self.context)

    @property
    def flows(self) -> Iterator[Flow]:
        """All connections, made one by one."""
        return (self.flow(stream) for stream in range(len(self)))

    def __len__(self) -> int:
        return len(self.facts)

    def flow(self, stream: int) -> Flow:
        """One connection."""
        from analyzer.measure import make_flow

        client, server, end = self._probe_bounds[2 * stream : 2 * stream + 3].tolist()
        rows = (self._probe_rows[client:server], self._probe_rows[server:end])
        return make_flow(self.facts, stream, self.verdicts[stream], rows)

    @cached_property
    def severities(self) -> dict[str, str]:
        """How urgent each verdict is."""
        from analyzer.diagnose import VERDICTS

        return {verdict.word: verdict.severity for verdict in VERDICTS}

    def worst_first(self, streams: list[int]) -> list[int]:
        """These streams, those with the most urgent verdict first."""
        order = sorted(self.severities, key=lambda word: -SEVERITIES.index(self.severities[word]))
        rank = {word: place for place, word in enumerate(order)}
        return sorted(streams, key=lambda stream: rank[self.verdicts[stream]])

    def verdict_counts(self, streams: list[int]) -> dict[str, int]:
        """How many of these streams have each verdict, the most urgent first."""
        counts = Counter(self.verdicts[stream] for stream in self.worst_first(streams))
        return dict(counts)

    def frame_text(self, frame: int) -> str:
        """A frame number, with its file's index before it when there are several files."""
        number = str(frame & ((1 << FRAME_BITS) - 1))
        return number if len(self.captures) == 1 else f"{frame >> FRAME_BITS}:{number}"

    @property
    def digits(self) -> int:
        """Decimals of a second that the captures resolve."""
        return max((capture.digits for capture in self.captures), default=6)

    @property
    def context(self) -> Context:
        """What rules may ask."""
        from analyzer.diagnose import Context

        return Context(self.facts.end, self.frame_text)

    @cached_property
    def _probe_rows(self) -> Column:
        """The keepalive rows of the probe log, each prober's together and in order."""
        import numpy as np

        from analyzer.layout import PROBER
        from analyzer.model import ProbeKind

        rows = self.facts.tracks.probes[self.facts.probe_kind == ProbeKind.KEEPALIVE]
        ordered: Column = rows[np.argsort(rows[:, PROBER], kind="stable")]
        return ordered

    @cached_property
    def _probe_bounds(self) -> Column:
        """Where each prober's rows begin."""
        import numpy as np

        from analyzer.layout import PROBER

        return np.searchsorted(self._probe_rows[:, PROBER], np.arange(2 * len(self) + 1))


def analyze(
    *paths: str,
    idle_after_s: float = IDLE_AFTER_S,
    engine: str = "auto",
    notify: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Analysis:
    """Analyse one or several captures as one timeline; `-` is standard input.

    `engine` is `plain`, `compiled`, or `auto`: compiled where that is faster. `notify` is told what takes long,
    `progress` how many octets have been read of how many (0: nobody knows).
    Raises UsageError, or CaptureError when none of the captures could be read.
    """
    if not paths:
        raise UsageError("no capture was named")
    if engine not in ENGINES:
        raise UsageError(f"engine {engine!r} is none of {', '.join(ENGINES)}")
    run = _Run(engine, notify, progress)
    for path in paths:
        run.open(path)
    run.read_all()
    return run.finish(int(idle_after_s * NANO))


class _Run:
    """One analysis under way."""

    def __init__(self, engine: str, notify: Callable[[str], None], progress: Callable[[int, int], None]) -> None:
        self._notify = notify
        self._progress = progress
        self._octets = 0
        self._may_switch = engine == "auto"
        self._kernels = compiled(notify) if engine == "compiled" else plain()
        self._worth_compiling = 0
        if self._may_switch:
            self._worth_compiling = WARM_PACKETS if cached() else COLD_PACKETS
        self._decoder = Decoder(self._kernels)
        self._tracker = Tracker(self._kernels)
        self._readers: list[Reader] = []
        self._unreadable: list[tuple[int, CaptureError]] = []
        self._named = 0
        self._packets = 0

    def open(self, path: str) -> None:
        """Open one capture; what cannot be read is remembered, for others may be."""
        index = self._named
        self._named += 1
        try:
            self._readers.append(open_capture(path, self._kernels))
        except CaptureError as error:
            self._unreadable.append((index, error))

    def read_all(self) -> None:
        """Read the captures to their ends, in order of time."""
        if not self._readers:
            raise self._unreadable[0][1]
        self._total = sum(reader.size_hint for reader in self._readers)
        if self._may_switch and self._total > self._worth_compiling * SMALL_RECORD:
            self._switch()
        for index, reader in enumerate(self._readers):
            self._read(index, reader)

    def _read(self, index: int, reader: Reader) -> None:
        self._decoder.start_capture()
        before = self._tracker.duplicates
        for records in reader.batches():
            first_frame = records.first_frame + (index << FRAME_BITS)
            self._tracker.feed(self._decoder.feed(records._replace(first_frame=first_frame)))
            self._packets += records.size
            self._progress(self._octets + reader.octets_read, self._total)
            if self._may_switch and self._packets > self._worth_compiling:
                self._switch()
                reader.use(self._kernels)
        self._octets += reader.octets_read
        facts = reader.facts
        facts.tcp_packets = self._decoder.tcp_packets
        facts.skipped = self._decoder.skipped
        facts.duplicates = self._tracker.duplicates - before

    def _switch(self) -> None:
        """Go on compiled, at a batch boundary; where numba cannot be had, everything works plain."""
        self._may_switch = False
        try:
            self._kernels = compiled(self._notify)
        except ImportError as error:
            self._notify(f"numba is not available ({error}): continuing without it, slowly")
            return
        self._decoder.use(self._kernels)
        self._tracker.use(self._kernels)
        for reader in self._readers:
            reader.use(self._kernels)

    def finish(self, idle_after: int) -> Analysis:
        """Measure what was tracked."""
        from analyzer.measure import measure

        captures = [reader.facts for reader in self._readers]
        for index, error in self._unreadable:
            facts = CaptureFacts(error.path, problems=[Problem(error.offset, error.reason)])
            captures.insert(index, facts)
        end = max((facts.last_time for facts in captures if facts.last_time is not None), default=0)
        return Analysis(captures, measure(self._tracker.finish(), end), idle_after)
