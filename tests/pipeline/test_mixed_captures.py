"""Captures that do not belong together do not run into one another."""

from __future__ import annotations

from pathlib import Path

import pytest
from cut_captures import differences, story
from places_in_bytes import BARE, NEAR, NUMBERED, Kind, Traffic, rotated, written
from test_rotated_sets import renumbered

from analyzer import analyze

every = pytest.mark.parametrize("kind", [*BARE, *NUMBERED], ids=str)


def mixed(paths: list[Path]) -> list[str]:
    return [one.summary for one in analyze(*map(str, paths), engine="plain").findings if one.rule == "mixed-captures"]


@pytest.mark.parametrize("later", [0, 0.5, 3 * 3600])
def test_other_hosts_with_the_same_addresses(tmp_path: Path, later: float) -> None:
    traffic = Traffic(Kind())
    traffic.idle((20.0,) * 3, 8)
    one = written(traffic.at(NEAR), tmp_path / "berlin.pcap")
    other = written(renumbered(traffic.at(NEAR, ahead=later), 2_000_000_000), tmp_path / "rome.pcap")
    [summary] = mixed([one, other])
    assert summary == (
        "rome.pcap and berlin.pcap do not belong together: 3 connections with the same addresses and ports, but "
        "unrelated sequence numbers"
    )
    whole = story([one, other])
    assert len(whole["flows"]) == 6
    assert [flow["keepalive"][0]["probes"] for flow in whole["flows"]] == [8] * 6
    assert "contradict" in whole["why"][0]


@every
def test_a_rotated_set_does_not_contradict_itself(tmp_path: Path, kind: Kind) -> None:
    """Nor where much was sent while the capture was off, nor where a SYN shows that a connection came anew."""
    traffic = Traffic(kind)
    traffic.idle((20.0,) * 3, 12)
    traffic.handshake(5, 9)
    traffic.request(6, 9, 0)
    traffic.request(200, 9, 100_000)
    assert mixed(rotated(traffic.at(NEAR), 6, tmp_path)) == []
    again = renumbered(traffic.at(NEAR, ahead=500), 2_000_000_000) if kind == Kind() else []
    only = [packet for packet in again if packet.octets[54:56] == (41_009).to_bytes(2, "big")]
    assert only or kind != Kind()
    assert mixed([written(traffic.at(NEAR), tmp_path / "a.pcap"), written(only, tmp_path / "b.pcap")]) == []


def test_two_of_three_that_belong_together_stay_together(tmp_path: Path) -> None:
    traffic = Traffic(Kind())
    traffic.idle((20.0,) * 3, 12)
    here = rotated(traffic.at(NEAR), 2, tmp_path, "here")
    there = written(renumbered(traffic.at(NEAR, ahead=100), 2_000_000_000), tmp_path / "elsewhere.pcap")
    (tmp_path / "one").mkdir()
    whole = story([written(traffic.at(NEAR), tmp_path / "one" / "all.pcap")])
    together = story([here[0], there, here[1]])
    assert len(together["flows"]) == 6
    assert [flow["keepalive"][0]["probes"] for flow in together["flows"]] == [12] * 6
    assert differences(whole, story(here)) == []
