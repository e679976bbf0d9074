"""`keepalive schema` and `keepalive dashboard`: files that come with the program, printed."""

from __future__ import annotations

from pathlib import Path

import click

import analyzer.report
from analyzer.commands.declared import command


@command
def schema() -> None:
    """Print the JSON Schema of `analyze --format json`."""
    _print("schema.json")


@command
def dashboard() -> None:
    """Print a Grafana dashboard for the metrics of `live --metrics`, to import into Grafana."""
    _print("grafana.json")


def _print(name: str) -> None:
    click.echo((Path(analyzer.report.__file__).parent / name).read_text(encoding="utf-8"), nl=False)
