"""Selectors select findings as well as connections, in every output; nothing selected has a status of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from captures_in_bytes import SECOND, pcap
from commands import as_json, inside, keepalive, streams
from results import ROOT
from talks_in_bytes import ethernet_talk

CROWD, FOUR = (ROOT / "captures" / name / "capture.pcap" for name in ("crowd", "refused-and-no-answer"))
SEVERE = ("high", "medium")


def findings(*arguments: str | Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = as_json(*arguments)["findings"]
    return found


@pytest.fixture
def stepped(tmp_path: Path) -> Path:
    """A capture whose clock goes back by a minute, which is a finding about no connection."""
    path = tmp_path / "stepped.pcap"
    packets = ethernet_talk()
    path.write_bytes(pcap(one._replace(time=one.time - (place > 4) * 60 * SECOND) for place, one in enumerate(packets)))
    return path


def about(finding: dict[str, Any]) -> set[int]:
    return set(finding["streams"]) if finding["stream"] is None else {finding["stream"]}


@pytest.mark.parametrize("selector", [("--stream", "10"), ("--port", "7100"), ("--verdict", "lost_state")])
def test_a_finding_is_selected_with_one_of_its_connections(selector: tuple[str, str]) -> None:
    shown = set(streams(CROWD, *selector))
    whole = findings(CROWD)
    assert findings(CROWD, *selector) == [one for one in whole if about(one) & shown]
    assert any(not about(one) & shown for one in whole)


def test_a_finding_about_several_connections_is_shown_whole_with_one_of_them() -> None:
    several = next(one for one in findings(CROWD) if one["stream"] is None and len(one["streams"]) > 1)
    assert several in findings(CROWD, "--stream", str(several["streams"][-1]))


def test_a_finding_about_the_capture_is_selected_while_no_connection_is_asked_for(stepped: Path) -> None:
    assert "clock-step" in [one["rule"] for one in findings(stepped)]
    assert [one["rule"] for one in findings(stepped, "--rule", "clock-step")] == ["clock-step"]
    assert streams(stepped, "--rule", "clock-step") == []
    assert "clock-step" not in [one["rule"] for one in findings(stepped, "--stream", "0")]


@pytest.mark.parametrize("severity", ["info", "low", "medium", "high", "HIGH"])
def test_a_severity_selects_findings_and_the_connections_that_they_name(severity: str) -> None:
    words = ("info", "low", "medium", "high")
    expected = [one for one in findings(CROWD) if words.index(one["severity"]) >= words.index(severity.lower())]
    assert findings(CROWD, "--severity", severity) == expected
    assert streams(CROWD, "--severity", severity) == sorted(set().union(*map(about, expected)))


@pytest.mark.parametrize("name", ["lost-state", "lost_state", "Lost-State"])
def test_a_rule_selects_its_findings_and_the_connections_that_they_name(name: str) -> None:
    expected = [one for one in findings(CROWD) if one["rule"] == "lost-state"]
    assert findings(CROWD, "--rule", name) == expected
    assert streams(CROWD, "--rule", name) == sorted(set().union(*map(about, expected)))
    two = findings(CROWD, "--rule", name, "--rule", "close-wait-leak")
    assert {one["rule"] for one in two} == {"lost-state", "close-wait-leak"}


def test_connections_are_those_that_all_selectors_fit() -> None:
    severe = streams(CROWD, "--severity", "high")
    assert streams(CROWD, "--severity", "high", "--port", "7100") == [
        stream for stream in streams(CROWD, "--port", "7100") if stream in severe
    ]


def test_what_is_ignored_is_neither_shown_nor_counted() -> None:
    whole = findings(CROWD)
    rules = {one["rule"] for one in whole if one["severity"] in SEVERE}
    ignored = [word for rule in rules for word in ("--ignore", rule)]
    assert rules
    assert findings(CROWD, *ignored) == [one for one in whole if one["rule"] not in rules]
    assert streams(CROWD, *ignored) == streams(CROWD)
    assert keepalive("analyze", CROWD, "--fail-on", "medium").returncode == 1
    assert keepalive("analyze", CROWD, "--fail-on", "medium", *ignored).returncode == 0


def test_fail_on_counts_what_is_selected() -> None:
    healthy = next(flow["stream"] for flow in as_json(CROWD)["flows"] if flow["verdict"] == "healthy")
    assert keepalive("analyze", CROWD, "--fail-on", "high").returncode == 1
    assert keepalive("analyze", CROWD, "--fail-on", "high", "--stream", "10").returncode == 1
    assert keepalive("analyze", CROWD, "--fail-on", "high", "--stream", str(healthy)).returncode == 0


@pytest.mark.parametrize("form", ["text", "ndjson"])
def test_every_form_has_the_selected_findings(form: str) -> None:
    text = inside("analyze", CROWD, "--format", form, "--port", "7100")
    assert "keepalive-exhausted-but-alive" in text
    assert "close-wait-leak" not in text
    assert "close-wait-leak" in inside("analyze", CROWD, "--format", form, "--ignore", "lost-state")


def test_a_report_has_the_selected_findings(tmp_path: Path) -> None:
    out = tmp_path / "report.md"
    inside("report", CROWD, "--format", "markdown", "--rule", "lost-state", "-o", out)
    text = out.read_text()
    assert "lost-state" in text
    assert "close-wait-leak" not in text
    assert "--rule lost-state" in text  # the command that makes the same report


def test_parquet_has_the_selected_findings(tmp_path: Path) -> None:
    from pyarrow.parquet import read_table

    inside("analyze", CROWD, "--format", "parquet", "--rule", "lost_state", "-o", tmp_path)
    rules = read_table(tmp_path / "findings.parquet").column("rule").to_pylist()
    assert set(rules) == {"lost-state"}
    flows = read_table(tmp_path / "flows.parquet").column("stream").to_pylist()
    assert flows == streams(CROWD, "--rule", "lost-state")


NOWHERE = ("--host", "203.0.113.99")


@pytest.mark.parametrize("form", ["text", "json", "ndjson", "csv"])
def test_6_when_nothing_matches_and_the_result_is_written_all_the_same(form: str) -> None:
    run = keepalive("analyze", CROWD, *NOWHERE, "--format", form, "--fail-on", "info")
    assert run.returncode == 6
    assert run.stderr == b"keepalive: no connection matches --host 203.0.113.99; the capture has 200\n"
    if form == "json":
        whole = json.loads(run.stdout)
        assert (whole["flows"], whole["findings"]) == ([], [])


def test_6_is_quiet_when_asked_to_be() -> None:
    run = keepalive("analyze", CROWD, *NOWHERE, "-q")
    assert (run.returncode, run.stderr) == (6, b"")


def test_6_names_findings_where_those_were_asked_for(stepped: Path) -> None:
    run = keepalive("analyze", FOUR, "--rule", "clock-step")
    assert (run.returncode, run.stderr) == (6, b"keepalive: no finding matches --rule clock-step\n")
    assert keepalive("analyze", stepped, "--rule", "clock-step").returncode == 0


def test_6_with_each_only_when_no_capture_has_any() -> None:
    two = ("analyze", "--each", CROWD, FOUR)
    run = keepalive(*two, *NOWHERE)
    assert run.returncode == 6
    assert run.stderr.decode().endswith("; the captures have 204\n")
    assert keepalive(*two, "--port", "7009").returncode == 0


@pytest.mark.parametrize(
    ("command", "name"),
    [(("chart", "--kind", "timeline"), "x.svg"), (("extract",), "x.pcapng"), (("report",), "x.html"),
     (("annotate",), "x.pcapng")],
)  # fmt: skip
def test_6_writes_no_file(command: tuple[str, ...], name: str, tmp_path: Path) -> None:
    out = tmp_path / name
    run = keepalive(command[0], CROWD, *command[1:], *NOWHERE, "-o", out)
    assert (run.returncode, run.stdout, out.exists()) == (6, b"", False)
    assert b"no connection matches" in run.stderr


def test_0_when_nothing_was_asked_for_and_nothing_is_there(tmp_path: Path) -> None:
    path = tmp_path / "none.pcap"
    path.write_bytes(pcap([]))
    assert keepalive("analyze", path, "--ignore", "clock-step").returncode == 0
    assert keepalive("analyze", path, "--stream", "0").stderr.endswith(b"the capture has none\n")


def test_extract_by_severity(tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    inside("extract", CROWD, "--severity", "high", "-o", out)
    assert len(as_json(out)["flows"]) == len(streams(CROWD, "--severity", "high"))
