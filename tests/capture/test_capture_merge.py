"""Several captures are one timeline in time order, however the packets are spread over them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from captures_in_bytes import Captured, pcap, pcapng
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from results import CAPTURES, result
from talks_in_bytes import ethernet_talk

TALK = ethernet_talk()
FILES = 3


def whole(tmp_path: Path, packets: list[Captured]) -> dict[str, Any]:
    path = tmp_path / "whole"
    path.write_bytes(pcap(packets, nanoseconds=True))
    return result(path)


def with_frames(flows: Any, frames: list[str]) -> Any:
    """The flows with each frame number replaced by its place in another set of files."""
    text = json.dumps(flows, default=str)
    tree = json.loads(text)

    def turn(node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            return {name: turn(value, name) for name, value in node.items()}
        if isinstance(node, list):
            return [turn(value, key) for value in node]
        return frames[node - 1] if key in ("frame", "answer_frame") and node is not None else node

    return turn(tree)


@given(where=st.lists(st.integers(0, FILES - 1), min_size=len(TALK), max_size=len(TALK)))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_packets_are_spread_over_files_the_story_is_the_same(tmp_path: Path, where: list[int]) -> None:
    frames, parts = [], [[] for _ in range(FILES)]  # type: ignore[var-annotated]
    for packet, file in zip(TALK, where, strict=True):
        parts[file].append(packet)
        frames.append(f"{file}:{len(parts[file])}")
    paths = [tmp_path / str(file) for file in range(FILES)]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(pcap(part, nanoseconds=True))
    got = result(*paths)
    expected = with_frames(whole(tmp_path, TALK)["flows"], frames)
    assert json.loads(json.dumps(got["flows"], default=str)) == expected
    assert [capture["packets"] for capture in got["captures"]] == [len(part) for part in parts]
    assert got == result(*paths, engine="compiled")


def test_captures_named_out_of_order_are_read_in_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "early").write_bytes(pcap(TALK[:9]))
    (tmp_path / "late").write_bytes(pcap(TALK[9:]))
    (flow,) = result(tmp_path / "late", tmp_path / "early")["flows"]
    (expected,) = result(tmp_path / "early", tmp_path / "late")["flows"]
    for field in ("verdict", "state", "ending", "handshake", "packets", "start", "end"):
        assert flow[field] == expected[field]


def test_files_of_different_formats_and_clocks_are_one_timeline(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap(TALK[::2], ">"))
    (tmp_path / "b").write_bytes(pcapng(TALK[1::2], tsresol=9))
    (flow,) = result(tmp_path / "a", tmp_path / "b")["flows"]
    (expected,) = whole(tmp_path, TALK)["flows"]
    for field in ("verdict", "state", "handshake", "packets", "bytes"):
        assert flow[field] == expected[field]


def test_packets_out_of_order_within_a_file_are_all_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap([*TALK[8:], *TALK[:4]]))
    (tmp_path / "b").write_bytes(pcap(TALK[4:8]))
    got = result(tmp_path / "a", tmp_path / "b")
    assert [capture["packets"] for capture in got["captures"]] == [len(TALK) - 4, 4]
    assert sum(sum(flow["packets"].values()) for flow in got["flows"]) == len(TALK)


def test_a_capture_that_is_cut_short_does_not_end_the_others(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap(TALK[::2])[:-3])
    (tmp_path / "b").write_bytes(pcap(TALK[1::2]))
    got = result(tmp_path / "a", tmp_path / "b")
    assert [len(capture["problems"]) for capture in got["captures"]] == [1, 0]
    assert [capture["packets"] for capture in got["captures"]] == [len(TALK[::2]) - 1, len(TALK[1::2])]


@pytest.mark.parametrize("count", [2, 40])
def test_many_captures_keep_their_numbers(count: int) -> None:
    named = [CAPTURES[i % len(CAPTURES)] for i in range(count)]
    got = result(*named)
    assert [capture["packets"] for capture in got["captures"]] == [
        result(capture)["captures"][0]["packets"] for capture in named
    ]
    frames = {p["frame"] for f in got["flows"] for k in f["keepalive"] for e in k["episodes"] for p in e["probes"]}
    assert {int(frame.partition(":")[0]) for frame in frames} <= set(range(count))
