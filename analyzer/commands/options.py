"""Options that several commands have, each written once."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TextIO

import click

from analyzer.commands.declared import group, option
from analyzer.report.layout import SCREEN

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

OWNER_ONLY = "mode 0600: for its owner only, as captures are confidential"


class Join(StrEnum):
    """When several captures are taken for one traffic."""

    auto = "auto"
    yes = "yes"
    no = "no"


class Severity(StrEnum):
    """How urgent a finding is."""

    info = "info"
    low = "low"
    medium = "medium"
    high = "high"


class When(StrEnum):
    """When output is coloured."""

    auto = "auto"
    always = "always"
    never = "never"


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Completion by the names of files, which the shell knows best."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def offered(complete: Callable[[str], list[str]]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Completion by what a function says of the beginning of a word."""
    return lambda context, parameter, incomplete: complete(incomplete)


captures = click.argument(
    "captures",
    metavar="CAPTURE...",
    nargs=-1,
    required=True,
    shell_complete=files,
    help="Capture files, directories, quoted patterns, or - for standard input",
)
idle_after = option(
    "--idle-after",
    type=click.FloatRange(min=0),
    default=10.0,
    metavar="SECONDS",
    help="Silence that makes a connection idle",
)
split_tunnels = option(
    "--split-tunnels", is_flag=True, help="Treat equal addresses in different tunnels as different connections"
)
same_traffic = option(
    "--same-traffic",
    type=click.Choice(Join),
    default=Join.auto,
    help="Whether copies of one packet in several captures count once; auto: where the packets prove it",
)
quiet = option("-q", "--quiet", is_flag=True, help="Print no notes on standard error")
verbose = option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Print all evidence, the format of each capture and the number of skipped packets",
)
limit = option(
    "--limit",
    type=click.IntRange(min=0),
    default=SCREEN,
    help="Connections listed in text, and lines of it, at most; 0: all",
)
title = option("--title", metavar="TEXT", help="Title, instead of the captures' names")


def output(meaning: str, *, required: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option that says where the result goes."""
    return option("-o", "--output", metavar="OUT", required=required, shell_complete=files, help=meaning)


@group(
    option("--color", type=click.Choice(When), default=When.auto, help="Colour the output; auto: on a terminal"),
    option("--no-color", is_flag=True, help="Same as --color never, or setting NO_COLOR"),
)
class Coloring(NamedTuple):
    """Whether output is coloured."""

    color: When
    no_color: bool

    def on(self, out: TextIO) -> bool:
        """Whether what is written there is coloured."""
        return use_color(When.never if self.no_color else self.color, out)


def use_color(color: When, out: TextIO) -> bool:
    """Whether what is written there is coloured; NO_COLOR counts unless it is asked for (no-color.org)."""
    if color is When.auto:
        return out.isatty() and may_color()
    return color is When.always


def may_color() -> bool:
    """Whether the environment lets terminals have colour."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
