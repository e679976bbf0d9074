"""What is advised: of dead peers, idle drops, leaks and data that waits, and of what keepalive does not change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from advised import advice_on
from conversation import CLIENT, SERVER, Conversation

from analyzer import analyze
from analyzer.advise import advise
from analyzer.model.advice import Advice, Candidate, Failure, Kind, Outcome


def at(port: int, start: float = 0.0, service: int = 5432, **form: Any) -> Conversation:
    """A connection with one request and one reply."""
    talk = Conversation(ports=(port, service), start=start, **form).handshake()
    return talk.data(CLIENT, 100).data(SERVER, 300)


def busy(seconds: float, port: int = 41_000, every: float = 2.0) -> Conversation:
    """A connection of the same hosts that is used all the time."""
    talk = at(port)
    for _ in range(int(seconds / every)):
        talk.idle(every).data(CLIENT, 50).data(SERVER, 60)
    return talk


def given_up(talk: Conversation, idle: float, count: int = 3, every: float = 5.0) -> Conversation:
    """A silence, and a prober that gives up."""
    return talk.idle(idle).probes(CLIENT, count, every=every, answered=False).rst(CLIENT)


def in_vain(talk: Conversation, count: int = 6) -> Conversation:
    """Data that is never acknowledged."""
    return talk.data(CLIENT, 50, arrives=False, captured=True).retransmissions(CLIENT, count)


def only(advice: Advice) -> tuple[Failure, Outcome]:
    """The one failure, and what the first settings tried make of it."""
    [failure] = advice.failures
    [outcome] = advice.replays[1].outcomes
    return failure, outcome


# -- dead peers


def test_a_quick_prober_needs_no_advice() -> None:
    advice = advice_on(given_up(at(40_000), 30))
    assert advice.take is None
    assert advice.conclusion == (
        "The settings seen are good: they notice a dead peer about 45 s after its last packet; the fault is elsewhere."
    )
    assert [one.settings for one in advice.replays] == [None]
    [failure] = advice.failures
    assert (failure.kind, failure.settings, failure.unnoticed) == (Kind.DEAD_PEER, "30/5/3", 0)
    assert failure.noticed is not None and 45 <= failure.noticed.longest < 45.5


def test_a_slow_prober_is_advised_to_be_quicker() -> None:
    advice = advice_on(given_up(at(40_000), 600, 9, 75))
    assert advice.take == Candidate(60, 10, 3)
    assert "a dead peer is noticed 90 s after its last packet" in advice.conclusion
    assert all(one.slower == () for one in advice.replays)


def test_settings_that_are_slower_are_said_to_be() -> None:
    advice = advice_on(given_up(at(40_000), 30), settings="60/10/3 5/1/3")
    assert [one.slower for one in advice.replays] == [(), (0,), ()]
    assert advice.take is None
    assert advice.conclusion.endswith("With 5/1/3, a dead peer is noticed 8 s after its last packet.")


def test_what_nobody_noticed_has_a_lower_bound() -> None:
    talk = at(40_000).idle(600).probes(CLIENT, 4, every=75, answered=False)
    failure, outcome = only(advice_on(talk, settings="60/10/3"))
    assert (failure.noticed, failure.unnoticed) == (None, 1)
    assert 825 <= failure.watched < 901
    assert outcome.noticed is not None and outcome.noticed.nominal == 90


def test_of_a_run_older_than_the_capture_nothing_is_known_of_its_beginning() -> None:
    talk = at(40_000).idle(30).probes(CLIENT, 1, every=5, answered=False).capture_begins()
    given = talk.probes(CLIENT, 3, every=5, answered=False).rst(CLIENT)
    for failure in advice_on(given, settings="5/1/3").failures:
        assert failure.noticed is None


# -- idle drops


def forgotten() -> list[Conversation]:
    """A device forgets after 90 to 400 s."""
    well = at(40_001).idle(90).data(CLIENT, 50).data(SERVER, 50).fin(CLIENT).fin(SERVER)
    return [given_up(at(40_000), 400), well, busy(450)]


@pytest.mark.parametrize(
    ("settings", "avoided", "unknown"),
    [
        ("60/10/3", 1, 0),
        ("80/10/3", 1, 0),
        ("90/10/3", 0, 1),
        ("300/10/3", 0, 1),
        ("401/10/3", 0, 0),
        ("60/100/3", 0, 1),
    ],
)
def test_probes_sooner_than_the_longest_silence_survived_keep_a_connection(
    settings: str, avoided: int, unknown: int
) -> None:
    """Between that and the shortest fatal one nobody knows; a timer may be late."""
    failure, outcome = only(advice_on(*forgotten(), settings=settings))
    assert failure.kind is Kind.IDLE_DROP
    assert (outcome.avoided, outcome.unknown) == (avoided, unknown)


def test_proposals_stay_below_what_the_device_allows() -> None:
    advice = advice_on(*forgotten())
    assert advice.take is not None and advice.take.idle <= 90
    assert all(one.outcomes[0].avoided == 1 for one in advice.replays[1:])
    [limit] = advice.limits
    assert (round(limit.survived), round(limit.fatal), limit.safe_idle) == (90, 400, 90)
    assert "probes keep 1 of 1 lost connections alive" in advice.conclusion


def test_settings_that_come_too_late_are_answered_with_the_limit() -> None:
    advice = advice_on(*forgotten(), settings="500/10/3")
    assert advice.take is None
    assert advice.conclusion == "None of these settings keeps the lost connections: use an idle time of at most 90 s."


def test_a_device_that_is_known_not_to_count_probes_is_not_kept_from_forgetting() -> None:
    """Above 54.5 s and at most 56 s one limit alone is known, that of a router for HTTP."""
    well = at(40_001).idle(54.5).data(CLIENT, 50).data(SERVER, 50).fin(CLIENT).fin(SERVER)
    advice = advice_on(given_up(at(40_000), 56), well, busy(120), settings="20/5/3")
    failure, outcome = only(advice)
    assert failure.devices == ("Heroku router",)
    assert (outcome.avoided, outcome.unknown, outcome.why) == (0, 0, "the device does not count keepalive probes")
    assert advice.take is None and "send heartbeats of the application" in advice.conclusion


def test_a_device_that_is_known_is_known_to_keep_what_probes_before_its_limit() -> None:
    """Between 345 and 360 s all known limits are 350 s: 330 s is below that even late, but longer than 300 s."""
    well = at(40_001).idle(345).data(CLIENT, 50).data(SERVER, 50).fin(CLIENT).fin(SERVER)
    talks = [given_up(at(40_000), 360), well, busy(400)]
    for settings, avoided in (("300/10/3", 1), ("349/10/3", 0)):
        failure, outcome = only(advice_on(*talks, settings=settings))
        assert failure.devices and outcome.avoided == avoided


def test_a_limit_without_data_is_noted_and_left_out_of_what_failed() -> None:
    talks = [at(40_000 + n, start=float(n)).idle(60).fin(SERVER).fin(CLIENT) for n in range(4)]
    advice = advice_on(*talks, settings="10/5/3")
    assert advice.failures == ()
    [note] = advice.notes
    assert "without data" in note and note.endswith("; keepalive probes do not count as data")


def test_a_peer_that_lost_its_state_may_have_been_forgotten_on_the_path() -> None:
    talk = at(40_000).idle(30).probe(CLIENT, answered="rst")
    failure, outcome = only(advice_on(talk, settings="10/5/3"))
    assert failure.kind is Kind.LOST_STATE
    assert (outcome.avoided, outcome.unknown) == (0, 1)
    assert outcome.noticed is not None and outcome.noticed.nominal == 10
    conclusion = advice_on(at(40_000).idle(30).probe(CLIENT, answered="rst")).conclusion
    assert "probe more often than every 30.0 s" in conclusion


# -- data that waits


def test_keepalive_does_not_help_where_data_was_unacknowledged() -> None:
    failure, outcome = only(advice_on(in_vain(at(40_000).idle(1)), settings="5/1/3"))
    assert failure.kind is Kind.UNACKNOWLEDGED_DATA
    assert outcome.noticed is None
    assert "TCP_USER_TIMEOUT" in outcome.why and "dead before" not in outcome.why


def test_a_user_timeout_runs_from_the_first_retransmission() -> None:
    _, outcome = only(advice_on(in_vain(at(40_000).idle(1)), settings="5/1/3/ut7"))
    assert outcome.noticed is not None
    assert 8.1 < outcome.noticed.nominal < 8.5


def test_a_peer_that_was_dead_before_the_data_may_have_been_noticed_sooner() -> None:
    _, outcome = only(advice_on(in_vain(at(40_000).idle(60)), settings="5/1/3"))
    assert outcome.noticed is None
    assert "sooner, if the peer was dead before the data was sent" in outcome.why


def test_data_that_waits_for_long_is_advised_a_user_timeout() -> None:
    advice = advice_on(in_vain(at(40_000).idle(1), 10))
    assert advice.take is not None and advice.take.user_timeout is not None
    assert "unacknowledged data is given up" in advice.conclusion


# -- leaks, and what keepalive does not change


def test_who_never_probes_is_advised_to() -> None:
    advice = advice_on(at(40_000), at(40_001), busy(300, 42_000))
    [failure] = advice.failures
    assert (failure.kind, failure.streams, failure.noticed) == (Kind.UNPROTECTED, (0, 1), None)
    assert advice.take == Candidate(60, 10, 3)
    assert advice.replays[1].outcomes[0].why == "if the peer is dead"
    assert advice.conclusion.startswith("Use 60/10/3 for the unprotected connections to ")


def test_no_setting_closes_what_an_application_does_not_close() -> None:
    talk = at(40_000).fin(SERVER)
    advice = advice_on(talk, busy(100), settings="5/1/3")
    failure, outcome = only(advice)
    assert (failure.kind, failure.helped, outcome.noticed) == (Kind.NEVER_CLOSED, False, None)
    assert advice.conclusion == (
        "No keepalive setting helps: the application does not close its end; the fault is elsewhere."
    )


def test_where_all_is_well_nothing_is_advised() -> None:
    advice = advice_on(busy(30), settings="60/10/3")
    assert (advice.failures, advice.take) == ((), None)
    assert advice.conclusion == "The capture shows no failure that keepalive settings could have changed."


def test_services_are_told_apart_and_the_largest_comes_first() -> None:
    talks = [at(40_000 + n, service=6379) for n in range(3)] + [at(40_100, service=5432), busy(100, 42_000)]
    failures = advice_on(*talks).failures
    assert [(failure.service.rpartition(":")[2], len(failure.streams)) for failure in failures] == [
        ("6379", 3),
        ("5432", 1),
    ]


def test_an_analysis_advises_itself(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(given_up(at(40_000), 30).pcap())
    analysis = analyze(str(path))
    assert analysis.advise([Candidate(5, 1, 3)]) == advise(analysis, [Candidate(5, 1, 3)])
    assert analysis.advise().replays[0].settings is None


# -- the cost


def cost_of(*talks: Conversation, settings: str) -> float:
    """Probes in all, not per hour."""
    advice = advice_on(*talks, settings=settings)
    rate = advice.replays[1].probes_per_hour
    assert rate is not None
    return round(rate * advice.seconds / 3600, 6)


def test_each_silence_costs_its_probes() -> None:
    talk = at(40_000)
    for _ in range(5):
        talk.idle(35).data(CLIENT, 50).data(SERVER, 50)
    talk.fin(CLIENT).fin(SERVER)
    assert cost_of(talk, settings="10/1/3") == 15
    assert cost_of(talk, settings="10/20/3") == 10
    assert cost_of(talk, settings="40/10/3") == 0


def test_probes_that_were_sent_and_their_answers_are_no_traffic() -> None:
    talk = at(40_000)
    for _ in range(5):
        talk.idle(20).probe(CLIENT)
    talk.idle(5).data(CLIENT, 50).data(SERVER, 50).fin(CLIENT).fin(SERVER)
    assert cost_of(talk, settings="10/1/3") == 10


def test_both_ends_cost_where_both_probe() -> None:
    talk = at(40_000)
    for _ in range(4):
        talk.idle(20).probe(CLIENT).probe(SERVER)
    talk.idle(5).data(CLIENT, 50).data(SERVER, 50).fin(CLIENT).fin(SERVER)
    assert cost_of(talk, settings="10/1/3") == 16


def test_a_dead_peer_costs_the_count() -> None:
    assert cost_of(given_up(at(40_000), 300, 9, 75), settings="60/10/3") == 3


def test_what_is_silent_at_the_end_costs_its_share() -> None:
    assert cost_of(at(40_000), busy(100, 42_000), settings="60/10/3") == pytest.approx(105 / 60, abs=0.01)
