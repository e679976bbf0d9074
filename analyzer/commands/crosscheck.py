"""`keepalive crosscheck`: what Wireshark and keepalive say of each probe and answer."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Annotated

import typer

from analyzer.commands.console import say
from analyzer.commands.groups import with_groups
from analyzer.commands.options import Coloring
from analyzer.errors import UsageError


@with_groups
def crosscheck(
    color: Coloring,
    capture: Annotated[str, typer.Argument(metavar="CAPTURE", help="One capture file")],
    everything: Annotated[bool, typer.Option("--all", help="List the frames on which both agree, too")] = False,
) -> None:
    """Compare Wireshark's flags on probes and answers with those of keepalive. Needs tshark.

    Prints the frames on which the two differ, each with the reason.
    """
    from analyzer.crosscheck.compare import crosscheck, crosscheck_text
    from analyzer.crosscheck.tshark import wireshark_flags
    from analyzer.pipeline.run import analyze as run

    if capture == "-" or os.path.isdir(capture):  # noqa: PTH112 (which raises nothing)
        raise UsageError(f"{capture}: crosscheck reads one file, because tshark reads it, too")
    analysis = run(capture)
    assert analysis.again is not None
    opinions = crosscheck(analysis.facts, wireshark_flags(capture, say), analysis.again)
    colored = color.on(sys.stdout)
    heading = partial(typer.style, bold=True) if colored else str
    for line in crosscheck_text(opinions, everything=everything, heading=heading):
        typer.echo(line, color=colored)
