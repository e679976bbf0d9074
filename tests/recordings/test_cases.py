"""Small captures of situations in which a verdict, a setting or a finding is easily wrong, each with what is right.

They are looked for in the directory that KEEPALIVE_CASES names; where there is none, one test says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from analyzer.analysis import Analysis
from analyzer.model.findings import Finding
from analyzer.model.flows import Flow, Keepalive
from analyzer.pipeline.run import analyze

CASES = Path(os.environ["KEEPALIVE_CASES"]) if "KEEPALIVE_CASES" in os.environ else None
HIGH = ("high", "medium")


@cache
def analysis(*names: str) -> Analysis:
    assert CASES is not None
    return analyze(*[str(CASES / name) for name in names])


def flows(*names: str) -> list[Flow]:
    return list(analysis(*names).flows)


def only(*names: str) -> Flow:
    [flow] = flows(*names)
    return flow


def prober(flow: Flow, sender: str) -> Keepalive:
    return next(entry for entry in flow.keepalive if entry.sender == sender)


def values(entry: Keepalive) -> tuple[float | None, float | None, float | None]:
    """The three settings."""
    three = entry.tcp_keepalive_time, entry.tcp_keepalive_intvl, entry.tcp_keepalive_probes
    time, intvl, probes = (None if one is None else one.value for one in three)
    return time, intvl, probes


def rules(*names: str, severities: tuple[str, ...] = ("high", "medium", "low", "info")) -> set[str]:
    return {finding.rule for finding in analysis(*names).findings if finding.severity in severities}


def finding(rule: str, *names: str) -> Finding:
    return next(one for one in analysis(*names).findings if one.rule == rule)


def holds(entry: Keepalive, time: float) -> bool:
    """Whether the bounds of tcp_keepalive_time hold the true one, and no other is claimed."""
    estimate = entry.tcp_keepalive_time
    if estimate is None:
        return True
    return estimate.value in (None, time) and (estimate.low or 0) <= time <= (estimate.high or time)


Check = Callable[[], Any]
CHECKS: dict[str, Check] = {}


def case(check: Check) -> Check:
    CHECKS[check.__name__] = check
    return check


# -- what comes after the end


@case
def gave_up_then_peer_speaks() -> None:
    flow = only("gave-up-then-peer-speaks.pcap")
    assert (flow.verdict, values(prober(flow, "server"))) == ("dead_peer", (30, 10, 4))
    assert flow.ending.why.name == "KEEPALIVE_EXHAUSTED"


@case
def data_after_giving_up() -> None:
    flow = only("data-after-giving-up.pcap")
    entry = prober(flow, "server")
    assert (entry.unanswered, values(entry)[2], flow.verdict) == (4, 4, "dead_peer")
    assert (flow.ending.by, flow.ending.why.name) == ("server", "KEEPALIVE_EXHAUSTED")


@case
def lost_behind_capture() -> None:
    for name in ("lost-behind-capture.pcap", "lost-behind-capture-no-ts.pcap"):
        flow = only(name)
        entry = prober(flow, "client")
        assert (flow.verdict, values(entry)) == ("dead_peer", (20, 6, 5))
        assert entry.former_tcp_keepalive_time is None
        assert (flow.ending.by, flow.ending.why.name) == ("client", "KEEPALIVE_EXHAUSTED")
        assert rules(name) & {"one-way-loss", "keepalive-exhausted-but-alive"}


@case
def resends_then_resets() -> None:
    assert only("resends-then-resets.pcap").verdict == "retransmission_timeout"
    assert "endpoint-reset" not in rules("resends-then-resets.pcap")


@case
def one_direction_stream() -> None:
    assert only("one-direction-stream.pcap").verdict == "healthy"
    assert not rules("one-direction-stream.pcap", severities=HIGH)


# -- whose reset


@case
def probe_after_peers_fin_reset() -> None:
    flow = flows("probe-after-peers-fin-reset.pcap")[0]
    assert (flow.verdict, flow.ending.by) == ("close_wait_leak", "server")
    assert not rules("probe-after-peers-fin-reset.pcap", severities=("high",))


@case
def reset_after_close() -> None:
    for flow in flows("reset-after-close.pcap"):
        assert (flow.verdict, flow.ending.by, flow.ending.why.name) == ("close_wait_leak", "server", "REPLY_TO_PROBE")
    assert "endpoint-reset" not in rules("reset-after-close.pcap")


@case
def idle_reset_other_hop_limit() -> None:
    assert {flow.verdict for flow in flows("idle-reset-other-hop-limit.pcap")} == {"middlebox_reset"}
    assert "endpoint-reset" not in rules("idle-reset-other-hop-limit.pcap")


@case
def reset_not_heard() -> None:
    assert only("reset-not-heard.pcap").verdict == "lost_state"


@case
def challenge_ack_of_an_older_life() -> None:
    flow = only("challenge-ack-of-an-older-life.pcap")
    assert (flow.handshake.name, flow.ending.how.name, flow.verdict) == ("COMPLETE", "HALF_CLOSED", "healthy")
    assert not rules("challenge-ack-of-an-older-life.pcap", severities=HIGH)
    assert "older-connection-held" in rules("challenge-ack-of-an-older-life.pcap")


@case
def both_ends_lost_to_the_end() -> None:
    names = "both-ends-lost-to-the-end-client.pcap", "both-ends-lost-to-the-end-server.pcap"
    assert CASES is not None
    found = analyze(*[str(CASES / name) for name in names], both_ends=True).findings
    [lost] = [one for one in found if one.rule == "lost-between-ends"]
    assert "9 segments" in lost.summary


# -- nobody is called gone who was heard


@case
def gave_up_though_peer_asks() -> None:
    name = "gave-up-though-peer-asks.pcap"
    flow = only(name)
    assert (flow.ending.by, flow.ending.why.name) == ("client", "KEEPALIVE_EXHAUSTED")
    assert values(prober(flow, "client")) == (20, 5, 5)
    assert holds(prober(flow, "server"), 20)
    assert rules(name) & {"one-way-loss", "keepalive-exhausted-but-alive"}
    assert not any("no packet from the peer" in one.evidence.observed + one.summary for one in analysis(name).findings)


# -- the application


@case
def client_has_last_word_ping_ack() -> None:
    assert "app_hung" not in {flow.verdict for flow in flows("client-has-last-word-ping-ack.pcap")}


@case
def first_request_never_answered() -> None:
    assert only("first-request-never-answered.pcap").verdict == "app_hung"


@case
def hung_early() -> None:
    assert {flow.verdict for flow in flows("hung-early.pcap")} == {"app_hung"}


# -- idle limits


@case
def loss_after_a_second_and_a_half() -> None:
    assert "retransmission_timeout" in {flow.verdict for flow in flows("loss-after-a-second-and-a-half.pcap")}
    assert "middlebox-idle-timeout" not in rules("loss-after-a-second-and-a-half.pcap")


@case
def closed_at_age_120() -> None:
    assert "age-not-idle" in rules("closed-at-age-120.pcap")


@case
def client_closes_at_300() -> None:
    for one in analysis("client-closes-at-300.pcap").findings:
        assert not any(name in one.summary + one.remedy for name in ("Caddy", "Traefik", "nginx", "Envoy"))


@case
def two_hosts_both_ways() -> None:
    assert "one-leg-only" not in rules("two-hosts-both-ways.pcap")
    assert "unprotected-idle" in rules("two-hosts-both-ways.pcap")


# -- settings


@case
def first_probes_lost() -> None:
    assert holds(prober(only("first-probes-lost.pcap"), "server"), 10)


@case
def half_second_ticks_one() -> None:
    flow = only("half-second-ticks-one.pcap")
    assert all(holds(entry, 8) for entry in flow.keepalive)


@case
def hole_before_probes() -> None:
    for flow in flows("hole-before-probes.pcap"):
        entry = prober(flow, "client")
        assert (entry.probes, values(entry)[0], flow.verdict) == (4, 12, "healthy")


@case
def syn_again() -> None:
    assert values(prober(only("syn-again-rtt.pcap"), "server"))[0] == 8
    for flow in flows("syn-again-pairing.pcap"):
        lost, answered, *_ = [probe for episode in prober(flow, "client").episodes for probe in episode.probes]
        assert lost.answer_frame is None
        assert answered.answer_time is not None
        assert answered.answer_time - answered.time < 1_000_000


@case
def simultaneous_again() -> None:
    both = flows("simultaneous-again.pcap")
    assert [(flow.handshake.name, flow.verdict, prober(flow, "client").probes) for flow in both] == [
        ("SIMULTANEOUS", "closed", 2),
        ("SIMULTANEOUS", "closed", 2),
    ]


@case
def usual_value() -> None:
    times = [values(prober(flow, "client"))[0] for flow in flows("usual-value.pcap")]
    assert times == [31, 22, 21]


@case
def windows_sql_30_1_10() -> None:
    name = "windows-sql-30-1-10.pcap"
    assert any("SQL Server" in profile for entry in only(name).keepalive for profile in entry.profiles)
    assert not any("sysctl" in one.remedy for one in analysis(name).findings)


@case
def bare_probes_answered() -> None:
    told = finding("unanswered-but-alive", "bare-probes-answered.pcap")
    assert "the first probe after a silence was lost each time, and the next got a reply" in told.summary
    assert "timestamps" not in told.summary + told.evidence.observed


@case
def four_probes_then_nothing() -> None:
    name = "four-probes-then-nothing.pcap"
    assert not any("still waiting" in one.summary for one in analysis(name).findings)


# -- heartbeats and roles


@case
def beats_encrypted() -> None:
    seen = {
        flow.client.port: [(beat.sender, round(beat.period_s), beat.sent, beat.answered) for beat in flow.heartbeats]
        for flow in flows("beats-encrypted.pcap")
    }
    sent = {40401: 6, 40402: 6, 40403: 5}
    assert seen == {port: [("client", 14, count, count)] for port, count in sent.items()}


@case
def beats_with_jitter() -> None:
    for flow in flows("beats-with-jitter.pcap"):
        [beat] = flow.heartbeats
        assert beat.sender == "client"
        assert abs(beat.period_s - 8) <= 0.8


@case
def high_port_service() -> None:
    assert {flow.server.port for flow in flows("high-port-service.pcap")} == {44818}


# -- several captures


@case
def rotated() -> None:
    for name in ("set", "mixed", "dead", "id0"):
        parts = [f"rotated-{name}-{number}.pcap" for number in range(5)]
        whole, cut = analysis(f"rotated-{name}-all.pcap"), analysis(*parts)
        assert not any(facts.same_traffic or facts.duplicates for facts in cut.captures)
        for one, other in zip(whole.flows, cut.flows, strict=True):
            assert one.verdict == other.verdict
            assert [(k.probes, k.answered) for k in one.keepalive] == [(k.probes, k.answered) for k in other.keepalive]


@case
def two_places() -> None:
    for name in ("early", "late", "early-ahead", "late-ahead"):
        both = analysis("two-places-a.pcap.gz", f"two-places-{name}-b.pcap.gz")
        assert {entry.probes for flow in both.flows for entry in flow.keepalive} == {8}
        assert sum(sum(flow.packets) for flow in both.flows) == 880


@case
def two_places_idle() -> None:
    both = analysis("two-places-idle-a.pcap", "two-places-idle-b.pcap")
    assert {entry.probes for flow in both.flows for entry in flow.keepalive} == {8}


@pytest.mark.skipif(CASES is not None, reason="they are there")
def test_the_cases_are_not_here() -> None:
    """Where KEEPALIVE_CASES names no directory, the captures built by the other tests stand for them."""
    assert "KEEPALIVE_CASES" not in os.environ


@pytest.mark.skipif(CASES is None, reason="KEEPALIVE_CASES names no directory")
@pytest.mark.parametrize("name", sorted(CHECKS))
def test_case(name: str) -> None:
    CHECKS[name]()
