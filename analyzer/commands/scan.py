"""`keepalive scan`: many captures of many machines, read where they lie, by the workers of a cluster."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from analyzer.commands import options
from analyzer.commands.console import noter, tell_captures
from analyzer.commands.declared import command, option
from analyzer.commands.options import Join
from analyzer.commands.scan_progress import scan_bar
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer.fleet.scan import Report


@command
@click.argument(
    "sources",
    metavar="SOURCE...",
    nargs=-1,
    required=True,
    shell_complete=options.files,
    help="Captures, directories or quoted patterns; paths, or addresses as s3://bucket/**/*.pcap.gz",
)
@option(
    "-o",
    "--output",
    metavar="OUT",
    required=True,
    shell_complete=options.files,
    help="Directory of the results, a path or an address; what is there already is gone on with",
)
@option("--resume", is_flag=True, help="Take up a scan that was interrupted")
@option("--scheduler", metavar="ADDRESS", help="Dask scheduler, as tcp://host:8786 (default: workers on this machine)")
@option("--workers", type=click.IntRange(min=1), help="Workers on this machine (default: one for each processor)")
@option("--memory", metavar="SIZE", help="What each worker on this machine may use (default: 1 GiB)")
@option(
    "--stalled",
    type=click.FloatRange(min=0.1),
    default=60.0,
    metavar="SECONDS",
    help="Silence of a store after which it is asked again",
)
@option("--host-pattern", metavar="REGEX", help="Which part of a capture's address names its host: the first group")
@options.idle_after
@options.split_tunnels
@options.same_traffic
@option("--progress/--no-progress", default=None, help="Show a progress bar on standard error")
@options.quiet
@options.verbose
def scan(
    sources: Sequence[str],
    output: str,
    resume: bool,
    scheduler: str | None,
    workers: int | None,
    memory: str | None,
    stalled: float,
    host_pattern: str | None,
    idle_after: float,
    split_tunnels: bool,
    same_traffic: Join,
    progress: bool | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Analyse many captures of many machines, and keep the results as Parquet.

    Captures are read where they lie, by several workers, and never copied whole. Connections that span files and hosts
    come together: the result is that of `analyze` on all captures at once. Scanning again reads what is new alone.
    Commands that read captures take OUT, too: `keepalive report OUT`. `keepalive query OUT` asks it in SQL.
    """
    if scheduler is not None and (workers is not None or memory is not None):
        raise UsageError("--workers and --memory are for workers on this machine: leave --scheduler out")
    gc.enable()  # this goes on for long
    from analyzer.fleet import cluster as clusters
    from analyzer.fleet.folder import Folder
    from analyzer.fleet.hosts import hosts_of
    from analyzer.fleet.scan import scan as scan_captures
    from analyzer.fleet.state import STATE, Settings

    hosts_of(["/host/file"], host_pattern)
    note = noter(quiet)
    settings = Settings(split_tunnels, same_traffic.value)
    with clusters.cluster(scheduler, workers, memory) as at_work, scan_bar(progress, quiet) as tell:
        if verbose and at_work.dashboard:
            note(f"what the workers do: {at_work.dashboard}")
        report = scan_captures(
            sources,
            output,
            at_work,
            settings,
            resume=resume,
            idle_after_s=idle_after,
            stalled=stalled,
            pattern=host_pattern,
            begun=lambda: at_work.check_sees(Folder(output), STATE),
            notify=note,
            progress=tell,
        )
    tell_captures(report.analysis.captures, note, verbose=verbose)
    click.echo(_summary(report, output))


def _summary(report: Report, output: str) -> str:
    analysis = report.analysis
    counts = ", ".join(f"{count:,} {word}" for word, count in analysis.verdict_counts(range(len(analysis))).items())
    rate = f", {report.packets / report.seconds:,.0f} packets/s" if report.seconds and report.packets else ""
    others = f" ({report.others:,} other files there are none)" if report.others else ""
    lines = [
        f"{report.captures:,} captures{others}, {report.read:,} of them read now: {report.packets:,} packets in "
        f"{report.octets / 1e6:,.1f} MB, {report.seconds:.1f} s{rate}",
        f"{len(analysis):,} connections: {counts or 'none'}; {len(analysis.findings):,} findings",
        f"results in {output}: keepalive query {output}",
    ]
    return "\n".join(lines)
