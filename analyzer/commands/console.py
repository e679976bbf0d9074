"""What is told on standard error: notes, problems, progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

from analyzer.model.captures import CaptureFacts
from analyzer.report.layout import printable


def say(text: str) -> None:
    """A line on standard error."""
    print(f"keepalive: {printable(text)}", file=sys.stderr)  # noqa: T201


def noter(quiet: bool) -> Callable[[str], None]:
    """What is told of notes: they go to standard error, and nowhere when quiet."""
    return (lambda text: None) if quiet else say


def tell_captures(captures: Sequence[CaptureFacts], note: Callable[[str], None], *, verbose: bool) -> None:
    """Say where captures are damaged, by the offset of the byte, or why they could not be read; and what they are."""
    for facts in captures:
        for problem in facts.problems:
            where = f"byte {problem.offset}: " if facts.format else ""
            note(f"{facts.path}: {where}{problem.reason}")
    unread = sum(not facts.format for facts in captures)
    if unread:
        note(f"{unread} of {len(captures)} captures could not be read; the result covers the others")
    for facts in captures if verbose else ():
        skipped = ", ".join(f"{count} {reason}" for reason, count in facts.skipped.items())
        note(f"{facts.path}: {facts.format}, {', '.join(facts.link_types)}; skipped: {skipped or 'nothing'}")


@contextlib.contextmanager
def progress_bar(wanted: bool | None, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error once the work has lasted a second, on a terminal or when asked for."""
    import time

    if wanted is False or (wanted is None and (quiet or not sys.stderr.isatty())):
        yield lambda done, total: None
        return
    began = time.monotonic()
    bars: list[Callable[[int, int], None]] = []
    with contextlib.ExitStack() as stack:

        def advance(done: int, total: int) -> None:
            if not bars and time.monotonic() - began > 1:
                bars.append(_rich_bar(stack, total))
            for bar in bars:
                bar(done, total)

        yield advance


def _rich_bar(stack: contextlib.ExitStack, total: int) -> Callable[[int, int], None]:
    from rich.console import Console
    from rich.progress import Progress

    bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
    task = bar.add_task("reading", total=total or None)
    return lambda done, total: bar.update(task, completed=done)
