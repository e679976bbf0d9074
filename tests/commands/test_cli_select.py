"""Selectors: they filter what is shown; the whole capture is analysed, and stream numbers never change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import click
import pytest
from commands import as_json, inside, keepalive, output, streams
from results import ROOT

from analyzer import UsageError

FOUR = ROOT / "captures" / "refused-and-no-answer" / "capture.pcap"
BOTH_IP = ROOT / "captures" / "any-interface" / "capture.pcap"
REUSE = ROOT / "captures" / "port-reuse" / "capture.pcap"
INDIA = timezone(timedelta(hours=5, minutes=30))


def test_streams_keep_their_numbers_and_their_facts() -> None:
    whole = as_json(FOUR)["flows"]
    assert as_json(FOUR, "--stream", "2")["flows"] == [whole[2]]
    assert as_json(FOUR, "--stream", "3", "--stream", "1")["flows"] == [whole[1], whole[3]]
    assert as_json(FOUR, "--stream", "99")["flows"] == []


@pytest.mark.parametrize(
    ("host", "shown"),
    [("192.0.2.10", [0]), ("198.51.100.20", [0]), ("2001:db8:c::10", [1]), ("2001:0DB8:C:0::10", [1]),
     ("[2001:db8:c::10]", [1]), ("::ffff:192.0.2.10", [0]), ("192.0.2.11", [])],
)  # fmt: skip
def test_a_host_is_either_end_however_its_address_is_written(host: str, shown: list[int]) -> None:
    assert streams(BOTH_IP, "--host", host) == shown


def test_a_port_is_either_ends() -> None:
    assert streams(FOUR, "--port", "7009") == [0]
    assert streams(FOUR, "--port", "40003") == [2]
    assert streams(FOUR, "--port", "7000") == [2, 3]
    assert streams(FOUR, "--port", "7009", "--port", "7010") == [0, 1]
    assert streams(FOUR, "--port", "1") == []


def test_a_verdict_selects_those_judged_so() -> None:
    assert streams(FOUR, "--verdict", "closed") == [3]
    assert streams(FOUR, "--verdict", "closed", "--verdict", "refused") == [0, 3]
    assert streams(FOUR, "--verdict", "healthy") == []


def test_selectors_of_different_kinds_must_all_fit() -> None:
    assert streams(FOUR, "--port", "7000", "--verdict", "closed") == [3]
    assert streams(FOUR, "--port", "7009", "--verdict", "closed") == []


def moments(seconds: Decimal, first: Decimal) -> list[str]:
    """One moment in every form that TIME has, for a reader in the zone UTC+5:30."""
    whole = datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=int(seconds % 1 * 10**6))
    return [
        str(seconds),
        f"+{seconds - first}",
        whole.isoformat(),
        whole.isoformat().replace("+00:00", "Z"),
        whole.astimezone(timezone(timedelta(hours=-7))).isoformat(),
        whole.astimezone(INDIA).replace(tzinfo=None).isoformat(),
    ]


@pytest.mark.parametrize("form", range(6), ids=["unix", "relative", "utc", "z", "offset", "naive"])
def test_start_and_end_select_by_time_in_every_form(form: int, in_india: None) -> None:
    flows = as_json(FOUR)["flows"]
    first = as_json(FOUR)["captures"][0]["first_time"]
    for flow in flows:
        start = moments(flow["end"], first)[form]
        assert streams(FOUR, "--start", start) == [f["stream"] for f in flows if f["end"] >= flow["end"]]
        end = moments(flow["start"], first)[form]
        assert streams(FOUR, "--end", end) == [f["stream"] for f in flows if f["start"] <= flow["start"]]


def test_times_are_understood_by_the_command_too() -> None:
    last = as_json(FOUR)["flows"][-1]
    start = moments(last["end"], last["start"])[5]
    text = output("analyze", FOUR, "--start", start, "--format", "csv", variables={"TZ": "XYZ-5:30"})
    assert [row.split(",")[0] for row in text.splitlines()[1:]] == ["3"]


def test_a_time_beyond_all_captures_selects_nothing_or_all() -> None:
    assert streams(FOUR, "--start", "9" * 40) == []
    assert streams(FOUR, "--end", "+" + "9" * 40) == [0, 1, 2, 3]


def test_the_whole_capture_is_analysed_whatever_is_shown() -> None:
    whole, part = as_json(REUSE), as_json(REUSE, "--stream", "0")
    assert part["captures"] == whole["captures"]
    assert part["flows"] == whole["flows"][:1]


def test_findings_are_those_of_the_connections_shown() -> None:
    assert [finding["stream"] for finding in as_json(REUSE)["findings"]] == [1]
    assert as_json(REUSE, "--stream", "1")["findings"] == as_json(REUSE)["findings"]
    assert as_json(REUSE, "--stream", "0")["findings"] == []


@pytest.mark.parametrize("form", ["text", "csv", "ndjson"])
def test_selectors_work_in_every_format(form: str) -> None:
    text = inside("analyze", FOUR, "--format", form, "--verdict", "no_answer")
    assert "40002" in text
    assert "40003" not in text


@pytest.mark.parametrize(
    "selector",
    [("--host", "example.org"), ("--host", "1.2.3"), ("--port", "no-such"), ("--stream", "x"), ("--verdict", "dead"),
     ("--start", "yesterday"), ("--end", "25:00"), ("--start", "+"), ("--end", "2026-13-01"), ("--start", ""),
     ("--start", "-5")],
)  # fmt: skip
def test_a_selector_that_cannot_be_read_is_wrong_usage(selector: tuple[str, str]) -> None:
    with pytest.raises((UsageError, click.UsageError)):
        inside("analyze", FOUR, *selector)


def test_the_message_about_a_selector_names_it() -> None:
    run = keepalive("analyze", FOUR, "--verdict", "dead")
    assert (run.returncode, run.stdout) == (2, b"")
    assert b"--verdict dead" in run.stderr
    assert b"did you mean 'dead-peer'?" in run.stderr


def test_a_wrong_selector_is_told_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("kept")
    run = keepalive("analyze", FOUR, "--verdict", "dead", "-o", out)
    assert run.returncode == 2
    assert out.read_text() == "kept"
