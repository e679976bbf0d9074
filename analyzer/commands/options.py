"""Options that several commands have, each written once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Join(StrEnum):
    """When several captures are taken for one traffic."""

    auto = "auto"
    yes = "yes"
    no = "no"


SELECT = "Select what is shown"
Captures = Annotated[list[str], typer.Argument(metavar="CAPTURE...")]
Streams = Annotated[list[int] | None, typer.Option("--stream", metavar="N", rich_help_panel=SELECT, help="This stream")]
Hosts = Annotated[
    list[str] | None, typer.Option("--host", metavar="ADDR", rich_help_panel=SELECT, help="Connections of this address")
]
Ports = Annotated[
    list[int] | None, typer.Option("--port", metavar="N", rich_help_panel=SELECT, help="Connections of this port")
]
Verdicts = Annotated[
    list[str] | None, typer.Option("--verdict", metavar="WORD", rich_help_panel=SELECT, help="Connections judged so")
]
Start = Annotated[
    str | None,
    typer.Option(
        "--start", metavar="TIME", rich_help_panel=SELECT, help="Not those over before: ISO 8601, UNIX seconds, +S"
    ),
]
End = Annotated[str | None, typer.Option("--end", metavar="TIME", rich_help_panel=SELECT, help="Not those begun after")]
IdleAfter = Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Silence that counts as idle")]
SameTraffic = Annotated[
    Join,
    typer.Option("--same-traffic", help="Captures of one traffic count once: auto is where packets prove it"),
]
SplitTunnels = Annotated[bool, typer.Option("--split-tunnels", help="Tunnel ids tell connections apart")]
Utc = Annotated[bool, typer.Option("--utc", help="Times in UTC instead of local time")]
Progress = Annotated[bool | None, typer.Option(help="A progress bar on standard error")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No notes on standard error")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="More notes on standard error")]
Title = Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Title, instead of the captures' names")]
