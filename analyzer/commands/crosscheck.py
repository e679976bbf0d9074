"""`keepalive crosscheck`: what Wireshark and keepalive say of each probe and answer."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from analyzer.commands.console import say
from analyzer.commands.declared import command, option, with_groups
from analyzer.commands.options import Coloring, files
from analyzer.commands.outputs import width_of
from analyzer.errors import UsageError
from analyzer.report.layout import UNBROKEN, entry, paragraph

if TYPE_CHECKING:
    from analyzer.crosscheck.compare import Opinion

# What comes before the reason, and before that where reasons are counted.
COLUMN, COUNT_COLUMN = 61, 8


@command
@click.argument("capture", metavar="CAPTURE", shell_complete=files, help="One capture file")
@option("--all", "everything", is_flag=True, help="List the frames on which both agree, too")
@with_groups(color=Coloring)
def crosscheck(color: Coloring, capture: str, everything: bool) -> None:
    """Compare Wireshark's flags on probes and answers with those of keepalive. Needs tshark.

    Prints the frames on which the two differ, each with the reason.
    """
    from analyzer.crosscheck.compare import crosscheck
    from analyzer.crosscheck.tshark import wireshark_flags
    from analyzer.pipeline.run import analyze as run

    if capture == "-" or os.path.isdir(capture):  # noqa: PTH112 (which raises nothing)
        raise UsageError(f"{capture}: crosscheck reads one file, because tshark reads it, too")
    analysis = run(capture)
    assert analysis.again is not None
    opinions = crosscheck(analysis.facts, wireshark_flags(capture, say), analysis.again)
    colored = color.on(sys.stdout)
    heading = partial(click.style, bold=True) if colored else str
    for line in crosscheck_text(opinions, width_of(sys.stdout) or UNBROKEN, everything=everything, heading=heading):
        click.echo(line, color=colored)


def crosscheck_text(
    opinions: Sequence[Opinion], width: int, *, everything: bool, heading: Callable[[str], str] = str
) -> Iterator[str]:
    """The frames on which the two differ (or all), and how many there are of each kind."""
    rows = [one for one in opinions if one.reason or everything]
    if rows:
        yield heading(f"{'frame':>7} {'stream':>6}  {'Wireshark':22} {'keepalive':22} reason"[:width])
    for one in rows:
        frame = f"{one.frame:>7} {one.stream:>6}  {one.wireshark:22}"
        yield from entry(f"{frame} {one.ours}", one.reason, width, COLUMN)
    if rows:
        yield ""
    same = sum(not one.reason for one in opinions)
    frames = f"{len(opinions)} frame{'s' * (len(opinions) != 1)}"
    total = f"{frames} flagged by Wireshark or keepalive: {same} agree, {len(opinions) - same} differ"
    yield from map(heading, paragraph(total, width))
    for reason, count in Counter(one.reason for one in opinions if one.reason).most_common():
        yield from entry(f"{count:>7}", reason, width, COUNT_COLUMN)
