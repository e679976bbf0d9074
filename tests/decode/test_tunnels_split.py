"""One connection whatever tunnel it is captured in, unless tunnel ids are to tell connections apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from captures_in_bytes import SECOND, captured, pcap
from commands import output
from results import ROOT
from tunnelled import conversation

from analyzer import Analysis, analyze

FAR_APART = 1_500_000_000


def analysed(tmp_path: Path, *talks: list[bytes], split: bool = False, engine: str = "plain") -> Analysis:
    """Conversations, one packet of each in turn, twenty milliseconds apart."""
    frames = [frame for turn in zip(*talks, strict=True) for frame in turn]
    path = tmp_path / "talks.pcap"
    path.write_bytes(pcap([captured(frame, SECOND + i * 20_000_000) for i, frame in enumerate(frames)]))
    return analyze(str(path), split_tunnels=split, engine=engine)


def packets(analysis: Analysis) -> list[tuple[str | None, int]]:
    return [(flow.tunnel, sum(flow.packets)) for flow in analysis.flows]


@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_tenants_with_the_same_addresses_are_one_connection_and_that_is_said(tmp_path: Path, engine: str) -> None:
    analysis = analysed(tmp_path, conversation(1, 1000), conversation(2, FAR_APART), engine=engine)
    assert len(analysis) == 1
    [finding] = analysis.findings
    assert (finding.rule, finding.stream) == ("overlapping-tunnels", 0)
    assert finding.evidence.frames == (2,)


@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_split_by_tunnel_they_are_two(tmp_path: Path, engine: str) -> None:
    analysis = analysed(tmp_path, conversation(1, 1000), conversation(2, FAR_APART), split=True, engine=engine)
    assert packets(analysis) == [("vxlan 1", 10), ("vxlan 2", 10)]
    assert analysis.findings == []


def test_split_leaves_what_is_in_no_tunnel_alone(tmp_path: Path) -> None:
    analysis = analysed(tmp_path, conversation(None, 1000), conversation(3, FAR_APART), split=True)
    assert packets(analysis) == [(None, 10), ("vxlan 3", 10)]


def test_a_connection_that_moves_to_another_tunnel_stays_one(tmp_path: Path) -> None:
    talk = conversation(1, 1000)[:5] + conversation(2, 1000)[5:]
    analysis = analysed(tmp_path, talk)
    assert packets(analysis) == [("vxlan 2", 10)]
    assert analysis.findings == []


def test_the_same_packets_inside_and_outside_of_a_tunnel_count_once(tmp_path: Path) -> None:
    inside, outside = conversation(None, 1000), conversation(7, 1000)
    frames = [frame for pair in zip(inside, outside, strict=True) for frame in pair]
    path = tmp_path / "any.pcap"
    times = [SECOND + i // 2 * 20_000_000 + i % 2 * 30_000 for i in range(len(frames))]
    path.write_bytes(pcap([captured(frame, time) for frame, time in zip(frames, times, strict=True)]))
    analysis = analyze(str(path))
    assert packets(analysis) == [(None, 10)]
    assert analysis.captures[0].duplicates == 10


def test_the_command_line_splits_and_shows_tunnels(tmp_path: Path) -> None:
    analysed(tmp_path, conversation(1, 1000), conversation(2, FAR_APART))
    whole = output("analyze", tmp_path / "talks.pcap")
    assert "overlapping-tunnels" in whole
    split = output("analyze", "--split-tunnels", tmp_path / "talks.pcap")
    assert "tunnel\n" in split
    assert "vxlan 1" in split
    assert "overlapping" not in split


@pytest.mark.parametrize(("case", "tunnel"), [("vxlan", "vxlan 42"), ("gre", "gre 48879"), ("dead-peer", None)])
@pytest.mark.parametrize("split", [False, True])
def test_a_recorded_tunnel_is_named(case: str, tunnel: str | None, split: bool) -> None:
    analysis = analyze(str(ROOT / "captures" / case / "capture.pcap"), split_tunnels=split)
    assert [flow.tunnel for flow in analysis.flows] == [tunnel]
    shown: Any = analysis.to_json()
    assert f'"tunnel": "{tunnel}"' in shown if tunnel else '"tunnel": null' in shown
