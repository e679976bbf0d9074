"""What came of a selection: what is shown of each analysis, and the exit status that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from analyzer.commands.console import noter
from analyzer.commands.exits import EXIT_FINDING, EXIT_NOTHING_SELECTED

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.commands.selection import Selection


class Outcome:
    """Selects from one analysis after the other, and knows whether anything was selected."""

    def __init__(self, selection: Selection, quiet: bool, fail_on: str | None = None) -> None:
        self._selection, self._quiet, self._fail_on = selection, quiet, fail_on
        self._captures = self._connections = 0
        self._streams = self._findings = 0  # selected ones
        self._severe = False

    def select(self, analysis: Analysis) -> tuple[Analysis, list[int]]:
        """The analysis with the selected findings alone, and the selected streams."""
        shown, streams = self._selection.of(analysis)
        self._captures += len(analysis.captures)
        self._connections += len(analysis)
        self._streams += len(streams)
        if self._selection.of_findings:
            self._findings += len(shown.findings)
        if self._fail_on is not None:
            self._severe |= any(one.is_as_severe(self._fail_on) for one in shown.findings)
        return shown, streams

    def leave_without_match(self, *, only_connections: bool = False) -> None:
        """Where nothing matches what was asked for, say so and leave with the status that means it.

        With `only_connections` findings about the capture are no match: they have no packets, and no picture.
        """
        asked = self._selection.of_connections or self._selection.of_findings
        if asked and not self._streams and (only_connections or not self._findings):
            noter(self._quiet)(self._selection.missed(self._captures, self._connections))
            raise click.exceptions.Exit(EXIT_NOTHING_SELECTED)

    def leave(self) -> None:
        """Leave with a status of its own where nothing matches, or where a finding is as severe as --fail-on."""
        self.leave_without_match()
        if self._severe:
            raise click.exceptions.Exit(EXIT_FINDING)
