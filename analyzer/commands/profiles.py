"""`keepalive profiles`: known settings of systems, runtimes, servers and tools, and idle timeouts of devices."""

from __future__ import annotations

from typing import Annotated

import typer

from analyzer.errors import UsageError


def profiles(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Part of a name; without it a list")] = None,
) -> None:
    """The known keepalive defaults of systems, runtimes and servers, and idle timeouts of middleboxes."""
    from analyzer.knowledge.matching import middleboxes, profiles
    from analyzer.report.profiles import list_profiles, show_profiles

    if name is None:
        typer.echo(list_profiles(profiles(), middleboxes()), nl=False)
        return
    text = show_profiles(name, profiles(), middleboxes())
    if not text:
        raise UsageError(f"no profile is called {name}; `keepalive profiles` lists them")
    typer.echo(text, nl=False)
