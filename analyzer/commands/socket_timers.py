"""`keepalive sockets --saw-tooth`: a socket's timer over time, as a picture."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from analyzer.commands.exits import EXIT_NOTHING_SELECTED
from analyzer.commands.outputs import STANDARD_OUTPUT, binary_output, picture_form
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from analyzer.commands.socket_selection import SocketSelection
    from analyzer.model.sockets import Socket


def check_picture(output: str | None) -> str:
    """The form of the picture, from its name; raises UsageError where it has none."""
    if output is None or output == STANDARD_OUTPUT:
        raise UsageError("--saw-tooth draws a picture: -o FILE, as .png, .svg or .pdf")
    return picture_form(output)


def draw_timers(
    selection: SocketSelection, netns: str, seconds: float, form: str, output: str, note: Callable[[str], None]
) -> None:
    """Look at the timers of the selected sockets for so many seconds, and draw them; those with keepalive first.

    `form` is that of the picture, as `check_picture` gives it.
    """
    from analyzer.host import take_snapshot
    from analyzer.host.sampling import sample
    from analyzer.report.charts.saw_tooth import MOST_LANES, saw_tooth
    from analyzer.report.charts.style import write_figure

    first = take_snapshot(netns)
    found = sorted(selection.of(first.sockets), key=lambda one: one.keepalive is not True)
    if not found:
        note(f"none of {len(first.sockets):,} sockets matches")
        raise click.exceptions.Exit(EXIT_NOTHING_SELECTED)
    if len(found) > MOST_LANES:
        note(
            f"{len(found):,} sockets match; the first {MOST_LANES} are drawn (--host, --port, --process choose others)"
        )
    chosen = {(one.netns, one.local, one.peer): one for one in found[:MOST_LANES]}

    def take() -> tuple[float, Iterable[Socket]]:
        look = take_snapshot(netns, owners=False)
        by_name = {(one.netns, one.local, one.peer): one for one in look.sockets}
        return look.time, [by_name[name]._replace(owners=one.owners) for name, one in chosen.items() if name in by_name]

    courses = sample(take, seconds)
    out = io.BytesIO()
    write_figure(saw_tooth(courses, utc=False), out, form)
    with binary_output(output) as file:
        file.write(out.getvalue())
