"""Captures read to their ends, once or twice: packets to tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from analyzer.capture.kept import Spool
from analyzer.kernels import Kernels, cached, compiled_if_possible
from analyzer.model.captures import CaptureFacts, Span, running
from analyzer.model.columns import Tracks
from analyzer.pipeline.timeline import Timeline
from analyzer.track import Tracker

# Where compiling pays: importing numba and loading the machine code costs as much as this many packets take plain;
# compiling afresh as much as these. Measured in tests/benchmarks.
WARM_PACKETS = 15_000
COLD_PACKETS = 500_000
SMALL_RECORD = 90  # octets: no fewer packets than size / this are in a file that is worth compiling for


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

    @property
    def same_traffic(self) -> bool:
        """Whether two of the captures hold the same traffic."""
        return self._timeline.same_traffic

    def tracks(self) -> tuple[Tracks, int, list[Span]]:
        """The tables that tracking has filled, the time of the last packet of any kind, and when somebody listened."""
        return self._tracker.finish(), self._timeline.end, running(self.captures)
