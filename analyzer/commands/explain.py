"""Commands that look things up: what findings mean, known settings, and what Wireshark says of a capture."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated

import typer

from analyzer.commands.console import say
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


def crosscheck(
    capture: Annotated[str, typer.Argument(metavar="CAPTURE")],
    everything: Annotated[bool, typer.Option("--all", help="Also the frames on which both agree")] = False,
) -> None:
    """Wireshark's flags on probes and answers beside ours, with the reason for each difference (needs tshark)."""
    from analyzer.crosscheck.compare import crosscheck, crosscheck_text
    from analyzer.crosscheck.tshark import wireshark_flags
    from analyzer.pipeline.run import analyze as run

    if capture == "-" or Path(capture).is_dir():
        raise UsageError(f"{capture}: crosscheck reads one file, for tshark must read it, too")
    analysis = run(capture)
    assert analysis.again is not None
    opinions = crosscheck(analysis.facts, wireshark_flags(capture, say), analysis.again)
    for line in crosscheck_text(opinions, everything=everything):
        typer.echo(line)
