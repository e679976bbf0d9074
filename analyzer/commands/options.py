"""Options that several commands have, each written once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, TextIO

import typer

from analyzer.commands.words import complete_rule, complete_verdict


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


SELECT = "Select connections and findings"
Captures = Annotated[
    list[str],
    typer.Argument(metavar="CAPTURE...", help="Capture files, directories, quoted patterns, or - for standard input"),
]
Streams = Annotated[
    list[int] | None,
    typer.Option("--stream", metavar="N", rich_help_panel=SELECT, help="Only the connection with this stream number"),
]
Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host",
        metavar="ADDR",
        rich_help_panel=SELECT,
        help="Only connections of this address or network (10.0.0.5, 10.0.0.0/8); '!ADDR' excludes it",
    ),
]
Ports = Annotated[
    list[str] | None,
    typer.Option(
        "--port",
        metavar="PORT",
        rich_help_panel=SELECT,
        help="Only connections with this port at either end (443, 8000-8099, https); '!PORT' excludes it",
    ),
]
Verdicts = Annotated[
    list[str] | None,
    typer.Option(
        "--verdict",
        metavar="WORD",
        rich_help_panel=SELECT,
        autocompletion=complete_verdict,
        help="Only connections with this verdict (`keepalive explain verdicts` lists them)",
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="TIME",
        rich_help_panel=SELECT,
        help="Only connections still active at or after TIME: 09:31, 09:31:05, ISO 8601, Unix time, or +30, +5m, +1h "
        "from the first packet",
    ),
]
End = Annotated[
    str | None,
    typer.Option(
        "--end",
        metavar="TIME",
        rich_help_panel=SELECT,
        help="Only connections that started at or before TIME (+5m counts from the first packet here, too)",
    ),
]
AsSevere = Annotated[
    Severity | None,
    typer.Option(
        "--severity",
        case_sensitive=False,
        rich_help_panel=SELECT,
        help="Only findings this severe or worse, and the connections that they name",
    ),
]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        metavar="NAME",
        rich_help_panel=SELECT,
        autocompletion=complete_rule,
        help="Only findings of this rule, and the connections that they name (`keepalive explain` lists the rules)",
    ),
]
Ignored = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        metavar="NAME",
        rich_help_panel=SELECT,
        autocompletion=complete_rule,
        help="Hide findings of this rule; --fail-on does not count them",
    ),
]
Utc = Annotated[bool, typer.Option("--utc", help="Show times, and read --start 09:31, in UTC instead of local time")]
IdleAfter = Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Silence that makes a connection idle")]
SameTraffic = Annotated[
    Join,
    typer.Option(
        "--same-traffic",
        help="Whether copies of one packet in several captures count once; auto: where the packets prove it",
    ),
]
SplitTunnels = Annotated[
    bool, typer.Option("--split-tunnels", help="Treat equal addresses in different tunnels as different connections")
]
Progress = Annotated[bool | None, typer.Option(help="Show a progress bar on standard error")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print no notes on standard error")]
Verbose = Annotated[
    bool,
    typer.Option(
        "-v", "--verbose", help="Print all evidence, the format of each capture and the number of skipped packets"
    ),
]
Title = Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Title, instead of the captures' names")]
OWNER_ONLY = "mode 0600: for its owner only, as captures are confidential"


@dataclass(frozen=True)
class Coloring:
    """Whether output is coloured."""

    color: Annotated[When, typer.Option("--color", help="Colour the output; auto: on a terminal")] = When.auto
    no_color: Annotated[bool, typer.Option("--no-color", help="Same as --color never, or setting NO_COLOR")] = False

    def on(self, out: TextIO) -> bool:
        """Whether what is written there is coloured."""
        return use_color(When.never if self.no_color else self.color, out)


def use_color(color: When, out: TextIO) -> bool:
    """Whether what is written there is coloured; NO_COLOR counts unless it is asked for (no-color.org)."""
    if color is When.auto:
        return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return color is When.always
