"""Advice is computed: never slower than what is set, never of two minds, in each software's syntax, in plain words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from commands import inside
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed
from plain_words import BANNED, faults, fix_of, idle_times, opposed
from results import CAPTURES, EVERY_CAPTURE, recorded

from analyzer.diagnose import VERDICTS, load_rules
from analyzer.diagnose.advice import Takes, is_slow, settings, takes
from analyzer.model.findings import Finding
from analyzer.model.flows import Estimate
from analyzer.model.quantities import between, duration, whole_seconds
from analyzer.tcp import SECOND

FORMS = [{}, {"v6": True}, {"timestamps": False}]


def talk(**form: Any) -> Conversation:
    """A request and its reply."""
    return Conversation(**form).handshake().data(CLIENT, 300).data(SERVER, 500)


def dead(idle: float, every: float, count: int, **form: Any) -> Conversation:
    """A peer that does not reply to the client's probes, and is given up."""
    return talk(**form).idle(idle).probes(CLIENT, count, every=every, answered=False).rst(CLIENT)


def only(rule: str, *talks: Conversation) -> Finding:
    """The one finding of a rule."""
    [finding] = [one for one in analyzed(*talks).findings if one.rule == rule]
    return finding


def at(client: str, server: str, what: Callable[[Conversation], Conversation], port: int = 443) -> Conversation:
    """A conversation between these addresses."""
    one = Conversation(ports=(40_000, port))
    one.sides[CLIENT].host = replace(one.sides[CLIENT].host, address=client)
    one.sides[SERVER].host = replace(one.sides[SERVER].host, address=server)
    return what(one.handshake().data(CLIENT, 100).data(SERVER, 300))


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (300_000, "0.3 ms"),
        (0, "0.1 ms"),
        (49_000_000, "49.0 ms"),
        (50_000_000, "0.1 s"),
        (11_200_000_000, "11.2 s"),
        (120 * SECOND, "120.0 s"),
        (125 * SECOND, "2 min 5 s"),
        (360 * SECOND, "6 min"),
        (3599.7 * SECOND, "1 h"),
        (7875 * SECOND, "2 h 11 min"),
        (71_748_363 * SECOND, "830 d 10 h"),
    ],
)
def test_a_duration_is_in_the_units_that_matter(nanoseconds: float, text: str) -> None:
    assert duration(nanoseconds) == text


def test_a_range_of_one_length_is_that_length() -> None:
    assert between(7 * SECOND, 7.01 * SECOND) == "7.0 s"
    assert between(7 * SECOND, 9 * SECOND) == "7.0 s to 9.0 s"
    assert (whole_seconds(75), whole_seconds(9.349), whole_seconds(7875)) == ("75 s", "9.349 s", "2 h 11 min")


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize(("idle", "every", "count"), [(3, 2, 4), (20, 3, 4), (45, 5, 5), (60, 10, 3)])
def test_settings_that_are_quick_are_left_alone(idle: float, every: float, count: int, form: dict[str, Any]) -> None:
    remedy = only("dead-peer", dead(idle, every, count, **form)).remedy
    assert "The keepalive settings are not the problem." in remedy
    assert "TCP_KEEP" not in remedy
    assert f"Detection took {duration((idle + every * count) * SECOND)}" in remedy


def test_slow_settings_are_set_against_quicker_ones() -> None:
    remedy = only("dead-peer", dead(300, 75, 4)).remedy
    assert (
        "Detection took 10 min with idle 300 s, interval 75 s, 4 probes." in remedy or "Detection took 10 min" in remedy
    )
    assert "With idle 60 s, interval 10 s, 3 probes it takes 90 s." in remedy
    assert "libpq (connection string): `keepalives_idle=60 keepalives_interval=10 keepalives_count=3" in remedy
    assert "KeepAliveTime" not in remedy


def test_of_an_unfinished_run_a_bound_is_said() -> None:
    """Two probes without a reply, and the count is not known: at least so long."""
    [flow] = analyzed(talk().idle(30).probes(CLIENT, 2, every=20, answered=False).idle(15)).flows
    [entry] = flow.keepalive
    needs = takes(entry, 2)
    assert needs is not None
    assert needs.high is None
    assert str(needs).startswith("at least ")
    assert not is_slow(needs)
    known = replace(entry, tcp_keepalive_probes=Estimate(4, 4, 4, 1))
    assert takes(known, 2) == Takes(30 + 4 * 20, 30 + 4 * 20)
    loose = replace(entry, tcp_keepalive_time=Estimate(None, 9.35, 9.97, 1), tcp_keepalive_intvl=None)
    assert settings(loose) == "idle 9.35 s to 9.97 s, 2 probes" or settings(loose).startswith("idle 9.35 s to 9.97 s")
    assert takes(replace(entry, tcp_keepalive_time=None), 2) is None


def test_a_private_client_of_a_public_server_is_advised_and_the_owner_named() -> None:
    quiet = at("10.0.0.5", "93.184.216.34", lambda one: one)
    later = Conversation(ports=(50_000, 80), start=360, rtt=0.001).handshake()
    remedy = only("unprotected-idle", quiet, later).remedy
    assert "On the client (10.0.0.5)" in remedy
    assert "On the server" not in remedy
    assert "Only the owner of 93.184.216.34:443 can configure the server." in remedy
    assert "nginx" not in remedy
    inside = only("unprotected-idle", at("10.0.0.5", "10.0.0.9", lambda one: one), later).remedy
    assert "listen 443 so_keepalive=60s:10s:3;" in inside
    assert "clitcpka-idle 60s" in inside
    assert "srvtcpka" not in inside, "that is for a proxy's connections to its servers"
    assert "owner" not in inside


def test_a_device_seen_on_the_path_bounds_what_is_proposed() -> None:
    """A connection survived 20 s of silence, another was reset by a device after 40 s: 60 s would be too long."""
    lives = talk().idle(20).data(CLIENT, 100).data(SERVER, 300).idle(20).data(CLIENT, 100).data(SERVER, 300)
    reset = Conversation(ports=(40_001, 5432)).handshake().data(CLIENT, 300).data(SERVER, 500).idle(40)
    reset.ask(CLIENT)
    reset.sides[SERVER].host = replace(reset.sides[SERVER].host, ttl=64)
    finding = only("middlebox-idle-timeout", lives, reset.rst(SERVER, bare=True))
    assert idle_times(finding) == {20}
    assert fix_of(finding).startswith("Set the keepalive idle time to 20 s or less")


def windows(form: dict[str, Any], probes: int = 3) -> Conversation:
    """A server on Windows that sends probes of one byte and gets no reply to the last ones."""
    one = Conversation(ports=(49_800, 1433), **form)
    for side in one.sides.values():
        side.host = replace(side.host, ttl=127)
    one.handshake().data(CLIENT, 300).data(SERVER, 500).idle(300)
    return one.probes(SERVER, probes, every=300, octets=1).probes(SERVER, 10, every=1, octets=1, answered=False)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_windows_gets_the_settings_of_windows(form: dict[str, Any]) -> None:
    for finding in analyzed(windows(form).rst(SERVER)).findings:
        assert "sysctl" not in finding.remedy + finding.evidence.observed
        assert "setsockopt" not in finding.remedy
        if finding.rule == "dead-peer":
            assert "SQL Server: Keep Alive 60000 (ms)" in finding.remedy
            assert "KeepAliveTime" in finding.remedy


def test_a_user_timeout_is_as_long_as_keepalive_takes() -> None:
    one = talk().idle(20).probes(CLIENT, 3, every=20).data(CLIENT, 50, arrives=False, captured=True)
    found = [each.remedy for each in analyzed(one.retransmissions(CLIENT, 6)).findings]
    assert found
    assert all("Set TCP_USER_TIMEOUT to 90000 ms on the socket of 192.0.2.10" in remedy for remedy in found)


def test_opposite_advice_would_be_found() -> None:
    """What the next test looks for, it sees."""
    one = only("dead-peer", dead(300, 75, 4))
    other = one._replace(remedy="Raise the prober's idle time and interval to between 15 and 60 s.")
    assert list(opposed([one, other]))
    assert list(opposed([one, one._replace(remedy=one.remedy.replace("KEEPIDLE=60", "KEEPIDLE=15"))]))
    assert not list(opposed([one, one]))


@EVERY_CAPTURE
def test_no_two_findings_of_a_recording_advise_opposite_things(capture: Any) -> None:
    assert not list(opposed(recorded(capture).findings))


@EVERY_CAPTURE
def test_what_a_recording_shows_is_said_in_plain_words(capture: Any) -> None:
    assert [fault for finding in recorded(capture).findings for fault in faults(finding)] == []


def test_every_recording_is_looked_at() -> None:
    assert len(CAPTURES) > 50


@pytest.mark.parametrize("rule", load_rules())
def test_an_explanation_is_in_plain_words(rule: str) -> None:
    text = load_rules()[rule].explanation
    assert not BANNED.search(text), BANNED.search(text)
    first = text.strip().splitlines()[0]
    assert first.endswith(".")


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda one: one.word)
def test_a_verdict_is_in_plain_words(verdict: Any) -> None:
    assert not BANNED.search(verdict.meaning)
    assert not verdict.meaning.endswith(".")


def test_the_explanation_has_the_lines_for_every_program() -> None:
    text = inside("explain", "unprotected-idle")
    assert "    clitcpka-idle 60s" in text
    assert "PostgreSQL, postgresql.conf (since 12):" in text
