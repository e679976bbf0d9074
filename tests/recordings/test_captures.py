"""What the analyzer says of each recording, against what is true: the truth was told by script, kernel and far end."""

from __future__ import annotations

from pathlib import Path

import pytest
from results import ROOT, TRUTHS
from truths import disagreements, is_hidden, truth_of, wrong_beats, wrong_packets

MAX_SIZE = 200_000
MAX_SIZE_OF_ALL = 12_000_000
EVERY_TRUTH = pytest.mark.parametrize("path", TRUTHS, ids=lambda path: path.parent.name)


def test_there_are_recordings() -> None:
    assert len(TRUTHS) >= 90


def test_a_path_hides_itself_and_what_lies_below_it() -> None:
    hidden = ["connections.1.state", "connections.0.ending.why"]
    assert is_hidden("connections.1.state", hidden)
    assert is_hidden("connections.1.state.client", hidden)
    assert not is_hidden("connections.1.states", hidden)
    assert not is_hidden("connections.10.state", hidden)
    assert not is_hidden("connections.0.ending", hidden)


def test_heartbeats_are_held_to_their_sender_their_period_and_their_number() -> None:
    truth = {"connections": [{"heartbeats": [{"sender": "client", "period_s": 5.0, "jitter": 0.1, "sent": 7}]}]}
    beats = {"sender": "client", "period_s": 5.4, "sent": 6}
    assert wrong_beats([{"heartbeats": [beats]}], truth) == {}
    for other in ([], [beats | {"sender": "server"}], [beats | {"period_s": 5.6}], [beats | {"sent": 8}]):
        assert list(wrong_beats([{"heartbeats": other}], truth)) == ["connections.0.heartbeats"]
    assert wrong_beats([{"heartbeats": [beats]}], {"connections": [{"heartbeats": []}]}) != {}
    assert wrong_beats([{"heartbeats": [beats]}], {"connections": [{}]}) == {}


def test_packets_that_are_counted_twice_are_told() -> None:
    truth = {"connections": [{}, {"packets": {"client": 9, "server": 8}}]}
    flows = [{"packets": {"client": 1, "server": 1}}, {"packets": {"client": 18, "server": 8}}]
    assert list(wrong_packets(flows, truth)) == ["connections.1.packets"]


@EVERY_TRUTH
def test_the_analyzer_tells_the_truth(path: Path) -> None:
    assert disagreements(path) == {}


@EVERY_TRUTH
def test_what_a_recording_does_not_show_is_named_in_its_truth(path: Path) -> None:
    """A path in `not_shown` leads to something: a spelling mistake would hide nothing and look like honesty."""
    truth = truth_of(path)
    for hidden in truth["not_shown"]:
        node = truth
        for part in hidden.split("."):
            node = node[int(part)] if isinstance(node, list) else node[part]
    assert set(truth["shown_instead"]) <= set(truth["not_shown"])


@EVERY_TRUTH
def test_a_recording_stands_with_its_truth_and_its_story(path: Path) -> None:
    truth = truth_of(path)
    folder = path.parent
    files = list(folder.glob(truth["capture"]))
    assert {file.name for file in folder.iterdir()} == {"README.md", "truth.json", *(file.name for file in files)}
    assert 0 < sum(file.stat().st_size for file in files) < MAX_SIZE
    assert truth["scenario"] == folder.name
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {folder.name}\n")
    assert "CC0" in readme


def test_no_folder_of_recordings_lacks_its_truth() -> None:
    folders = {folder.name for folder in (ROOT / "captures").iterdir() if folder.is_dir()} - {"lab", "__pycache__"}
    assert folders == {path.parent.name for path in TRUTHS}


def test_all_recordings_together_are_small() -> None:
    assert sum(file.stat().st_size for path in TRUTHS for file in path.parent.iterdir()) < MAX_SIZE_OF_ALL
