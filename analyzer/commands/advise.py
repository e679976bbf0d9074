"""`keepalive advise`: what other keepalive settings would have done in captures."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import click

from analyzer.commands import options
from analyzer.commands.declared import command, option, with_groups
from analyzer.commands.options import OWNER_ONLY
from analyzer.commands.outcome import Outcome
from analyzer.commands.outputs import check_output, open_output, width_of
from analyzer.commands.reading import Reading
from analyzer.commands.selection import Selection
from analyzer.report.layout import PROSE_WIDTH

NARROWEST = 40


class AdviceFormat(StrEnum):
    """How advice is written."""

    text = "text"
    json = "json"


@command
@options.captures
@option(
    "--settings",
    multiple=True,
    metavar="IDLE/INTERVAL/COUNT",
    help="Settings to try, such as 60/10/3, 2m/10s/3 or 60/10/3/ut90 (TCP_USER_TIMEOUT); repeatable",
)
@option("--format", "form", type=click.Choice(AdviceFormat), default=AdviceFormat.text, help="How to write the advice")
@options.output(f"Write to this file ({OWNER_ONLY})")
@with_groups(selection=Selection, reading=Reading)
def advise(
    captures: Sequence[str],
    selection: Selection,
    reading: Reading,
    settings: Sequence[str],
    form: AdviceFormat,
    output: str | None,
) -> None:
    """Show what other keepalive settings would have done.

    Says when the settings would have noticed each dead peer, which connections a device would not have forgotten, and
    how many probes they cost.

    Without --settings, propose some within the limits that the captures show.
    """
    from analyzer.advise import advise as advise_on
    from analyzer.advise import parse

    candidates = [parse(text) for text in settings]
    check_output(output, captures)
    outcome = Outcome(selection, reading.quiet)
    shown, streams = outcome.select(reading.analyse(captures, spool=True))
    advice = advise_on(shown, candidates, streams)
    with open_output(output) as out:
        if form is AdviceFormat.json:
            from analyzer.report.advice import write_json

            write_json(advice, out)
        else:
            from analyzer.report.advice import write_text

            write_text(advice, max(width_of(out) or PROSE_WIDTH, NARROWEST), out)
    outcome.leave()
