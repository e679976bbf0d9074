"""The tables of an analysis as Arrow has them, for pandas, polars and notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow import Table

    from analyzer.analysis import Analysis


class Tables:
    """pyarrow Tables of all connections, made when asked for; the columns are those of `--format parquet`."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    @property
    def flows(self) -> Table:
        """A row per connection."""
        return self._whole("flows")

    @property
    def probes(self) -> Table:
        """A row per keepalive or zero-window probe, with its answer."""
        return self._whole("probes")

    @property
    def episodes(self) -> Table:
        """A row per idle gap that was probed, with what ended it."""
        return self._whole("episodes")

    @property
    def findings(self) -> Table:
        """A row per finding, with its evidence."""
        return self._whole("findings")

    def _whole(self, name: str) -> Table:
        from analyzer.report.arrow import Tables as Written

        return Written(self._analysis, range(len(self._analysis)), self._analysis.findings).whole(name)
