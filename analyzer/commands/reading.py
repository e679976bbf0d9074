"""Captures read for a command: what is selected of them, and what is told on standard error meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from analyzer.commands.console import noter, progress_bar, tell_formats, tell_problems

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.commands.selection import Selection


def selected(
    streams: Iterable[int] | None,
    hosts: Iterable[str] | None,
    ports: Iterable[int] | None,
    verdicts: Iterable[str] | None,
    start: str | None,
    end: str | None,
) -> Selection:
    """What the options of a command select; raises UsageError for what makes no sense."""
    from analyzer.commands.selection import Selection

    chosen = Selection(tuple(streams or ()), tuple(hosts or ()), tuple(ports or ()), tuple(verdicts or ()), start, end)
    chosen.check()
    return chosen


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
    tell_problems(analysis.captures, note)
    if verbose:
        tell_formats(analysis.captures, note)
    return analysis
