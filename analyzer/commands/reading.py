"""How captures are read for a command, and what is said on standard error."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from analyzer.commands import options
from analyzer.commands.console import noter, progress_bar, tell_captures
from analyzer.commands.declared import group, option
from analyzer.commands.options import Join
from analyzer.commands.unrelated import look_unrelated

if TYPE_CHECKING:
    from analyzer.analysis import Analysis


@group(
    options.idle_after,
    options.split_tunnels,
    options.same_traffic,
    option(
        "--threads",
        type=click.IntRange(min=1),
        help="Processors to use at most (default: all); the result is the same with any number",
    ),
    option("--progress/--no-progress", default=None, help="Show a progress bar on standard error"),
    options.quiet,
    options.verbose,
)
class Reading(NamedTuple):
    """The options of every command that reads captures."""

    idle_after: float = 10.0
    split_tunnels: bool = False
    same_traffic: Join = Join.auto
    threads: int | None = None
    progress: bool | None = None
    quiet: bool = False
    verbose: bool = False

    def analyse(self, captures: Sequence[str], *, both_ends: bool = False, spool: bool = False) -> Analysis:
        """The analysis of these captures; raises as `analyzer.analyze` does.

        With `spool` what comes through a pipe is kept, for packets that are read a second time.
        """
        if len(captures) == 1 and os.path.isfile(os.path.join(captures[0], "scan.json")):  # noqa: PTH113, PTH118
            from analyzer.fleet.scan import load

            return load(captures[0], self.idle_after)
        from analyzer.pipeline.run import analyze

        note = noter(self.quiet)
        with progress_bar(self.progress, self.quiet) as advance:
            analysis = analyze(
                *captures,
                idle_after_s=self.idle_after,
                split_tunnels=self.split_tunnels,
                both_ends=both_ends,
                same_traffic=self.same_traffic.value,
                spool=spool,
                threads=self.threads,
                notify=note,
                progress=advance,
            )
        tell_captures(analysis.captures, note, verbose=self.verbose)
        if self.same_traffic is Join.auto and not both_ends and look_unrelated(analysis):
            ends = ", or --both-ends for two ends of one path" if len(analysis.captures) == 2 else ""
            note(f"the captures look unrelated (no packets in common, not one after the other): use --each{ends}")
        return analysis
