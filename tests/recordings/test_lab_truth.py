"""What scenarios of the lab dictate, against what stands with their recordings; nothing is recorded for it.

Where these differ, `python3 captures/lab/record.py --findings` writes anew what may change without a new recording.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dictated
import gallery
import pytest
import readme
import record
from endpoints import Keepalive
from results import ROOT, TRUTHS
from stage import Scenario

CAPTURES = ROOT / "captures"
SCENARIOS = record.all_scenarios()
EVERY_SCENARIO = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
SETTINGS = ("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes", "user_timeout_s")
FIELDS = ("time", "intvl", "probes", "user_timeout_s")
Json = dict[str, Any]


def truth_of(scenario: Scenario) -> Json:
    truth: Json = json.loads((CAPTURES / scenario.name / "truth.json").read_text(encoding="utf-8"))
    return truth


def readme_of(scenario: Scenario) -> str:
    return (CAPTURES / scenario.name / "README.md").read_text(encoding="utf-8")


def keepalives(scenario: Scenario) -> Iterator[tuple[int, str, Keepalive]]:
    """The settings of a truth as the play set them, with connection and role."""
    for number, one in enumerate(truth_of(scenario)["connections"]):
        for role, settings in one["settings"].items():
            if settings:
                time, interval, probes, timeout = (settings[name] for name in SETTINGS)
                stretched = scenario.capture.stretched
                yield number, role, Keepalive(time // stretched, interval // stretched, probes, timeout)


def written(source: str) -> list[Json]:
    """Each `Keepalive(...)` in a source, as far as it is made of numbers."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    found = []
    for call in calls:
        if ast.unparse(call.func) == "Keepalive":
            given = {"user_timeout_s": ast.Constant(None)} | dict(zip(FIELDS, call.args, strict=False))
            given |= {word.arg: word.value for word in call.keywords if word.arg}
            found.append({name: node.value for name, node in given.items() if isinstance(node, ast.Constant)})
    return found


def test_each_scenario_has_its_recording_and_each_recording_its_scenario() -> None:
    assert set(SCENARIOS) == {path.parent.name for path in TRUTHS}


@EVERY_SCENARIO
def test_a_truth_says_what_its_scenario_dictates(scenario: Scenario) -> None:
    truth = truth_of(scenario)
    assert truth == dictated.renewed(truth, scenario)


@EVERY_SCENARIO
def test_a_readme_tells_what_its_scenario_does(scenario: Scenario) -> None:
    assert readme_of(scenario) == readme.renewed(readme_of(scenario), scenario)


@EVERY_SCENARIO
def test_as_many_probes_are_told_as_the_scenario_expects(scenario: Scenario) -> None:
    connections = truth_of(scenario)["connections"]
    assert {role: sum(one["probes"][role] for one in connections) for role in scenario.expected_probes} == (
        scenario.expected_probes
    )


@EVERY_SCENARIO
def test_settings_are_those_that_the_play_sets(scenario: Scenario) -> None:
    """The README has them as they were set; programs set their own, which only the kernel knew."""
    module = sys.modules[scenario.play.__module__]
    calls = written(inspect.getsource(module))
    told = " ".join(readme_of(scenario).split())
    for number, role, keepalive in keepalives(scenario):
        if number < readme.MOST_CONNECTIONS:
            assert readme.settings_line(number, role, keepalive) in told
        if not hasattr(module, "programs"):
            assert any(call.items() <= vars(keepalive).items() for call in calls), keepalive


def test_the_page_of_all_recordings_tells_what_their_truths_say() -> None:
    assert (CAPTURES / "README.md").read_text(encoding="utf-8") == gallery.gallery(CAPTURES, SCENARIOS)


def test_what_was_edited_by_hand_is_written_anew(tmp_path: Path) -> None:
    """What was recorded stays as it is."""
    scenario, folder = SCENARIOS["dead-peer"], tmp_path / "dead-peer"
    folder.mkdir()
    truth = truth_of(scenario)
    edited = truth | {"scenario": "peer", "findings": [], "not_shown": [], "chance": ["findings"], "kernel": "6.6"}
    (folder / "truth.json").write_text(record.as_text(edited), encoding="utf-8")
    text = readme_of(scenario).replace("becomes unreachable", "leaves").replace("at the client", "anywhere")
    (folder / "README.md").write_text(text, encoding="utf-8")
    changed = list(record.renew([scenario, SCENARIOS["curl"]], tmp_path))
    assert changed == [folder / "truth.json", folder / "README.md"]
    assert json.loads((folder / "truth.json").read_text(encoding="utf-8")) == truth | {"kernel": "6.6"}
    assert (folder / "README.md").read_text(encoding="utf-8") == readme_of(scenario)
    assert list(record.renew([scenario], tmp_path)) == []
