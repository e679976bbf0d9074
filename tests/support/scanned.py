"""A scan in this process beside `analyze` of the same captures: what differs, if anything does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analyzer import analyze
from analyzer.analysis import Analysis
from analyzer.fleet.results import TABLES
from analyzer.fleet.scan import Report, load, scan
from analyzer.fleet.work import Here

# What scans add to the tables of `analyze`.
ADDED = {
    "flows": {
        *("community_id", "client_sortable", "server_sortable", "capture"),
        *("survived_silence_s", "last_silence_s"),
    },
    "probes": {"community_id"},
    "episodes": {"community_id"},
    "findings": {"community_ids"},
}


def scanned(sources: Sequence[str | Path], out: Path, **how: Any) -> Report:
    """A whole scan, with its results."""
    return scan([str(source) for source in sources], str(out), Here(), **how)


def differences(report: Report, out: Path, **how: Any) -> list[str]:
    """Where the results of a scan differ from those of `analyze`: in JSON, once more when loaded, column for column."""
    whole = analyze(*(facts.path for facts in report.analysis.captures), **how)
    expected = json.loads(whole.to_json())
    found = [f"scanned: {one}" for one in _differing(expected, json.loads(report.analysis.to_json()))]
    found += [f"loaded: {one}" for one in _differing(expected, json.loads(load(str(out)).to_json()))]
    return found + differing_tables(whole, out)


def _differing(expected: dict[str, Any], given: dict[str, Any]) -> list[str]:
    if expected == given:
        return []
    return [name for name in expected if expected[name] != given.get(name)] or ["more than is expected"]


def differing_tables(whole: Analysis, out: Path) -> list[str]:
    """The tables of which a column differs from that of `analyze`, rows in order of their connections."""
    from pyarrow.dataset import dataset

    from analyzer.report.arrow import Tables

    found = []
    made = Tables(whole, frames_as_text=True)
    for name in TABLES:
        if name == "captures":
            continue
        given = dataset(out / name, format="parquet", partitioning="hive").to_table()
        expected = getattr(made, name)
        extra = set(given.column_names) - set(expected.column_names) - {"day", "host"}
        if extra != ADDED[name]:
            found.append(f"{name}: columns {extra}")
        found += [
            f"{name}: {column}"
            for column in expected.column_names
            if _sorted(given, column) != _sorted(expected, column)
        ]
    return found


def _sorted(table: Any, column: str) -> list[str]:
    """A column's values beside what tells their rows apart, in an order that does not depend on files."""
    keys = [name for name in ("stream", "rule", "sender", "frame", "start", "summary") if name in table.column_names]
    columns = [_values(table, name) for name in (*keys, column)]
    return sorted(map(repr, zip(*columns, strict=True)))


def _values(table: Any, name: str) -> list[Any]:
    import pyarrow

    values = table[name]
    if pyarrow.types.is_timestamp(values.type):
        values = values.cast(pyarrow.timestamp("us", "UTC"), safe=False)
    listed: list[Any] = values.to_pylist()
    return listed
