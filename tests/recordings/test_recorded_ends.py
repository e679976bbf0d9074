"""What is told of recordings in which the end is easily misread: late words, resets, errors, sets and places."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from results import ROOT, result

import analyzer
from analyzer.analysis import Analysis
from analyzer.model.findings import Finding

PCAP_HEADER = 24
Json = dict[str, Any]


def files(name: str) -> list[Path]:
    return sorted((ROOT / "captures" / name).glob("capture*.pcap"))


@cache
def analysis(name: str) -> Analysis:
    return analyzer.analyze(*map(str, files(name)))


def findings(name: str, stream: int) -> dict[str, Finding]:
    """The findings about one connection, by rule; none is told twice."""
    about = [one for one in analysis(name).findings if one.stream == stream or stream in one.streams]
    assert len({one.rule for one in about}) == len(about)
    return {one.rule: one for one in about}


def story(whole: Json) -> list[Json]:
    """What is said of each connection, but for frame numbers, which depend on the files."""
    told = []
    for flow in whole["flows"]:
        entries = [{name: entry[name] for name in entry if name != "episodes"} for entry in flow["keepalive"]]
        told.append({name: flow[name] for name in ("client", "packets", "verdict", "ending")} | {"keepalive": entries})
    return told


def rules(name: str, streams: Iterable[int]) -> list[set[str]]:
    return [set(findings(name, stream)) for stream in streams]


@pytest.mark.parametrize("stream", range(4))
def test_a_peer_that_spoke_after_the_end_is_told_to_be_alive(stream: int) -> None:
    [finding] = findings("spoke-after-the-end", stream).values()
    assert finding.rule == "keepalive-exhausted-but-alive"
    assert "sent packets on this connection afterwards" in finding.summary
    assert [note.partition(":")[0] for note in finding.notes] == ["dead-peer"]
    assert "no packet from the peer" not in " ".join((*finding.notes, finding.evidence.observed))


def test_resends_that_end_in_a_reset_are_no_abort_and_others_are() -> None:
    assert rules("spoke-after-the-end", (4, 5)) == [{"retransmission-timeout"}] * 2
    assert rules("spoke-after-the-end", (6,)) == [set()]
    assert rules("spoke-after-the-end", (7, 8)) == [{"endpoint-reset"}] * 2


def test_answers_that_were_lost_behind_the_capture_are_one_way_loss() -> None:
    for stream in range(3):
        assert set(findings("answers-lost-behind", stream)) == {"one-way-loss"}
        flow = list(analysis("answers-lost-behind").flows)[stream]
        assert flow.keepalive[0].unanswered == 0
    assert rules("answers-lost-behind", (3, 4, 9)) == [set(), {"endpoint-reset"}, {"endpoint-reset"}]
    assert set(findings("answers-lost-behind", 5)) == {"keepalive-exhausted-but-alive"}


def test_a_reset_that_was_not_heard_is_followed_by_the_one_that_counts() -> None:
    for stream in (6, 7, 8):
        [finding] = findings("answers-lost-behind", stream).values()
        assert finding.rule == "lost-state"


def test_a_peer_that_asks_is_not_called_gone() -> None:
    for stream in (0, 1, 2, 5):
        [finding] = findings("peer-asks-in-vain", stream).values()
        assert finding.rule == "one-way-loss"
        assert "dead-peer" in {note.partition(":")[0] for note in finding.notes}
    for finding in analysis("peer-asks-in-vain").findings:
        assert "no packet from the peer" not in " ".join((*finding.notes, finding.summary, finding.evidence.observed))
    assert rules("peer-asks-in-vain", (4,)) == [set()]


ERRORS = [
    "ICMP type 3 code 10 (host prohibited)",
    "ICMP type 3 code 0 (network unreachable)",
    "ICMP type 3 code 3 (port unreachable)",
    "ICMP type 3 code 13 (administratively prohibited)",
    "ICMPv6 type 1 code 1 (administratively prohibited)",
    "ICMPv6 type 1 code 0 (no route)",
]


@pytest.mark.parametrize(("stream", "error"), list(enumerate(ERRORS)))
def test_errors_that_answer_probes_are_named_with_their_sender(stream: int, error: str) -> None:
    [finding] = findings("errors-on-the-path", stream).values()
    told = " ".join((finding.summary, *finding.notes))
    assert error in told
    assert ("192.0.2.1 replied" if stream < 4 else "2001:db8:c::1 replied") in told
    if finding.rule == "dead-peer":
        # The path refused the probes: the peer may be well, and the advice is about the path.
        assert finding.remedy.startswith(
            f"Check the network path at {'192.0.2.1' if stream < 4 else '2001:db8:c::1'}, "
        )


def test_where_no_error_came_none_is_named_and_errors_for_a_while_kill_nobody() -> None:
    assert "ICMP" not in findings("errors-on-the-path", 7)["dead-peer"].summary
    assert rules("errors-on-the-path", (6,)) == [set()]


def test_whoever_closed_before_and_answers_a_probe_with_a_reset_is_no_device() -> None:
    assert rules("closed-before-the-probe", (0, 1, 2, 3, 4, 7)) == [{"close-wait-leak"}] * 6
    assert set(findings("closed-before-the-probe", 5)) == {"endpoint-reset"}
    lost = findings("closed-before-the-probe", 6)["lost-state"]
    assert lost.confidence == "possible"  # one hop more than its sender's packets took


def test_what_closed_within_a_moment_does_not_grow() -> None:
    assert not [one for one in analysis("closed-before-the-probe").findings if "half of" in one.summary]


def test_resets_at_one_idle_time_are_a_devices_by_their_hop_limit_alone() -> None:
    of_device = [one for one in analysis("idle-resets").findings if one.rule == "middlebox-idle-timeout"]
    assert [one.streams for one in of_device] == [(0, 3, 6), (1, 4, 7)]
    assert "survived 5." in of_device[0].evidence.observed
    assert rules("idle-resets", (2, 5, 8)) == [{"proxy-idle-close"}] * 3
    assert rules("idle-resets", (9,)) == [set()]


def test_an_older_life_is_told_where_the_server_spoke_of_one() -> None:
    for stream in range(4):
        assert "older-connection-held" in findings("older-life", stream)
        assert "lost-state" not in findings("older-life", stream)
    late = findings("older-life", 3)["older-connection-held"]
    assert "delayed the new connection by 2." in late.summary
    assert rules("older-life", (4, 5)) == [set(), {"lost-state"}]
    lone = findings("older-life", 6)["endpoint-reset"]
    assert (lone.confidence, lone.severity) == ("possible", "info")


@pytest.mark.parametrize("name", ["rotated-by-rounds", "rotated-several-paces"])
def test_the_files_of_a_set_are_one_place(name: str, tmp_path: Path) -> None:
    whole = result(*files(name))
    assert len(whole["captures"]) >= 3
    assert {capture["same_traffic_as"] for capture in whole["captures"]} == {None}
    assert sum(capture["duplicates"] for capture in whole["captures"]) == 0
    first, *others = files(name)
    single = tmp_path / "single.pcap"
    single.write_bytes(first.read_bytes() + b"".join(path.read_bytes()[PCAP_HEADER:] for path in others))
    assert story(whole) == story(result(single)) == story(result(*reversed(files(name))))


def test_two_places_are_joined_and_the_later_one_is_set_right() -> None:
    near, far = result(*files("two-places-late"))["captures"]
    assert near["same_traffic_as"] is None
    assert far["same_traffic_as"]["capture"] == 0
    assert abs(float(far["same_traffic_as"]["clock_ahead_s"]) - 34.65) < 0.001
    alone = [result(path)["flows"] for path in files("two-places-late")]
    assert len(alone[0]) == len(alone[1]) == len(list(analysis("two-places-late").flows))


def test_what_did_not_pass_a_nat_is_told_where_both_ends_are_known() -> None:
    assert not list(analysis("two-places-nat").findings)
    both = analyzer.analyze(*map(str, files("two-places-nat")), both_ends=True)
    lost = {one.stream: one for one in both.findings}
    assert {one.rule for one in both.findings} == {"lost-between-ends"}
    assert [lost[stream].summary.partition(" segment")[0][-1] for stream in (0, 1)] == ["2", "1"]
