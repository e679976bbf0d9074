"""`keepalive query`: the results of scans asked in SQL, or with the questions that incident reviews ask."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TextIO

import click

from analyzer.commands import options
from analyzer.commands.declared import command, option
from analyzer.commands.outputs import open_output, width_of

if TYPE_CHECKING:
    from analyzer.fleet.asking import Answer


class AnswerFormat(StrEnum):
    """How an answer is written."""

    text = "text"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"


@command
@click.argument("results", metavar="OUT", shell_complete=options.files, help="Directory that `keepalive scan` wrote")
@click.argument(
    "question", metavar="[SQL|NAME]", required=False, help="A query in SQL, or the name of one; without: their names"
)
@option(
    "--format", "form", type=click.Choice(AnswerFormat), default=AnswerFormat.text, help="How the answer is written"
)
@option("--sql", is_flag=True, help="Print the SQL of a named query, to begin with")
@options.output("Write to this file instead of standard output")
def query(results: str, question: str | None, form: AnswerFormat, sql: bool, output: str | None) -> None:
    """Ask the results of `keepalive scan`, in SQL or by the name of a query.

    The tables are flows, probes, episodes, findings and captures, each with day and host. DuckDB answers.
    """
    from analyzer.fleet.asking import Answer, ask, named_queries
    from analyzer.fleet.folder import Folder
    from analyzer.fleet.state import whole_state

    whole_state(Folder(results))
    named = named_queries()
    if question is None:
        answer = Answer(["query", "answers"], [(one.name, one.answers) for one in named.values()])
    elif sql and question in named:
        with open_output(output) as out:
            out.write(named[question].sql)
        return
    else:
        answer = ask(results, question)
    with open_output(output) as out:
        write_answer(answer, form, out)


def write_answer(answer: Answer, form: AnswerFormat, out: TextIO) -> None:
    """Write the rows in this form."""
    records = (dict(zip(answer.columns, map(_plain, row), strict=True)) for row in answer.rows)
    if form is AnswerFormat.json:
        out.write(json.dumps(list(records), indent=1) + "\n")
    elif form is AnswerFormat.ndjson:
        out.writelines(json.dumps(record) + "\n" for record in records)
    elif form is AnswerFormat.csv:
        import csv

        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(map(_cell, answer.columns))
        writer.writerows([_cell(value) for value in row] for row in answer.rows)
    else:
        from analyzer.report.layout import Table, printable

        numbers = frozenset(
            name
            for place, name in enumerate(answer.columns)
            if any(isinstance(row[place], (int, float)) for row in answer.rows)
        )
        rows = [tuple(printable(_told(value)) for value in row) for row in answer.rows]
        table = Table(tuple(answer.columns), rows, numbers)
        out.writelines("  ".join(row).rstrip() + "\n" for row in table.fitted(width_of(out), ()))
        if not answer.rows:
            out.write("(no rows)\n")


def _cell(value: Any) -> str:
    """A value as CSV has it: text that a spreadsheet would take for a formula is marked as text."""
    if value is None:
        return ""
    text = repr(value) if isinstance(value, float) else _told(value, "microseconds")
    is_number = isinstance(value, (int, float))
    return f"'{text}" if not is_number and text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return _told(value, "microseconds")


def _told(value: Any, resolution: str = "milliseconds") -> str:
    """A value as text has it; times in UTC."""
    from datetime import UTC, datetime

    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.isoformat(sep=" ", timespec=resolution).replace("+00:00", "Z")
    if isinstance(value, (list, tuple)):
        return ", ".join(_told(one, resolution) for one in value)
    return str(value)
