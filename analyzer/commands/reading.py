"""Captures read for a command, and what is said on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.commands.console import noter, progress_bar, tell_captures
from analyzer.commands.unrelated import look_unrelated

if TYPE_CHECKING:
    from analyzer.analysis import Analysis


def read(
    captures: list[str],
    *,
    idle_after: float,
    split_tunnels: bool,
    progress: bool | None,
    quiet: bool,
    both_ends: bool = False,
    same_traffic: str = "auto",
    spool: bool = False,
    verbose: bool = False,
) -> Analysis:
    """The analysis of these captures; raises as `analyzer.analyze` does."""
    from analyzer.pipeline.run import analyze

    note = noter(quiet)
    with progress_bar(progress, quiet) as advance:
        analysis = analyze(
            *captures,
            idle_after_s=idle_after,
            split_tunnels=split_tunnels,
            both_ends=both_ends,
            same_traffic=same_traffic,
            spool=spool,
            notify=note,
            progress=advance,
        )
    tell_captures(analysis.captures, note, verbose=verbose)
    if same_traffic == "auto" and not both_ends and look_unrelated(analysis):
        ends = ", or --both-ends for two ends of one path" if len(analysis.captures) == 2 else ""
        note(f"the captures look unrelated (no packets in common, not one after the other): use --each{ends}")
    return analysis
