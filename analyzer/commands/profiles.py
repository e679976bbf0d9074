"""`keepalive profiles`: known settings of systems, runtimes, servers and tools, and idle timeouts of devices."""

from __future__ import annotations

import sys
from functools import partial

import click

from analyzer.commands.declared import command, with_groups
from analyzer.commands.options import Coloring, offered
from analyzer.commands.outputs import width_of
from analyzer.errors import UsageError


def _complete(incomplete: str) -> list[str]:
    from analyzer.knowledge.matching import middleboxes, profiles

    names = sorted({one.name for one in profiles()} | {one.name for one in middleboxes()})
    return [name for name in names if name.lower().startswith(incomplete.lower())]


@command
@click.argument(
    "name",
    metavar="[NAME]",
    required=False,
    shell_complete=offered(_complete),
    help="A name, or a word or part of it",
)
@with_groups(color=Coloring)
def profiles(color: Coloring, name: str | None) -> None:
    """List the known keepalive defaults of systems, runtimes and servers, and the idle timeouts of middleboxes.

    With NAME, print everything known about matching entries, with sources.
    """
    from analyzer.knowledge.matching import middleboxes, profiles
    from analyzer.report.layout import UNBROKEN, prose_width
    from analyzer.report.profiles import list_profiles, show_profiles

    colored = color.on(sys.stdout)
    heading = partial(click.style, bold=True) if colored else str
    width = width_of(sys.stdout)
    if name is None:
        text = list_profiles(profiles(), middleboxes(), width or UNBROKEN, heading)
    else:
        text = show_profiles(name, profiles(), middleboxes(), prose_width(width), heading)
    if not text:
        raise UsageError(f"no profile is called {name}; `keepalive profiles` lists them")
    click.echo(text, nl=False, color=colored)
