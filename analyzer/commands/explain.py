"""`keepalive explain`: what findings, verdicts and reasons for skipped frames mean."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from analyzer.commands.groups import with_groups
from analyzer.commands.options import Coloring
from analyzer.commands.words import completed, known_word, rule_names, verdict_words

if TYPE_CHECKING:
    from analyzer.diagnose import Rule

TOPICS = {
    "verdicts": "The verdict of a connection: all words, and which of them is used where several fit.",
    "skipped": "Why a frame is not part of the analysis.",
}
Style = Callable[[str, str], str]  # a text, and the severity that gives it its colour


def _complete(incomplete: str) -> list[str]:
    return completed(incomplete, [*TOPICS, *rule_names(), *verdict_words()])


@with_groups
def explain(
    color: Coloring,
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="[RULE]", autocompletion=_complete, help="The rule of a finding, a verdict, `verdicts` or `skipped`"
        ),
    ] = None,
) -> None:
    """Explain what a finding or a verdict means, and how to fix it. Without RULE, list all rules."""
    from analyzer.diagnose import load_rules
    from analyzer.report.text import COLOURS

    colored = color.on(sys.stdout)

    def style(text: str, severity: str) -> str:
        return typer.style(text, fg=COLOURS[severity]) if colored else text

    rules = load_rules()
    lines = _listed(rules, style) if topic is None else _explained(topic, rules, style)
    for line in lines:
        typer.echo(line, color=colored)


def _listed(rules: dict[str, Rule], style: Style) -> Iterator[str]:
    width = max(map(len, rules))
    for rule in rules.values():
        summary = inspect.cleandoc(rule.explanation).splitlines()[0]
        yield f"{style(f'{rule.name:{width}}', rule.severity)} {summary}"
    for topic, summary in TOPICS.items():
        yield f"{topic:{width}} {summary}"


def _explained(topic: str, rules: dict[str, Rule], style: Style) -> Iterator[str]:
    """A rule where there is one, for it says more than the verdict of the same name."""
    from analyzer.diagnose import VERDICTS

    word = known_word(topic, [*(verdict.word for verdict in VERDICTS), *TOPICS, *rules], "explain ", "")
    if word in rules:
        rule = rules[word]
        yield f"{style(word, rule.severity)} ({rule.severity})\n\n{inspect.cleandoc(rule.explanation)}"
    elif word == "skipped":
        from analyzer.tables.fields import SKIP_REASONS

        yield "Frames that are not part of the analysis, by reason:"
        for reason, meaning in SKIP_REASONS.items():
            yield f"  {reason:24} {meaning}"
    else:
        several = word == "verdicts"
        if several:
            yield "Where several fit, the first is used:"
        for verdict in VERDICTS:
            if several or verdict.word == word:
                yield f"{'  ' * several}{style(f'{verdict.word:24}', verdict.severity)} {verdict.meaning}"
