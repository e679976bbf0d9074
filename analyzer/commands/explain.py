"""`keepalive explain`: the manual, and what findings, verdicts and reasons for skipped frames mean."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from analyzer.commands.declared import command, with_groups
from analyzer.commands.options import Coloring, offered
from analyzer.commands.outputs import width_of
from analyzer.commands.words import completed, known_word, rule_names, verdict_words
from analyzer.manual.topics import blocks, topics
from analyzer.report.layout import COLOURS, entry, paragraph, prose_width

if TYPE_CHECKING:
    from analyzer.diagnose import Rule

WORDS = {
    "verdicts": "The verdict of a connection: all words, and which one is used where several fit",
    "skipped": "Why a frame is not part of the analysis",
}
NAMES, WORDS_WIDTH = 33, 24  # columns for the names of rules and topics, and for those of verdicts and reasons
Style = Callable[[str, str], str]  # a text, and the severity that gives it its colour


def _complete(incomplete: str) -> list[str]:
    return completed(incomplete, [*topics(), *WORDS, *rule_names(), *verdict_words()])


@command
@click.argument(
    "topic",
    metavar="[TOPIC]",
    required=False,
    shell_complete=offered(_complete),
    help="A page of the manual, a finding's rule, or a verdict",
)
@with_groups(color=Coloring)
def explain(color: Coloring, topic: str | None) -> None:
    """Explain a finding, a verdict or a topic of the manual. Without TOPIC, list them all."""
    from analyzer.diagnose import load_rules

    colored = color.on(sys.stdout)
    width = prose_width(width_of(sys.stdout))

    def style(text: str, severity: str) -> str:
        return click.style(text, fg=COLOURS[severity]) if colored else text

    rules = load_rules()
    lines = _listed(rules, style, width) if topic is None else _explained(topic, rules, style, width)
    for line in lines:
        click.echo(line, color=colored)


def _listed(rules: dict[str, Rule], style: Style, width: int) -> Iterator[str]:
    yield "Topics"
    for topic in topics().values():
        yield from entry(topic.name, topic.title, width, NAMES)
    for word, meaning in WORDS.items():
        yield from entry(word, meaning, width, NAMES)
    yield ""
    yield "Findings"
    for rule in rules.values():
        first, *rest = entry(rule.name, inspect.cleandoc(rule.explanation).splitlines()[0], width, NAMES)
        yield first.replace(rule.name, style(rule.name, rule.severity), 1)
        yield from rest


def _explained(topic: str, rules: dict[str, Rule], style: Style, width: int) -> Iterator[str]:
    """A rule where there is one, for it says more than the verdict of the same name."""
    from analyzer.diagnose import VERDICTS

    known = [*topics(), *WORDS, *(verdict.word for verdict in VERDICTS), *rules]
    word = known_word(topic, known, "explain ", "")
    if word in rules:
        rule = rules[word]
        yield f"{style(word, rule.severity)} ({rule.severity})"
        yield from _text(inspect.cleandoc(rule.explanation), width)
    elif word in topics():
        yield topics()[word].title
        yield from _text(topics()[word].body, width)
    elif word == "skipped":
        from analyzer.tables.fields import SKIP_REASONS

        yield "Frames that are not part of the analysis, by reason:"
        for reason, meaning in SKIP_REASONS.items():
            yield from entry(reason, meaning, width, WORDS_WIDTH, "  ")
    else:
        if word == "verdicts":
            yield "Where several fit, the first is used:"
        for verdict in VERDICTS:
            if word in ("verdicts", verdict.word):
                indent = "  " if word == "verdicts" else ""
                first, *rest = entry(verdict.word, verdict.meaning, width, WORDS_WIDTH, indent)
                yield first.replace(verdict.word, style(verdict.word, verdict.severity), 1)
                yield from rest


def _text(text: str, width: int) -> Iterator[str]:
    """Blocks with an empty line before each, items of a list and lines of code apart."""
    before = ""
    for block in blocks(text):
        if not (block.kind == before == "item"):
            yield ""
        before = block.kind
        if block.kind == "code":
            yield from (f"    {line}" for line in block.text.splitlines())
        else:
            mark, further = ("- ", "  ") if block.kind == "item" else ("", "")
            yield from paragraph(block.text.replace("`", ""), width, mark, further)
