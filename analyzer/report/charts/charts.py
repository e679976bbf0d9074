"""The charts of an analysis as Figures: what each shows is gathered here, and drawn in `report.charts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analyzer.report.charts.style import styled

if TYPE_CHECKING:
    from analyzer.report.analysed import Analysed
    from analyzer.report.charts.style import Figure

LIMIT = 40


class Charts:
    """Charts of all connections, or of those chosen by their streams; times in local time or UTC.

    Each raises UsageError where it needs packets that came through a pipe and were not kept.
    """

    def __init__(self, analysis: Analysed) -> None:
        self._analysis = analysis

    def timeline(self, streams: Sequence[int] | None = None, *, limit: int = LIMIT, utc: bool = False) -> Figure:
        """A lane per connection, the worst first; of more than `limit` an overview, and lanes for those in trouble."""
        from analyzer.report.charts.timeline import timeline

        with styled():
            return timeline(self._analysis, self._chosen(streams), limit or len(self._analysis), utc)

    def idle(self, streams: Sequence[int] | None = None, *, countdown: bool = False, utc: bool = False) -> Figure:
        """The idle timer of the worst connection: time since its prober last received something, against time.

        With `countdown` the time until the timer fires, as `ss -o` shows it.
        """
        from analyzer.report.charts.idle import idle

        with styled():
            return idle(self._analysis, self._chosen(streams), countdown, utc)

    def intervals(self, streams: Sequence[int] | None = None, *, utc: bool = False) -> Figure:
        """How long probers waited before each probe, against time, and how often each wait occurred."""
        from analyzer.report.charts.intervals import intervals

        with styled():
            return intervals(self._analysis, self._chosen(streams), utc)

    def ladder(self, streams: Sequence[int] | None = None, *, utc: bool = False) -> Figure:
        """The decisive moments of the worst connection, segment by segment."""
        from analyzer.report.charts.ladder import ladder

        with styled():
            return ladder(self._analysis, self._chosen(streams), utc)

    def hosts(self, streams: Sequence[int] | None = None, *, limit: int = LIMIT) -> Figure:
        """Settings and verdicts of each client's connections to each service, to spot the odd one out."""
        from analyzer.report.charts.hosts import hosts

        with styled():
            return hosts(self._analysis, self._chosen(streams), limit or len(self._analysis))

    def _chosen(self, streams: Sequence[int] | None) -> list[int]:
        return list(range(len(self._analysis))) if streams is None else sorted(set(streams))
