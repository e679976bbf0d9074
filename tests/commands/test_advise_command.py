"""`keepalive advise`: what it prints, in which form, of which connections, and what it refuses."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from advised import advice_on
from commands import inside, keepalive
from conversation import CLIENT, SERVER, Conversation
from results import ROOT, recorded

from analyzer.advise import advise
from analyzer.model.advice import Advice, Between
from analyzer.report.advice import write_text

DEAD_PEER = ROOT / "captures" / "dead-peer" / "capture.pcap"
CROWD = ROOT / "captures" / "crowd" / "capture.pcap"
FORGETS = ROOT / "captures" / "firewall-forgets-some" / "capture.pcap"
MOST_LINES = 40


def as_json(*arguments: str | Path) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(inside("advise", *arguments, "--format", "json"))
    return whole


def text_of(advice: Advice, width: int = 100) -> list[str]:
    out = io.StringIO()
    write_text(advice, width, out)
    return out.getvalue().splitlines()


def test_the_answer_comes_first_and_the_settings_seen_before_others() -> None:
    lines = inside("advise", DEAD_PEER, "--settings", "2/1/3", "--settings", "1m/10s/3").splitlines()
    assert lines[0].startswith("The settings seen are good: they notice a dead peer about 11 s after its last packet")
    table = [line.split("  ")[0] for line in lines[lines.index("") + 1 :]]
    assert table[:4] == ["settings", "as seen", "2/1/3", "60/10/3"]
    assert any(re.match(r"as seen +11\.2 s +1,\d{3}$", line) for line in lines)
    assert any(re.match(r"60/10/3 +90 s, slower", line) for line in lines)


def test_without_settings_it_proposes_some() -> None:
    text = inside("advise", FORGETS)
    assert text.startswith("Use 9/4/3 for ")
    assert "5 of 5" in text and "set an idle time of at most 9 s" in text


def test_json_says_the_same_in_seconds() -> None:
    whole = as_json(DEAD_PEER, "--settings", "2/1/3/ut4.5")
    [failure], [seen, tried] = whole["failures"], whole["replays"]
    assert (failure["kind"], failure["streams"], failure["settings"]) == ("dead_peer", [0], "3/2/4")
    assert failure["noticed"]["longest"] == pytest.approx(11.214, abs=0.001)
    assert (seen["settings"], tried["settings"]) == (None, {"idle": 2, "interval": 1, "count": 3, "user_timeout": 4.5})
    assert tried["outcomes"][0]["noticed"]["nominal"] == 5
    assert (whole["schema_version"], whole["take"], whole["connections"]) == (1, None, 1)


def test_selectors_choose_failures_and_what_probes_cost() -> None:
    whole = as_json(CROWD)
    some = as_json(CROWD, "--port", "7100")
    assert {failure["service"] for failure in some["failures"]} == {"198.51.100.20:7100"}
    assert some["connections"] == sum(len(failure["streams"]) for failure in some["failures"]) == 40
    assert some["replays"][0]["probes_per_hour"] < whole["replays"][0]["probes_per_hour"]
    assert keepalive("advise", CROWD, "--stream", "9999").returncode == 6


def test_standard_input_is_read_twice() -> None:
    run = keepalive("advise", "-", "--settings", "2/1/3", "--format", "json", stdin=DEAD_PEER.read_bytes())
    assert run.returncode == 0
    assert json.loads(run.stdout)["replays"] == as_json(DEAD_PEER, "--settings", "2/1/3")["replays"]


def test_it_writes_where_it_is_told(tmp_path: Path) -> None:
    out = tmp_path / "advice.txt"
    assert inside("advise", DEAD_PEER, "-o", out) == ""
    assert out.read_text(encoding="utf-8") == inside("advise", DEAD_PEER)


@pytest.mark.parametrize("settings", ["60/10", "60/10/3/90", "0/1/1", "x"])
def test_settings_that_make_no_sense_are_refused(settings: str) -> None:
    run = keepalive("advise", DEAD_PEER, "--settings", settings)
    assert (run.returncode, run.stdout) == (2, b"")
    assert f"--settings {settings}:".encode() in run.stderr


def test_a_capture_is_not_overwritten(tmp_path: Path) -> None:
    copy = tmp_path / "capture.pcap"
    copy.write_bytes(DEAD_PEER.read_bytes())
    assert keepalive("advise", copy, "-o", copy).returncode == 2


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("name", ["crowd", "firewall-forgets-some", "half-open-data", "close-wait-leak", "quiet"])
def test_it_fits(name: str, width: int) -> None:
    lines = text_of(advise(recorded(ROOT / "captures" / name / "capture.pcap")), width)
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("shortest", "longest", "text"),
    [(9.0, 9.0, "9 s"), (9.0, 9.3, "9 to 9.3 s"), (0.2, 3.0, "0.2 to 3 s"), (5.0, 125.0, "5 s to 2 min 5 s"),
     (5.0, 10_800.0, "5 s to 3 h")],
)  # fmt: skip
def test_a_range_names_its_unit_once(shortest: float, longest: float, text: str) -> None:
    advice = advise(recorded(DEAD_PEER))
    failure = replace(advice.failures[0], noticed=Between(shortest, longest))
    lines = " ".join(text_of(replace(advice, failures=(failure,)), 200))
    assert f"noticed {text} after the peer's last packet" in lines


def test_many_services_are_a_few_lines() -> None:
    talks = [
        Conversation(ports=(40_000 + n, 6000 + n)).handshake().data(CLIENT, 10).data(SERVER, 10) for n in range(60)
    ]
    dead = [
        Conversation(ports=(50_000 + n, 7000 + n)).handshake().data(CLIENT, 10).data(SERVER, 10)
        .idle(300 + n).probes(CLIENT, 4, every=75, answered=False).rst(CLIENT)
        for n in range(60)
    ]  # fmt: skip
    lines = text_of(advice_on(*talks, *dead))
    assert len(lines) <= MOST_LINES
    assert any("57 connections to 57 more services, noticed 10 min" in line for line in lines)
    assert any("57 connections to 57 more services, silent" in line for line in lines)
