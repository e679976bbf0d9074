"""`keepalive crosscheck`: Wireshark's opinion of each probe and answer beside ours."""

from __future__ import annotations

from typing import Annotated

import typer

from analyzer.commands.console import say
from analyzer.errors import UsageError


def crosscheck(
    capture: Annotated[str, typer.Argument(metavar="CAPTURE")],
    everything: Annotated[bool, typer.Option("--all", help="Also the frames on which both agree")] = False,
) -> None:
    """Wireshark's flags on probes and answers beside ours, with the reason for each difference (needs tshark)."""
    from analyzer.capture import expand
    from analyzer.crosscheck.compare import crosscheck, crosscheck_text
    from analyzer.crosscheck.tshark import wireshark_flags
    from analyzer.pipeline.run import analyze as run

    if capture == "-" or expand(capture) != [capture]:
        raise UsageError(f"{capture}: crosscheck reads one file, because tshark reads it, too")
    analysis = run(capture)
    assert analysis.again is not None
    opinions = crosscheck(analysis.facts, wireshark_flags(capture, say), analysis.again)
    for line in crosscheck_text(opinions, everything=everything):
        typer.echo(line)
