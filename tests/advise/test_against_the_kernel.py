"""Predicted times against what the kernel did, in recordings with the settings that were tried, and all others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results import ROOT, TRUTHS, recorded
from truths import truth_of

from analyzer.advise import advise, parse
from analyzer.advise.cost import per_hour, seconds_of
from analyzer.advise.failures import find_failed
from analyzer.advise.timer import gives_up
from analyzer.model.advice import Candidate, Kind

WITHIN_S = 1.0
CLOCK_S = 0.06  # between the kernel's and the capture's, and the way of a packet
# A recorded failure, the settings that `advise` was asked about there, and the recording that was made with them.
TRIED = [
    ("dead-peer", "2/1/3", "advised-dead-peer"),
    ("dead-client", "1/1/5", "advised-dead-client"),
    ("dead-peer-count-1", "3/2/4", "advised-more-probes"),
    ("dead-peer-ipv6", "4/3/2", "advised-ipv6"),
    ("both-give-up", "2/1/4", "advised-both-ends"),
    ("user-timeout", "3/2/9/ut6", "advised-user-timeout"),
    ("user-timeout-below-idle", "2/1/9/ut1.5", "advised-user-timeout-below-idle"),
    ("firewall-forgets", "6/2/2", "advised-firewall"),
]
# The network copies packets up to 0.7 s later, and a copy that arrives restarts the kernel's idle clock.
COPIES = "copies-on-the-path"


def capture_of(name: str) -> Path:
    return min((ROOT / "captures" / name).glob("capture.*"))


@pytest.mark.parametrize(("before", "settings", "after"), TRIED, ids=[row[2] for row in TRIED])
def test_a_dead_peer_is_noticed_when_advice_says(before: str, settings: str, after: str) -> None:
    [outcome] = advise(recorded(capture_of(before)), [parse(settings)]).replays[1].outcomes
    [failure] = advise(recorded(capture_of(after))).failures
    assert outcome.noticed is not None and failure.noticed is not None
    seconds = failure.noticed.longest
    assert abs(seconds - outcome.noticed.nominal) < WITHIN_S
    assert outcome.noticed.earliest - CLOCK_S <= seconds <= outcome.noticed.latest + CLOCK_S


def test_unacknowledged_data_is_given_up_when_advice_says() -> None:
    """No packet shows when: the program was told, and the recording's README has its time."""
    [outcome] = advise(recorded(capture_of("half-open-data")), [parse("3/2/4/ut5")]).replays[1].outcomes
    readme = (ROOT / "captures" / "advised-data" / "README.md").read_text(encoding="utf-8")
    told = re.search(r"gave up ([\d.]+) s after the server's last packet", readme)
    assert told is not None and outcome.noticed is not None
    assert abs(float(told[1]) - outcome.noticed.nominal) < WITHIN_S
    assert outcome.noticed.earliest - CLOCK_S <= float(told[1]) <= outcome.noticed.latest + CLOCK_S


def test_probes_that_may_keep_a_connection_alive_do() -> None:
    """That a NAT forgot is a guess, for all that one connection shows."""
    [outcome] = advise(recorded(capture_of("nat-forgets")), [parse("3/2/3")]).replays[1].outcomes
    assert (outcome.avoided, outcome.unknown) == (0, 1)
    assert advise(recorded(capture_of("advised-nat"))).failures == ()


@pytest.mark.parametrize("name", ["firewall-forgets-some", "idle-resets"])
def test_connections_that_probed_in_time_lived(name: str) -> None:
    """Of one recording: settings of those that lived would have kept the others."""
    advice = advise(recorded(capture_of(name)), [parse("4/2/3")])
    total = sum(len(failure.streams) for failure in advice.failures if failure.kind is Kind.IDLE_DROP)
    assert total > 0
    assert sum(outcome.avoided for outcome in advice.replays[1].outcomes) >= total // 2


def _given_up() -> list[tuple[str, int, Candidate]]:
    """Connections of recordings that a prober gave up whose settings are known."""
    found = []
    for path in TRUTHS:
        if len(list(path.parent.glob("capture.*"))) > 1 or path.parent.name == COPIES:
            continue
        for number, one in enumerate(truth_of(path)["connections"]):
            settings = one["settings"].get(one["ending"]["by"] or "")
            if one["ending"]["why"] in ("keepalive_exhausted", "user_timeout") and settings:
                found.append((path.parent.name, number, candidate_of(settings)))
    return found


def candidate_of(settings: dict[str, Any]) -> Candidate:
    names = ("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes", "user_timeout_s")
    return Candidate(*(settings[name] for name in names))


def test_every_recorded_giving_up_is_within_its_bounds() -> None:
    checked = 0
    for name, number, settings in _given_up():
        analysis = recorded(capture_of(name))
        one = {failed.stream: failed for failed in find_failed(analysis, None)}.get(number)
        if one is None or not one.since or not one.known or analysis.verdicts[number] != "dead_peer":
            continue  # the recording begins in the middle of the run, or shows something else
        seconds, delay = (one.known - one.since) / 1e9, gives_up(settings)
        assert delay.earliest - CLOCK_S <= seconds <= delay.latest + CLOCK_S, (name, number, settings)
        if settings.idle >= settings.interval and delay.nominal < 60:
            assert abs(seconds - delay.nominal) < WITHIN_S, (name, number, settings)
        checked += 1
    assert checked >= 90


def test_the_cost_of_the_settings_seen_is_what_was_sent() -> None:
    """Of single connections that one end probed: but for probes that the path lost, which are tried again sooner."""
    checked = 0
    for path in TRUTHS:
        truth = truth_of(path)
        probing = [one for one in truth["connections"][0]["settings"].values() if one]
        if len(truth["connections"]) != 1 or len(probing) != 1 or len(list(path.parent.glob("capture.*"))) > 1:
            continue
        sent = sum(truth["connections"][0]["probes"].values())
        analysis = recorded(capture_of(path.parent.name))
        if not sent or analysis.verdicts[0] == "lossy_path" or path.parent.name == "settings-changed":
            continue
        [rate] = per_hour(analysis, np.array([0]), [candidate_of(probing[0])], find_failed(analysis, None))
        assert rate is not None
        assert abs(rate * seconds_of(analysis.facts) / 3600 - sent) <= 1, path.parent.name
        checked += 1
    assert checked >= 30
