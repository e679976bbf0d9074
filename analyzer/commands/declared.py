"""How commands are declared: with click, options in sections of the help, those that belong together in groups."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
G = TypeVar("G")
OPTIONS = "Options"  # the section of those that name no other
CODE = r"`([^`]+)`"
NAMES = r"(?:--?\w[\w-]*(?:, | / )?)+|\S+"  # -o, --output; --screen / --no-screen; CAPTURE
_declared: dict[type, tuple[Decorator, ...]] = {}
WIDEST = 100  # columns of help, on a terminal that has more


class Help(click.HelpFormatter):
    """The text of `--help`, styled; click takes the styles away where there is no terminal to show them."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """How the command is called."""
        super().write_usage(prog, args, click.style("Usage:", bold=True) + " " if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """The line above a section."""
        self.write(click.style(f"{heading}:", bold=True) + "\n")

    def write_text(self, text: str) -> None:
        """Paragraphs, with code between backticks."""
        super().write_text(_with_code(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Names, and what each means."""
        styled = [(_name(name), _with_code(meaning)) for name, meaning in rows]
        super().write_dl(styled, col_max, col_spacing)


def _name(text: str) -> str:
    """What it is called in colour, what it takes not."""
    return re.sub(NAMES, lambda match: click.style(match[0], fg="cyan"), text, count=1)


def first_paragraph(text: str) -> str:
    """The first paragraph, as one line."""
    return " ".join(text.partition("\n\n")[0].split())


def _with_code(text: str) -> str:
    return re.sub(CODE, lambda match: click.style(match[1], bold=True), text)


class Context(click.Context):
    """What click knows while it reads a command."""

    formatter_class = Help


class Option(click.Option):
    """An option, and the section of the help that it is in."""

    def __init__(self, declarations: Sequence[str], section: str = OPTIONS, **settings: Any) -> None:
        super().__init__(declarations, **settings)
        self.section = section


class Command(click.Command):
    """A command whose help has its options in sections."""

    context_class = Context

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, each section with its heading."""
        sections: dict[str, list[tuple[str, str]]] = {OPTIONS: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", OPTIONS), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def command(function: Callable[..., None]) -> click.Command:
    """The command that this function is; its docstring is the help."""
    return click.command(cls=Command, help=inspect.cleandoc(function.__doc__ or ""))(function)


def option(*declarations: str, **settings: Any) -> Decorator:
    """`click.option`, which may name a section of the help."""
    return click.option(*declarations, cls=Option, **settings)


def group(*declared: Decorator) -> Callable[[type[G]], type[G]]:
    """Options that belong together: a class with a field for each, in the same order."""

    def remember(owner: type[G]) -> type[G]:
        _declared[owner] = declared
        return owner

    return remember


def with_groups(**groups: type) -> Decorator:
    """The options of these classes, each of which is one argument of the command."""

    def decorate(command: Callable[..., None]) -> Callable[..., Any]:
        @functools.wraps(command)
        def called(**given: Any) -> None:
            for name, owner in groups.items():
                given[name] = owner(**{field: given.pop(field) for field in owner.__annotations__})
            command(**given)

        decorated: Callable[..., Any] = called
        for one in reversed([one for owner in groups.values() for one in _declared[owner]]):
            decorated = one(decorated)
        return decorated

    return decorate
