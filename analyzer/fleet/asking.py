"""SQL over the results of scans, by DuckDB: a view for each table, and the queries that come with the program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, NamedTuple

from analyzer.errors import UsageError
from analyzer.fleet.folder import Folder
from analyzer.fleet.places import NEEDED
from analyzer.fleet.results import TABLES
from analyzer.fleet.state import whole_state


class Named(NamedTuple):
    """A query that comes with the program: its first line says what it answers."""

    name: str
    answers: str
    sql: str


class Answer(NamedTuple):
    """The rows of an answer."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def named_queries() -> dict[str, Named]:
    """Those in `queries/`, in order of name."""
    return {one.name: one for one in _shipped()}


def _shipped() -> Iterator[Named]:
    for file in sorted(files("analyzer.fleet").joinpath("queries").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            sql = file.read_text(encoding="utf-8")
            yield Named(file.name.removesuffix(".sql"), sql.partition("\n")[0].removeprefix("-- "), sql)


def ask(out: str, question: str) -> Answer:
    """What the results in this directory answer: to SQL, or to the query of this name.

    Raises UsageError where there are no whole results, and for SQL that DuckDB does not take.
    """
    try:
        import duckdb
    except ImportError as error:
        raise UsageError(NEEDED) from error
    folder = Folder(out)
    whole_state(folder)
    named = named_queries().get(question)
    if named is None and len(question.split()) < 2:
        raise UsageError(f"no query is called {question}: `keepalive query {out}` lists those that there are")
    with duckdb.connect() as connection:
        if not folder.local:
            connection.register_filesystem(folder.filesystem)
        try:
            for table in TABLES:
                connection.execute(_view(folder, table))
            answer = connection.execute(question if named is None else named.sql)
            rows = answer.fetchall() if answer is not None else []
        except duckdb.Error as error:
            raise UsageError(f"the query cannot be answered: {error}") from error
        return Answer([column[0] for column in answer.description or []], rows)


def _view(folder: Folder, table: str) -> str:
    """The view of a table: its files, with the day and the host that their directories name.

    Where the directory of results itself lies must have no say, so DuckDB is not to look for patterns, nor for names of
    columns in whole paths.
    """
    paths = [path if folder.local else folder.filesystem.unstrip_protocol(path) for path in folder.files(table)]
    listed = ", ".join(map(_literal, paths))
    start = len(paths[0].rsplit(f"/{table}/", 1)[0]) + 1 if paths else 1
    below = f"substr(filename, {start})"
    day = f"CAST(regexp_extract({below}, '/day=([^/]*)/', 1) AS DATE) AS day"
    host = f"url_decode(regexp_extract({below}, '/host=([^/]*)/', 1)) AS host"
    read = f"read_parquet([{listed}], hive_partitioning = false, filename = true, union_by_name = true)"
    return f"CREATE VIEW {table} AS SELECT * EXCLUDE (filename), {day}, {host} FROM {read}"


def _literal(path: str) -> str:
    """A path for SQL, and no pattern."""
    plain = re.sub(r"[*?\[]", lambda match: f"[{match[0]}]", path)
    return "'" + plain.replace("'", "''") + "'"
