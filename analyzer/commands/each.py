"""Every capture by itself (`analyze --each`): one result after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from analyzer.commands.result import Format, Manner, write_result
from analyzer.errors import CaptureError, UsageError
from analyzer.report.layout import printable

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.commands.outcome import Outcome

FORMATS = (Format.text, Format.json, Format.ndjson)


def check_each(form: Format, both_ends: bool) -> None:
    """Raise UsageError for what cannot be had of every capture by itself."""
    if form not in FORMATS:
        raise UsageError(f"--each writes {', '.join(FORMATS)}: csv and parquet are tables of one result")
    if both_ends:
        raise UsageError("--each looks at every capture by itself, --both-ends at two together")


def analyses_of(
    captures: Sequence[str], analyse: Callable[[list[str]], Analysis], note: Callable[[str], None]
) -> Iterator[tuple[str, Analysis]]:
    """The name and the analysis of each capture that can be read; raises CaptureError where none can."""
    from analyzer.capture import expand

    last: CaptureError | None = None
    count = 0
    for named in captures:
        try:
            paths = expand(named)
        except CaptureError as error:
            paths, last = [], error
            note(f"{error.path}: {error.reason}")
        for path in paths:
            try:
                analysis = analyse([path])
            except CaptureError as error:
                last = error
                note(f"{error.path}: {error.reason}")
                continue
            count += 1
            yield path, analysis
    if last is not None and not count:
        raise last


def write_each(analyses: Iterator[tuple[str, Analysis]], outcome: Outcome, manner: Manner, out: TextIO) -> None:
    """Write what is selected of each.

    Text has a heading for each; json is an array of the objects that single captures give; ndjson is the lines of one
    after those of the other, which its line of type `capture` begins.
    """
    number = 0
    for path, analysis in analyses:
        if manner.form is Format.text:
            heading = printable(path)
            out.write(("\n" if number else "") + f"{heading}\n{'=' * len(heading)}\n")
        elif manner.form is Format.json:
            out.write(",\n" if number else "[\n")
        write_result(*outcome.select(analysis), manner, out)
        number += 1
    if manner.form is Format.json:
        out.write("]\n" if number else "[]\n")
