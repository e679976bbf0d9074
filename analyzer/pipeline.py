"""The rooms in order: octets to Records to Packets to tables to Facts to Findings, one short loop for all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from analyzer.capture import Reader, open_capture
from analyzer.decode import Decoder
from analyzer.errors import CaptureError, UsageError
from analyzer.kernels import Kernels, cached, compiled, plain
from analyzer.layout import FRAME_BITS, PACKET_SIZE, TIME
from analyzer.model import SEVERITIES, CaptureFacts, Facts, Finding, Flow, Packets, Problem
from analyzer.track import Tracker

if TYPE_CHECKING:
    from analyzer.diagnose import Context

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

        return make_flow(self.facts, stream, self.verdicts[stream])

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
    if not 0 <= idle_after_s < float("inf"):
        raise UsageError(f"{idle_after_s} s is no time to be idle")
    if engine not in ENGINES:
        raise UsageError(f"engine {engine!r} is none of {', '.join(ENGINES)}")
    run = _Run(engine, notify, progress)
    for path in paths:
        run.open(path)
    run.read_all()
    return run.finish(int(idle_after_s * NANO))


class _Lane:
    """One capture on its way through decoding; several lanes are merged by time."""

    def __init__(self, index: int, reader: Reader, kernels: Kernels) -> None:
        self.reader = reader
        self._frames = index << FRAME_BITS
        self._decoder = Decoder(kernels)
        self._batches = reader.batches()
        self._packets = Packets((), 0)
        self._row = 0

    def advance(self) -> bool:
        """Decode the next batch that holds packets; False at the end of the capture."""
        self._row = 0
        for records in self._batches:
            self._packets = self._decoder.feed(records._replace(first_frame=records.first_frame + self._frames))
            if self._packets.size:
                return True
        self.reader.facts.tcp_packets = self._decoder.tcp_packets
        self.reader.facts.skipped = self._decoder.skipped
        return False

    @property
    def time(self) -> int:
        """The time of the next packet."""
        return int(self._packets.rows[self._row * PACKET_SIZE + TIME])

    def feed(self, tracker: Tracker, until: int | None) -> bool:
        """Track the packets at hand, those up to `until` if a time is given; return whether more can follow."""
        start, self._row = self._row, self._packets.size
        if until is not None:
            self._row = start + 1
            while self._row < self._packets.size and self.time <= until:
                self._row += 1
        before = tracker.duplicates
        tracker.feed(self._packets, start, self._row)
        self.reader.facts.duplicates += tracker.duplicates - before
        return self._row < self._packets.size or self.advance()

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self.reader.use(kernels)
        self._decoder.use(kernels)
        self._packets = self._packets._replace(rows=kernels.adopt(self._packets.rows))


class _Run:
    """One analysis under way."""

    def __init__(self, engine: str, notify: Callable[[str], None], progress: Callable[[int, int], None]) -> None:
        self._notify = notify
        self._progress = progress
        self._may_switch = engine == "auto"
        self._kernels = compiled(notify) if engine == "compiled" else plain()
        self._tracker = Tracker(self._kernels)
        self._lanes: list[_Lane] = []
        self._captures: list[CaptureFacts] = []

    def open(self, path: str) -> None:
        """Open one capture; what cannot be read is noted, for others may be."""
        try:
            reader = open_capture(path, self._kernels)
        except CaptureError as error:
            self._captures.append(CaptureFacts(error.path, problems=[Problem(error.offset, error.reason)]))
        else:
            self._lanes.append(_Lane(len(self._captures), reader, self._kernels))
            self._captures.append(reader.facts)

    def read_all(self) -> None:
        """Read the captures to their ends, as one timeline."""
        size = sum(lane.reader.size_hint for lane in self._lanes)
        self._switch_if_worth_it(size // SMALL_RECORD)
        waiting = [lane for lane in self._lanes if lane.advance()]
        while waiting:
            waiting.sort(key=lambda lane: lane.time)
            until = waiting[1].time if len(waiting) > 1 else None
            if not waiting[0].feed(self._tracker, until):
                del waiting[0]
            self._progress(sum(lane.reader.octets_read for lane in self._lanes), size)
            self._switch_if_worth_it(sum(facts.packets for facts in self._captures))

    def _switch_if_worth_it(self, packets: int) -> None:
        """Go on compiled, at a batch boundary; where numba cannot be had, everything works plain."""
        if not self._may_switch or packets < WARM_PACKETS or (packets < COLD_PACKETS and not cached()):
            return
        self._may_switch = False
        try:
            self._kernels = compiled(self._notify)
        except ImportError as error:
            self._notify(f"numba is not available ({error}): continuing without it, slowly")
            return
        self._tracker.use(self._kernels)
        for lane in self._lanes:
            lane.use(self._kernels)

    def finish(self, idle_after: int) -> Analysis:
        """Measure what was tracked."""
        from analyzer.measure import measure

        if all(facts.problems and facts.problems[0].offset == 0 and not facts.packets for facts in self._captures):
            *others, last = self._captures
            for facts in others:
                self._notify(str(CaptureError(facts.problems[0].reason, path=facts.path)))
            raise CaptureError(last.problems[0].reason, path=last.path)
        end = max((facts.last_time for facts in self._captures if facts.last_time is not None), default=0)
        return Analysis(self._captures, measure(self._tracker.finish(), end), idle_after)
