"""Captures read to their ends, once or twice: packets to tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from analyzer.analysis import Analysis
from analyzer.capture import expand
from analyzer.capture.kept import Spool
from analyzer.errors import CaptureError, UsageError
from analyzer.kernels import Kernels, cached, compiled, compiled_if_possible, plain
from analyzer.model.captures import CaptureFacts, Span, running
from analyzer.model.columns import Tracks
from analyzer.model.findings import Apart
from analyzer.pipeline.timeline import JOIN, Timeline
from analyzer.tcp import SECOND
from analyzer.track import Tracker

# Where compiling pays: importing numba and loading the machine code costs as much as this many packets take plain;
# compiling afresh as much as these. Measured in tests/benchmarks.
WARM_PACKETS = 15_000
COLD_PACKETS = 500_000
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
    ) -> None:
        """`options` are those of Timeline; with `may_switch` the kernels may become compiled ones on the way."""
        self._notify, self._progress = notify, progress
        self._may_switch = may_switch
        self._paths, self._options, self._spool = paths, options, spool
        self.kernels = kernels
        self._begin()

    def _begin(self, known: Sequence[CaptureFacts] = ()) -> None:
        """Go to the beginnings of all captures, of which the clocks may be known."""
        self._timeline = Timeline(self._paths, self.kernels, spool=self._spool, known=known, **self._options)
        self.captures = self._timeline.captures
        files, same_traffic = len(self.captures), self._timeline.same_traffic
        self._tracker = Tracker(self.kernels, files=files, same_traffic=same_traffic)

    def read_all(self) -> None:
        """Read the captures to their ends: once more, in another order, where that shows that clocks differ."""
        self._switch_if_worth_it(self._timeline.octets // SMALL_RECORD)
        self._read()
        if self._timeline.reconsider():
            self._begin(self.captures)
            self._read()
        self._tracker.note_copies(self.captures)

    def _read(self) -> None:
        for packets in self._timeline.batches():
            self._tracker.feed(packets)
            self._progress(self._timeline.octets_read, self._timeline.octets)
            self._switch_if_worth_it(sum(facts.packets for facts in self.captures))

    def _switch_if_worth_it(self, packets: int) -> None:
        """Go on compiled, at a batch boundary; where numba cannot be had, everything works plain."""
        if not self._may_switch or packets < WARM_PACKETS or (packets < COLD_PACKETS and not cached()):
            return
        self._may_switch = False
        kernels = compiled_if_possible(self._notify)
        if not kernels.compiled:
            return
        self.kernels = kernels
        self._tracker.use(kernels)
        self._timeline.use(kernels)

    def tracks(self) -> tuple[Tracks, int, list[Span]]:
        """The tables that tracking has filled, the time of the last packet of any kind, and when somebody listened."""
        return self._tracker.finish(), self._timeline.end, running(self.captures)


IDLE_AFTER_S = 10.0


LONGEST_S = 1e9  # thirty years; nanoseconds of more would not fit a table


ENGINES = ("auto", "plain", "compiled")


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
    notify: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Analysis:
    """Analyse one or several captures, or lists of them, as one timeline; `-` is standard input.

    With `split_tunnels` tunnel ids tell connections apart. With `both_ends` the captures are two, of one path, the
    client's first: what only one of them holds becomes findings. `same_traffic` says when captures are taken for one
    traffic, each packet of which counts once: `auto`, where packets prove it; `yes`, on less; `no`, never. With
    `spool` what comes through a pipe is kept on the disk, so that charts can read its packets a second time. `engine`
    is `plain`, `compiled`, or `auto`: compiled where that is faster. `notify` is told what takes long, `progress` how
    many bytes have been read of how many (0: nobody knows).
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
    kernels = compiled(notify) if engine == "compiled" else plain()
    run = Run(paths, kernels, kept, notify, progress, options, may_switch=engine == "auto")
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
