"""`analyze --each`: every capture by itself, in the forms that can hold several results."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from commands import keepalive
from results import ROOT, result

DEAD, SIX = ROOT / "captures/dead-peer/capture.pcap", ROOT / "captures/ipv6/capture.pcap"


def alone(path: Path) -> object:
    return json.loads(keepalive("analyze", path, "--format", "json").stdout, parse_float=Decimal)


def test_json_is_an_array_of_what_each_gives_alone() -> None:
    run = keepalive("analyze", DEAD, SIX, "--each", "--format", "json")
    assert run.returncode == 0
    assert json.loads(run.stdout, parse_float=Decimal) == [alone(DEAD), alone(SIX)]


def test_ndjson_is_one_result_after_the_other() -> None:
    together = keepalive("analyze", DEAD, SIX, "--each", "--format", "ndjson").stdout
    parts = [keepalive("analyze", path, "--format", "ndjson").stdout for path in (DEAD, SIX)]
    assert together == b"".join(parts)
    assert [json.loads(line)["type"] for line in together.splitlines()].count("capture") == 2


def test_text_has_a_heading_for_each() -> None:
    text = keepalive("analyze", DEAD, SIX, "--each").stdout.decode()
    parts = [f"{path}\n{'=' * len(str(path))}\n{keepalive('analyze', path).stdout.decode()}" for path in (DEAD, SIX)]
    assert text == "\n".join(parts)


def test_the_files_of_a_folder_are_looked_at_one_by_one(tmp_path: Path) -> None:
    for name in ("a.pcap", "b.pcap"):
        (tmp_path / name).write_bytes(DEAD.read_bytes())
    whole = json.loads(keepalive("analyze", tmp_path, "--each", "--format", "json").stdout)
    assert [one["captures"][0]["path"] for one in whole] == [str(tmp_path / "a.pcap"), str(tmp_path / "b.pcap")]
    assert [len(one["flows"]) for one in whole] == [1, 1]
    assert len(result(tmp_path)["flows"]) == 1  # by default they are one traffic


def test_one_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    run = keepalive("analyze", tmp_path / "absent", DEAD, "--each", "--format", "json")
    assert run.returncode == 0
    assert len(json.loads(run.stdout)) == 1
    assert b"absent" in run.stderr
    assert keepalive("analyze", tmp_path / "absent", "--each").returncode == 3


@pytest.mark.parametrize("options", [("--format", "csv"), ("--format", "parquet", "-o", "out"), ("--both-ends",)])
def test_what_makes_no_sense_is_refused(options: tuple[str, ...]) -> None:
    assert keepalive("analyze", DEAD, SIX, "--each", *options).returncode == 2


def test_the_status_tells_of_any_of_them() -> None:
    quiet = ROOT / "captures/quiet/capture.pcap"
    for captures in ((quiet, DEAD), (DEAD, quiet)):
        assert keepalive("analyze", *captures, "--each", "--fail-on", "high").returncode == 1
    assert keepalive("analyze", quiet, "--each", "--fail-on", "high").returncode == 0
