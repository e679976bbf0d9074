"""Candidate settings: how they are written, what is proposed, and what Linux's timer makes of them."""

from __future__ import annotations

import pytest

from analyzer import UsageError
from analyzer.advise import parse
from analyzer.advise.candidates import USUAL, proposals
from analyzer.advise.timer import first_probe, gives_up, longest_silence, probes_sent
from analyzer.model.advice import Candidate


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("60/10/3", Candidate(60, 10, 3)),
        ("60s/10s/3", Candidate(60, 10, 3)),
        ("2m/10s/3", Candidate(120, 10, 3)),
        ("2min/10/3", Candidate(120, 10, 3)),
        ("2H/75/9", Candidate(7200, 75, 9)),
        ("60/10/3/ut90", Candidate(60, 10, 3, 90.0)),
        ("60/10/3/ut2.5s", Candidate(60, 10, 3, 2.5)),
        ("32767/32767/127", Candidate(32767, 32767, 127)),
    ],
)
def test_settings_are_written_with_units_or_without(text: str, settings: Candidate) -> None:
    assert parse(text) == settings
    assert parse(str(settings)) == settings


@pytest.mark.parametrize(
    "text",
    [
        *("", "60", "60/10", "60/10/3/90", "60/10/3/ut90/1", "60/10/x", "0/10/3", "60/0/3", "60/10/0", "60/10/128"),
        *("32768/10/3", "1.5/10/3", "-1/10/3", "60/10/3/ut0", "60/10/3/utx", "60x/10/3", "60/10/1.5", "1e3/10/3"),
    ],
)
def test_what_linux_refuses_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="--settings"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "probes", "seconds"),
    [
        ("7200/75/9", 9, 7875),
        ("5/2/4", 4, 13),
        ("5/3/1", 1, 8),
        # As measured: one probe, then an RST at 7 s; 28 probes whatever the count; one probe though less than idle.
        ("5/2/9/ut7", 1, 7),
        ("4/3/9/ut8", 2, 10),
        ("5/2/3/ut60", 28, 61),
        ("6/3/9/ut2.5", 1, 9),
        ("2/1/2/ut8", 6, 8),
    ],
)
def test_a_prober_gives_up_after_its_count_or_at_the_first_timer_past_its_user_timeout(
    text: str, probes: int, seconds: float
) -> None:
    delay = gives_up(parse(text))
    assert (probes_sent(parse(text)), delay.nominal) == (probes, seconds)
    assert delay.earliest <= delay.nominal <= delay.latest


def test_a_user_timeout_just_past_a_timer_may_be_found_over_by_a_late_one() -> None:
    """10.1 s: the timer due at 10 s may fire at 10.2 s and find it over, or at 10 s and not."""
    delay = gives_up(parse("4/3/9/ut10.1"))
    assert (delay.earliest, delay.nominal) == (10.1, 13)


def test_a_timer_is_never_early_and_late_by_an_eighth_at_most() -> None:
    for seconds in (1, 2, 9, 15, 60, 75, 350, 7200):
        delay = first_probe(Candidate(seconds, 1, 1))
        assert seconds == delay.nominal == delay.earliest < delay.latest <= seconds * 9 / 8


def test_answered_probes_are_no_closer_than_the_interval() -> None:
    assert longest_silence(parse("2/6/3")).nominal == 6
    assert longest_silence(parse("6/2/3")).nominal == 6


def test_a_reply_to_a_probe_leaves_the_timer_at_the_interval() -> None:
    """With 2/6/3 a peer that dies after a reply is given up after 24 s, one that dies after data after 20 s."""
    delay = gives_up(parse("2/6/3"))
    assert delay.nominal == 20
    assert 24 < delay.latest < 27


# -- proposals


def test_without_limits_the_usual_settings_are_proposed() -> None:
    assert proposals(None, None, unacknowledged=False) == list(USUAL)


def test_no_idle_time_is_above_what_a_device_allows() -> None:
    made = proposals(40, None, unacknowledged=False)
    assert [str(one) for one in made] == ["15/5/3", "40/10/3", "40/20/3"]
    assert [str(one) for one in proposals(4, None, unacknowledged=False)] == ["4/4/3"]


@pytest.mark.parametrize("seconds", [3.0, 4.0, 8.0, 20.0, 29.0, 30.0, 89.0, 90.0, 500.0])
@pytest.mark.parametrize("longest", [None, 1, 9, 40])
def test_nothing_is_proposed_that_notices_later_than_the_settings_seen(seconds: float, longest: int | None) -> None:
    made = proposals(longest, seconds, unacknowledged=False)
    assert made
    for one in made:
        assert gives_up(one).nominal <= max(seconds, 4)
        assert one.idle <= (longest or one.idle)
        assert one.interval <= one.idle


def test_for_unacknowledged_data_the_user_timeout_allows_every_probe_its_time() -> None:
    for one in proposals(None, None, unacknowledged=True):
        assert one.user_timeout is not None
        assert gives_up(one).nominal == gives_up(Candidate(one.idle, one.interval, one.count)).nominal
        assert probes_sent(one) == one.count
