"""The result as tables: the Parquet files of `--format parquet` say what the JSON says, to the nanosecond."""

from __future__ import annotations

import os
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from captures_in_bytes import pcap
from commands import ALSO_WITHOUT_MATCH, as_json, inside, keepalive, output
from pyarrow import Table
from results import ROOT
from samples import CAPTURES_OF_EACH_KIND

from analyzer.model.flows import SIDES
from analyzer.report.arrow import TABLES
from analyzer.report.csv import BOUNDS, COLUMNS, ESTIMATES

DEAD_PEER, CROWD = (ROOT / "captures" / name / "capture.pcap" for name in ("dead-peer", "crowd"))
Rows = list[dict[str, Any]]


def rows_of(table: Table) -> Rows:
    """The rows, times as UNIX seconds with all their digits."""
    for place, field in enumerate(table.schema):
        if str(field.type).startswith("timestamp"):
            assert str(field.type) == "timestamp[ns, tz=UTC]"
            table = table.set_column(place, field.name, table.column(place).cast("int64"))
    times = {"start", "end", "time", "answer_time", "ending_time"}
    return [
        {key: Decimal(v).scaleb(-9) if key in times and v is not None else v for key, v in row.items()}
        for row in table.to_pylist()
    ]


def parquet(folder: Path, *arguments: str | Path) -> dict[str, Rows]:
    """What `--format parquet` writes there."""
    assert inside("analyze", *arguments, "--format", "parquet", "-o", folder, statuses=ALSO_WITHOUT_MATCH) == ""
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.parquet" for name in TABLES)
    return {name: rows_of(pq.read_table(folder / f"{name}.parquet")) for name in TABLES}


def entries(flow: dict[str, Any], of: str, side: str) -> list[dict[str, Any]]:
    return [entry for entry in flow[of] if entry["sender"] == side]


def number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def check_flow(row: dict[str, Any], flow: dict[str, Any]) -> None:
    """A row of the flows against one element of `flows`."""
    for name in ("stream", "roles", "start", "end", "handshake", "verdict", "tunnel"):
        assert row[name] == flow[name]
    assert row["handshake_rtt_s"] == number(flow["handshake_rtt_s"])
    assert [row[f"ending_{part}"] for part in ("how", "by", "time", "why")] == list(flow["ending"].values())
    for side in SIDES:
        assert {"address": row[f"{side}_address"], "port": row[f"{side}_port"]} == flow[side]
        for part in ("packets", "bytes", "state", "zero_window_probes"):
            assert row[f"{part}_{side}"] == flow[part][side]
        [entry] = entries(flow, "keepalive", side) or [{}]
        for part in ("probes", "answered", "unanswered", "reset", "icmp"):
            assert row[f"{part}_{side}"] == entry.get(part, 0)
        assert row[f"confidence_{side}"] == entry.get("confidence")
        assert row[f"profiles_{side}"] == entry.get("profiles", [])
        for setting in ESTIMATES:
            estimate = entry.get(setting) or {}
            assert [row[f"{setting}_{b}_{side}"] for b in BOUNDS] == [number(estimate.get(b)) for b in BOUNDS]
        bounds = entry.get("user_timeout_s") or {}
        assert row[f"user_timeout_s_low_{side}"] == number(bounds.get("low"))
        [beats] = entries(flow, "heartbeats", side) or [{}]
        assert row[f"heartbeat_protocol_{side}"] == beats.get("protocol")
        assert row[f"heartbeats_sent_{side}"] == beats.get("sent", 0)
        assert row[f"heartbeat_frames_{side}"] == beats.get("frames", [])


def check_tables(tables: dict[str, Rows], whole: dict[str, Any]) -> None:
    """All four tables against the JSON."""
    for row, flow in zip(tables["flows"], whole["flows"], strict=True):
        check_flow(row, flow)
    probers = [(flow["stream"], entry) for flow in whole["flows"] for entry in flow["keepalive"]]
    gaps = [({"stream": s, "sender": entry["sender"]}, gap) for s, entry in probers for gap in entry["episodes"]]
    assert tables["episodes"] == [{**who, **gap, "probes": len(gap["probes"])} for who, gap in gaps]
    expected = [{**who, **probe, "kind": "keepalive"} for who, gap in gaps for probe in gap["probes"]]
    keepalives = [row for row in tables["probes"] if row["kind"] == "keepalive"]
    in_order = sorted(expected, key=lambda probe: (probe["stream"], probe["sender"], probe["time"]))
    assert sorted(keepalives, key=lambda row: (row["stream"], row["sender"], row["time"])) == in_order
    windows = sum(count for flow in whole["flows"] for count in flow["zero_window_probes"].values())
    assert [row["kind"] for row in tables["probes"]].count("zero_window") == windows
    for row, finding in zip(tables["findings"], whole["findings"], strict=True):
        evidence = {f"evidence_{part}": value for part, value in finding.pop("evidence").items()}
        assert row == {**evidence, "streams": [finding["stream"]], "notes": [], **finding}


@CAPTURES_OF_EACH_KIND
def test_the_tables_say_what_the_json_says(capture: Path, tmp_path: Path) -> None:
    check_tables(parquet(tmp_path / "out", capture), as_json(capture))


def test_frames_of_several_captures_are_named_with_their_file(tmp_path: Path) -> None:
    tables = parquet(tmp_path / "out", DEAD_PEER, CROWD)
    assert {row["frame"].partition(":")[0] for row in tables["probes"]} == {"0", "1"}
    check_tables(tables, as_json(DEAD_PEER, CROWD))


@pytest.mark.parametrize(
    "selector", [("--verdict", "lost_state"), ("--stream", 3), ("--stream", 999), ("--port", 7100)]
)
def test_selectors_choose_what_the_tables_hold(tmp_path: Path, selector: tuple[str, str | int]) -> None:
    arguments: list[str | Path] = [CROWD, *map(str, selector)]
    check_tables(parquet(tmp_path / "out", *arguments), as_json(*arguments))


def test_row_groups_are_written_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.report.arrow.ROWS", 7)
    tables = parquet(tmp_path / "out", CROWD)
    check_tables(tables, as_json(CROWD))
    groups = pq.ParquetFile(tmp_path / "out" / "probes.parquet").metadata.num_row_groups
    assert groups == -(-len(tables["probes"]) // 7)


def test_the_columns_are_those_of_the_csv_and_more() -> None:
    assert tuple(TABLES["flows"])[: len(COLUMNS)] == COLUMNS


def test_a_capture_without_packets_has_empty_tables(tmp_path: Path) -> None:
    path = tmp_path / "none.pcap"
    path.write_bytes(pcap([]))
    assert parquet(tmp_path / "out", path) == {name: [] for name in TABLES}
    schema = pq.read_schema(tmp_path / "out" / "flows.parquet")
    assert schema.names == list(TABLES["flows"])


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = os.umask(0)
    try:
        assert output("analyze", DEAD_PEER, "--format", "parquet", "-o", out) == ""
        assert output("analyze", DEAD_PEER, "--format", "parquet", "-o", out) == ""  # over what is there
    finally:
        os.umask(before)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


@pytest.mark.parametrize("arguments", [("analyze", DEAD_PEER), ("live", "-")])
def test_parquet_where_it_cannot_be_is_wrong_usage(arguments: tuple[str | Path, ...]) -> None:
    run = keepalive(*arguments, "--format", "parquet")
    assert (run.returncode, run.stdout) == (2, b"")
    assert b"parquet" in run.stderr


def test_a_capture_is_not_overwritten_by_its_own_table(tmp_path: Path) -> None:
    path = tmp_path / "probes.parquet"
    path.write_bytes(DEAD_PEER.read_bytes())
    run = keepalive("analyze", path, "--format", "parquet", "-o", tmp_path)
    assert (run.returncode, path.read_bytes()) == (2, DEAD_PEER.read_bytes())


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    for out in (taken, tmp_path / "no" / "folder"):
        run = keepalive("analyze", DEAD_PEER, "--format", "parquet", "-o", out)
        assert (run.returncode, run.stdout) == (4, b"")
        assert str(out) in run.stderr.decode()


def test_a_finding_fails_the_command_with_parquet_too(tmp_path: Path) -> None:
    run = keepalive("analyze", DEAD_PEER, "--format", "parquet", "-o", tmp_path / "out", "--fail-on", "high")
    assert run.returncode == 1
    assert (tmp_path / "out" / "findings.parquet").exists()
