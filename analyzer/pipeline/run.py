"""Captures read to their ends, once or twice: packets to tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.capture import expand
from analyzer.capture.kept import Spool
from analyzer.errors import CaptureError, UsageError
from analyzer.kernels import Kernels, compiled, plain, ready
from analyzer.kernels.warming import Warming
from analyzer.model.captures import CaptureFacts, Span, running
from analyzer.model.columns import Packets, Tracks
from analyzer.model.findings import Apart
from analyzer.pipeline.ahead import AT_ONCE, LARGER, Ahead, meanwhile
from analyzer.pipeline.timeline import JOIN, Timeline
from analyzer.tcp import SECOND
from analyzer.track import Tracker

if TYPE_CHECKING:
    from analyzer.analysis import Analysis

# Compiling takes a few seconds, in another process; so many packets take the plain kernels as long.
WORTH_COMPILING = 100_000
SMALL_RECORD = 90  # bytes: no fewer packets than size / this are in a file that is worth compiling for


class Run:
    """One reading under way, and what it has shown of all captures."""

    def __init__(
        self,
        paths: Sequence[str],
        kernels: Kernels,
        spool: Spool | None,
        notify: Callable[[str], None],
        progress: Callable[[int, int], None],
        options: dict[str, Any],
        *,
        may_switch: bool,
        threads: int,
    ) -> None:
        """`options` are those of Timeline; with `may_switch` the kernels may become compiled ones on the way. With more
        than one of `threads` another thread reads and decodes while this one tracks."""
        self._notify, self._progress = notify, progress
        self._warming: Warming | None = Warming(notify) if may_switch and not kernels.compiled else None
        self._paths, self._options, self._spool = paths, options, spool
        self._threads = threads
        self._stop = False  # whoever waits for the reading does so no longer
        self._has_read = False
        self.kernels = kernels
        self._begin()

    def _begin(self, known: Sequence[CaptureFacts] = ()) -> None:
        """Go to the beginnings of all captures, of which the clocks may be known."""
        options = {**self._options, "spool": self._spool, "known": known}
        if self._threads > 1:
            options |= {"tables": AT_ONCE, "larger": LARGER}
        self._timeline = Timeline(self._paths, self.kernels, **options)
        self.captures = self._timeline.captures
        files, same_traffic = len(self.captures), self._timeline.same_traffic
        self._tracker = Tracker(self.kernels, files=files, same_traffic=same_traffic)

    def read_all(self) -> None:
        """Read the captures to their ends: once more, in another order, where that shows that clocks differ."""
        try:
            if self.kernels.compiled and self._threads > 1:
                meanwhile(partial(self._read_twice, lambda: None), self._prepare, self._tell_progress)
            else:
                self._read_twice(self._tell_progress)
        finally:
            self._stop = True
            if self._warming is not None:
                self._warming.close()
        self._tracker.note_copies(self.captures)

    def _read_twice(self, tell: Callable[[], None]) -> None:
        self._read(tell)
        if self._timeline.reconsider():
            self._begin(self.captures)
            self._read(tell)
        self._has_read = True

    def _prepare(self) -> None:
        """Import what an analysis needs once its captures have been read; read what it may need, if there is time."""
        import analyzer.analysis
        import analyzer.measure
        import analyzer.report.text  # noqa: F401
        from analyzer.diagnose.registry import load_rules
        from analyzer.knowledge.matching import profiles

        load_rules()
        if not self._has_read:
            profiles()

    def _tell_progress(self) -> None:
        self._progress(self._timeline.octets_read, self._timeline.octets)

    def _read(self, tell: Callable[[], None]) -> None:
        """Read once, and `tell` after each batch."""
        batches = self._timeline.batches()
        if not self.kernels.compiled:
            self._read_plain(batches, tell)
        if self.kernels.compiled and self._threads > 1:
            ahead = Ahead(batches, self._tracker.sift)
            try:
                for packets in ahead:
                    self._tracker.track(packets)
                    tell()
                    if self._stop:
                        return
            finally:
                ahead.close()
            return
        for packets in batches:
            self._tracker.feed(packets)
            tell()

    def _read_plain(self, batches: Iterator[Packets], tell: Callable[[], None]) -> None:
        """Read with the plain kernels until there is machine code, if there will be."""
        for packets in batches:
            self._tracker.feed(packets)
            tell()
            if self._warming is not None and self._turned_warm(self._warming):
                return

    def _turned_warm(self, warming: Warming) -> bool:
        """Go on with machine code, if there is some now; have it made, if that is worth it."""
        packets = max(self._timeline.octets // SMALL_RECORD, sum(facts.packets for facts in self.captures))
        kernels = warming.kernels(begin=packets >= WORTH_COMPILING)
        if kernels is None:
            return False
        self.kernels = kernels
        self._tracker.use(kernels)
        self._timeline.use(kernels)
        return True

    def tracks(self) -> tuple[Tracks, int, list[Span]]:
        """The tables that tracking has filled, the time of the last packet of any kind, and when somebody listened."""
        return self._tracker.finish(), self._timeline.end, running(self.captures)


IDLE_AFTER_S = 10.0


LONGEST_S = 1e9  # thirty years; nanoseconds of more would not fit a table


ENGINES = ("auto", "plain", "compiled")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def idle_nanoseconds(idle_after_s: float) -> int:
    """A silence that counts as idle, in nanoseconds; raises UsageError for what no table holds."""
    if not 0 <= idle_after_s < LONGEST_S:
        raise UsageError(f"{idle_after_s} s is no time to be idle")
    return int(idle_after_s * SECOND)


def analyze(
    *named: str | Path | Iterable[str | Path],
    idle_after_s: float = IDLE_AFTER_S,
    split_tunnels: bool = False,
    both_ends: bool = False,
    same_traffic: str = "auto",
    spool: bool = False,
    engine: str = "auto",
    threads: int | None = None,
    notify: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Analysis:
    """Analyse one or several captures, or lists of them, as one timeline; `-` is standard input.

    With `split_tunnels` tunnel ids tell connections apart. With `both_ends` the captures are two, of one path, the
    client's first: what only one of them holds becomes findings. `same_traffic` says when captures are taken for one
    traffic, each packet of which counts once: `auto`, where packets prove it; `yes`, on less; `no`, never. With
    `spool` what comes through a pipe is kept on the disk, so that charts can read its packets a second time. `engine`
    is `plain`, `compiled`, or `auto`: compiled where there is machine code, or will be soon. `threads` is how many
    processors to use at most, all where it is not given; the result is the same. `notify` is told what takes long,
    `progress` how many bytes have been read of how many (0: nobody knows).
    Raises UsageError, or CaptureError when none of the captures could be read.
    """
    several = ([one] if isinstance(one, (str, Path)) else one for one in named)
    paths = tuple(str(path) for some in several for path in some)
    if not paths:
        raise UsageError("no capture was named")
    idle_after = idle_nanoseconds(idle_after_s)
    if engine not in ENGINES:
        raise UsageError(f"engine {engine!r} is none of {', '.join(ENGINES)}")
    if both_ends:
        paths = _both(paths)
    if same_traffic not in JOIN:
        raise UsageError(f"--same-traffic {same_traffic} is none of {', '.join(JOIN)}")
    options = {"split_tunnels": split_tunnels, "join": same_traffic, "translated": both_ends}
    kept = Spool() if spool else None
    kernels = compiled(notify) if engine == "compiled" else (engine == "auto" and ready()) or plain()
    threads = processors() if threads is None else threads
    run = Run(paths, kernels, kept, notify, progress, options, may_switch=engine == "auto", threads=threads)
    run.read_all()
    _check_read(run.captures, notify)
    return _measured(run, paths, kept, idle_after, split_tunnels=split_tunnels, both_ends=both_ends)


def _both(paths: Sequence[str]) -> tuple[str, ...]:
    """The two captures of a path; raises UsageError where they are not two files, or a directory with two."""
    if len(paths) == 1:
        paths = expand(paths[0])
    if len(paths) != 2 or "-" in paths:
        raise UsageError(
            "--both-ends compares two capture files, the client's first: name both, or a directory with these two"
        )
    return tuple(paths)


def _check_read(captures: Sequence[CaptureFacts], notify: Callable[[str], None]) -> None:
    """Raise CaptureError when none of the captures could be read."""
    if all(facts.problems and facts.problems[0].offset == 0 and not facts.packets for facts in captures):
        *others, last = captures
        for facts in others:
            notify(str(CaptureError(facts.problems[0].reason, path=facts.path)))
        raise CaptureError(last.problems[0].reason, path=last.path)


def _measured(
    run: Run, paths: Sequence[str], spool: Spool | None, idle_after: int, *, split_tunnels: bool, both_ends: bool
) -> Analysis:
    """What was tracked, measured, and compared at both ends; raises UsageError where they are not of one path."""
    from analyzer.analysis import Analysis
    from analyzer.measure import measure
    from analyzer.pipeline.second_reading import Again

    facts = measure(*run.tracks())
    apart: Sequence[Apart] = ()
    if both_ends:
        from analyzer.pipeline.both_ends import at_both_ends

        facts, apart = at_both_ends(run.captures, facts, run.kernels, split_tunnels=split_tunnels)
    analysis = Analysis(run.captures, facts, idle_after)
    analysis.apart = apart
    analysis.again = Again(paths, run.captures, run.kernels, spool, split_tunnels=split_tunnels)
    return analysis
