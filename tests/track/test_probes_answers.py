"""What answers a probe, and which probe it answers."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import assert_as_built, built_probes, keepalive, only_flow, probes_of

from analyzer.model.words import Outcome


def talk(**how: object) -> Conversation:
    return Conversation(**how).handshake().data(CLIENT, 300).data(SERVER, 200)  # type: ignore[arg-type]


def counts(probed: Conversation, sender: str = CLIENT) -> tuple[int, int, int]:
    entry = keepalive(only_flow(probed), sender)
    assert entry is not None
    assert entry.probes == entry.answered + entry.unanswered + entry.reset
    return entry.answered, entry.unanswered, entry.reset


@pytest.mark.parametrize("window", [0, 1, 502, 65535])
def test_an_ack_with_any_window_answers(window: int) -> None:
    probed = talk().idle(15)
    probed.sides[SERVER].window = window
    probed.probe(CLIENT)
    assert_as_built(probed, only_flow(probed))
    assert counts(probed) == (1, 0, 0)


def test_data_that_crosses_a_probe_answers_it_implicitly() -> None:
    probed = talk().idle(15).probe(CLIENT, answered="data")
    assert_as_built(probed, only_flow(probed))
    assert counts(probed) == (1, 0, 0)


@pytest.mark.parametrize("after", [1.5, 2.5, 7])
def test_data_long_after_a_probe_does_not_answer_it(after: float) -> None:
    probed = talk().idle(15).probe(CLIENT, answered=False).idle(after).data(SERVER, 50)
    assert counts(probed) == (0, 1, 0)


@pytest.mark.parametrize("after", [4, 60])
def test_an_ack_long_after_a_probe_does_not_answer_it(after: float) -> None:
    probed = talk().idle(15).probe(CLIENT, answered=False).idle(after).window_update(SERVER, 400)
    assert counts(probed) == (0, 1, 0)


def test_an_ack_below_what_the_prober_has_received_does_not_answer() -> None:
    """The prober's TCP finds it out of window (RFC 9293 3.10.7.4): it was sent before the data, and delayed."""
    probed = talk().idle(15).probe(CLIENT, answered=False)
    probed.send(SERVER, "A", seq=probed.sides[SERVER].nxt - 50, in_window=False)
    assert counts(probed) == (0, 1, 0)


def test_an_icmp_error_about_a_probe_leaves_it_unanswered() -> None:
    probed = talk().idle(15).probe(CLIENT, answered="icmp").idle(5).probe(CLIENT, answered="icmp")
    entry = keepalive(only_flow(probed), CLIENT)
    assert entry is not None
    assert (entry.unanswered, entry.icmp) == (2, 2)


def test_an_icmpv6_error_about_a_probe_leaves_it_unanswered() -> None:
    probed = talk(v6=True).idle(15).probe(CLIENT, answered="icmp").idle(5).probe(CLIENT, answered=False)
    entry = keepalive(only_flow(probed), CLIENT)
    assert entry is not None
    assert (entry.unanswered, entry.icmp) == (2, 1)


def test_a_reset_answers_a_probe() -> None:
    assert counts(talk().idle(15).probe(CLIENT, answered="rst")) == (0, 0, 1)


def test_nothing_answers() -> None:
    probed = talk().idle(15).probes(CLIENT, 3, every=5, answered=False)
    assert_as_built(probed, only_flow(probed))
    assert counts(probed) == (0, 3, 0)


@pytest.mark.parametrize("at", [CLIENT, SERVER])
@pytest.mark.parametrize(("rtt", "every"), [(1.4, 1.0), (2.5, 1.0), (3.7, 1.0), (2.9, 2.0)])
def test_round_trips_longer_than_the_interval_pair_each_answer_with_its_probe(
    rtt: float, every: float, at: str
) -> None:
    probed = talk(rtt=rtt, at=at).idle(10).probes(CLIENT, 6, every=every)
    probed.idle(10)
    assert probes_of(only_flow(probed), CLIENT) == built_probes(probed, CLIENT)


def test_a_lost_probe_in_a_run_with_long_round_trips_stays_unanswered() -> None:
    probed = talk(rtt=1.4).idle(10)
    for answered in (True, False, True, True):
        asked = probed.ask(CLIENT)
        if answered:
            probed.answer(asked, "ack")
        probed.idle(1)
    assert probes_of(only_flow(probed), CLIENT) == built_probes(probed, CLIENT)


def test_an_answer_captured_twice_answers_once() -> None:
    probed = talk().idle(15)
    probed.answer(probed.ask(CLIENT), "ack", copies=2)
    probed.idle(5).probes(CLIENT, 1, every=5, answered=False)
    assert counts(probed) == (1, 1, 0)


def test_an_answer_that_was_not_captured_is_none() -> None:
    probed = talk().idle(15)
    probed.answer(probed.ask(CLIENT), "ack", captured=False)
    probed.idle(15).probe(CLIENT)
    assert probes_of(only_flow(probed), CLIENT) == built_probes(probed, CLIENT)
    assert counts(probed) == (1, 1, 0)


@pytest.mark.parametrize(("timestamps", "answered"), [(True, 2), (False, 1)])
def test_at_the_beginning_a_timestamp_that_moved_shows_an_answer(timestamps: bool, answered: int) -> None:
    """The first probe's answer was lost by the capture, which holds nothing of before."""
    probed = Conversation(timestamps=timestamps).handshake().data(CLIENT, 100).data(SERVER, 300)
    probed.capture_begins().idle(15)
    probed.answer(probed.ask(CLIENT), "ack", captured=False)
    probed.idle(15).probe(CLIENT)
    assert probes_of(only_flow(probed), CLIENT) == built_probes(probed, CLIENT)
    assert counts(probed) == (answered, 2 - answered, 0)


def test_an_answer_belongs_to_the_last_probe_of_a_lossy_run() -> None:
    probed = talk().idle(15).probes(CLIENT, 3, every=5, answered=False).probe(CLIENT)
    assert_as_built(probed, only_flow(probed))
    assert counts(probed) == (1, 3, 0)


def test_the_peers_probe_does_not_answer_ours() -> None:
    probed = talk().idle(15).probes(CLIENT, 1, every=0.03, answered=False).probe(SERVER)
    assert counts(probed) == (0, 1, 0)


def test_the_probers_own_data_does_not_answer() -> None:
    probed = talk().idle(15).probes(CLIENT, 2, every=5, answered=False).data(CLIENT, 10)
    assert counts(probed) == (0, 2, 0)


@pytest.mark.parametrize("after", [0.3, 1.0, 2.0])
def test_an_ack_of_data_sent_after_a_lost_probe_does_not_answer_the_probe(after: float) -> None:
    """A probe is answered at once, with exactly the number that it asked about (detection 2.4)."""
    probed = talk().idle(15).probes(CLIENT, 1, every=after, answered=False).data(CLIENT, 10)
    assert counts(probed) == (0, 1, 0)


def test_an_answer_to_a_one_octet_probe_may_carry_a_dsack() -> None:
    probed = talk().idle(15).probe(CLIENT, octets=1)
    assert counts(probed) == (1, 0, 0)


def outcomes(probed: Conversation, sender: str = CLIENT) -> list[Outcome]:
    entry = keepalive(only_flow(probed), sender)
    assert entry is not None
    return [episode.outcome for episode in entry.episodes]


def test_every_answered_round_is_an_episode() -> None:
    probed = talk()
    for _ in range(4):
        probed.idle(15).probe(CLIENT)
    assert outcomes(probed) == [Outcome.ANSWERED] * 4


def test_an_answer_after_unanswered_probes_recovers() -> None:
    probed = talk().idle(15).probes(CLIENT, 2, every=5, answered=False).probe(CLIENT).idle(15).probe(CLIENT)
    assert outcomes(probed) == [Outcome.RECOVERED, Outcome.ANSWERED]


def test_data_of_the_peer_after_unanswered_probes_recovers() -> None:
    probed = talk().idle(15).probes(CLIENT, 2, every=5, answered=False).data(SERVER, 10)
    assert outcomes(probed) == [Outcome.RECOVERED]


def test_an_exhausted_run_times_out() -> None:
    probed = talk().idle(15).probes(CLIENT, 3, every=5, answered=False).rst(CLIENT)
    assert outcomes(probed) == [Outcome.TIMED_OUT]


def test_a_run_without_an_end_is_open() -> None:
    assert outcomes(talk().idle(15).probes(CLIENT, 3, every=5, answered=False)) == [Outcome.OPEN]


def test_a_fin_of_the_prober_closes_an_unanswered_run() -> None:
    probed = talk().idle(15).probes(CLIENT, 2, every=5, answered=False).fin(CLIENT, arrives=False)
    assert outcomes(probed) == [Outcome.CLOSED]


def test_an_episode_starts_when_the_prober_last_received() -> None:
    probed = talk()
    heard = probed.now
    probed.idle(15).probes(CLIENT, 2, every=5, answered=False)
    entry = keepalive(only_flow(probed), CLIENT)
    assert entry is not None
    assert entry.episodes[0].start <= heard < entry.episodes[0].start + probed.rtt + 1
    assert [probe.time for probe in entry.episodes[0].probes] == [probed.now - 10 * 10**9, probed.now - 5 * 10**9]


def test_a_second_acknowledgement_leaves_the_answer_to_the_first() -> None:
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 300).idle(15).probe(CLIENT).idle(0.4)
    talk.acknowledge(SERVER)
    entry = keepalive(only_flow(talk), CLIENT)
    assert entry is not None
    [probe] = entry.episodes[0].probes
    assert (probe.frame, probe.answer_frame) == (8, 9)
