"""Recordings with connections side by side that differ in one fact: what is said of some must not be said of others.

What the truth of a recording has no place for: whose a finding is, and how sure; what is no heartbeat; who is asked.
"""

from __future__ import annotations

from typing import Any

import pytest
from results import ROOT, result


def recorded(name: str) -> dict[str, Any]:
    return result(ROOT / "captures" / name / "capture.pcap")


def told(name: str, rule: str, level: str = "confidence") -> dict[tuple[int, ...], str]:
    """The streams of each finding of a rule, with its confidence or its severity."""
    return {
        tuple(one.get("streams") or [one["stream"]]): one[level]
        for one in recorded(name)["findings"]
        if one["rule"] == rule
    }


def test_only_who_owes_a_reply_is_hung_and_it_is_sure_only_by_replies_before() -> None:
    """The others are WebSocket, HTTP/2, MQTT, AMQP, and a server that asks: their client has the last word."""
    assert told("last-words", "app-hung") == {(0,): "possible", (1,): "possible", (4,): "likely"}
    assert recorded("node-http2")["findings"] == []


def test_heartbeats_without_a_reply_are_told_where_there_were_replies_before() -> None:
    assert told("beats-without-reply", "heartbeat-missed") == {(0,): "likely", (1,): "likely"}
    assert told("beats-without-reply", "app-hung") == {(2,): "likely"}
    assert [len(flow["heartbeats"]) for flow in recorded("beats-without-reply")["flows"]] == [1] * 5


def test_services_that_are_not_to_be_had_are_severe_and_single_refusals_are_not() -> None:
    assert told("closed-doors", "connection-refused", "severity") == {
        (1, 5, 7, 9, 11): "high",
        (3,): "info",
        (13,): "info",
    }
    assert told("closed-doors", "connection-unanswered", "severity") == {(2, 6, 8, 10, 12): "high", (4,): "info"}


def test_limits_are_told_of_the_end_that_has_them() -> None:
    found = {one["rule"]: one for one in recorded("closed-at-a-limit")["findings"] if one["rule"] == "age-not-idle"}
    assert found["age-not-idle"]["streams"] == [15, 16, 17]
    assert set(told("closed-at-a-limit", "proxy-idle-close")) == {(0, 3, 6), (1, 4, 7), (2, 5, 8)}
    said = [one["summary"] for one in recorded("closed-at-a-limit")["findings"] if one["rule"] == "proxy-idle-close"]
    assert (
        sum(summary.startswith("192.0.2.10 closed 3 connections to 198.51.100.20:2049 after 9.0 s") for summary in said)
        == 1
    )
    assert not any("a limit of" in summary for summary in said)  # no product's name for limits that nobody is known by


def test_a_device_that_forgets_is_bounded_by_what_was_survived_and_what_was_fatal() -> None:
    found = [one for one in recorded("firewall-forgets-some")["findings"] if one["rule"] == "middlebox-idle-timeout"]
    assert [one["streams"] for one in found] == [[5, 6, 9], [7, 8]]
    assert [one["evidence"]["observed"] for one in found] == [
        "a connection survived 10.5 s of silence; another died after 14.0 s",
        "a connection survived 10.0 s of silence; another died after 15.0 s",
    ]


def test_a_path_that_is_cut_forgets_nothing() -> None:
    assert not [one for one in recorded("cut-in-mid-traffic")["findings"] if "middlebox" in one["rule"]]


def test_loops_of_requests_are_no_heartbeats() -> None:
    assert [len(flow["heartbeats"]) for flow in recorded("uneven-beats")["flows"]] == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("number", range(3))
def test_where_probes_were_lost_before_the_tap_no_idle_time_is_told(number: int) -> None:
    [entry] = recorded("lost-before-the-tap")["flows"][number]["keepalive"]
    assert entry["tcp_keepalive_time"]["value"] is None


def test_peers_that_probe_themselves_are_not_gone() -> None:
    whole = recorded("both-ask-one-heard")
    assert {one["rule"] for one in whole["findings"]} == {"one-way-loss"}
    assert {one["stream"] for one in whole["findings"]} == {0, 1}
    for flow, theirs in zip(whole["flows"][:2], ((5, 2), (4, 1)), strict=True):
        entry = next(one for one in flow["keepalive"] if one["sender"] == "server")
        # Probes that follow an answer sooner than the idle time show that it was not heard.
        assert (entry["tcp_keepalive_time"]["value"], entry["tcp_keepalive_intvl"]["value"]) == theirs


def test_whose_port_others_share_is_the_server() -> None:
    ports = {flow["server"]["port"] for flow in recorded("high-ports")["flows"]}
    assert ports == {44818, 20000, 47808, 9000}


def test_copies_are_no_probes_and_intervals_as_short_as_the_round_trip_are_none() -> None:
    entries = [flow["keepalive"][0] for flow in recorded("copies-on-the-path")["flows"]]
    assert [entry["tcp_keepalive_intvl"]["value"] for entry in entries] == [1, 2, 2, 2, 3, 1, 1, 1]
    assert [entry["unanswered"] for entry in entries] == [5, 5, 6, 4, 4, 8, 8, 7]


def test_single_octets_after_a_hole_are_no_probes() -> None:
    assert [bool(flow["keepalive"]) for flow in recorded("hole-before-probes")["flows"]] == [
        True,
        True,
        False,
        True,
        True,
    ]
