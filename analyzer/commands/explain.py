"""`keepalive explain`: what findings, verdicts and reasons for skipped frames mean."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from analyzer.errors import UsageError


def explain(
    topic: Annotated[
        str | None, typer.Argument(metavar="[RULE]", help="A finding's rule, `verdicts` or `skipped`")
    ] = None,
) -> None:
    """What a finding means and how to mend it; without RULE a list."""
    from analyzer.diagnose import VERDICTS, load_rules

    rules = load_rules()
    if topic is None:
        width = max(map(len, rules))
        for rule in rules.values():
            typer.echo(f"{rule.name:{width}} {inspect.cleandoc(rule.explanation).splitlines()[0]}")
        typer.echo(f"{'verdicts':{width}} The verdict of a connection: which words there are, and which one stands.")
        typer.echo(f"{'skipped':{width}} Why a frame took no part in the analysis.")
    elif topic == "verdicts":
        typer.echo("Where several fit, the first stands:")
        for verdict in VERDICTS:
            typer.echo(f"  {verdict.word:24} {verdict.meaning}")
    elif topic == "skipped":
        from analyzer.tables.fields import SKIP_REASONS

        typer.echo("Frames that took no part in the analysis, by reason:")
        for reason, meaning in SKIP_REASONS.items():
            typer.echo(f"  {reason:24} {meaning}")
    elif topic in rules:
        typer.echo(f"{topic} ({rules[topic].severity})\n\n{inspect.cleandoc(rules[topic].explanation)}")
    else:
        raise UsageError(f"no rule is called {topic}; `keepalive explain` lists them")
