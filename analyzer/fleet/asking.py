"""SQL over the results of scans, by DuckDB: a view for each table, and the queries that come with the program."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any, NamedTuple

from analyzer.errors import UsageError
from analyzer.fleet.places import NEEDED, Folder
from analyzer.fleet.results import TABLES
from analyzer.fleet.scan import read_state


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
    state = read_state(folder)
    if state is None:
        raise UsageError(f"{out} holds no results of `keepalive scan`")
    if not state["done"]:
        raise UsageError(f"{out} holds an interrupted scan: `keepalive scan ... -o {out} --resume` takes it up")
    named = named_queries().get(question)
    if named is None and " " not in question.strip():
        raise UsageError(f"no query is called {question}: `keepalive query {out}` lists those that there are")
    with duckdb.connect() as connection:
        if not folder.local:
            connection.register_filesystem(folder.filesystem)
        try:
            for table in TABLES:
                connection.execute(_view(folder, table))
            answer = connection.execute(question if named is None else named.sql)
            rows = answer.fetchall()
        except duckdb.Error as error:
            raise UsageError(f"the query cannot be answered: {error}") from error
        return Answer([column[0] for column in answer.description or []], rows)


def _view(folder: Folder, table: str) -> str:
    """The view of a table: its files, with the day and the host that their directories name."""
    place = (
        folder.at(f"{table}/*/*/*.parquet") if folder.local else f"{folder.address.rstrip('/')}/{table}/*/*/*.parquet"
    )
    quoted = place.replace("'", "''")
    hive = "hive_partitioning = true, hive_types = {'day': DATE, 'host': VARCHAR}"
    return f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{quoted}', {hive}, union_by_name = true)"
