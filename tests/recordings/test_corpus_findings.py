"""No finding in the public captures accuses somebody of what a careful reader of the packets did not find."""

from __future__ import annotations

import pytest
from corpus_findings import DISPUTED, GONE, HOLDERS, LEAK, SURENESS, Disputed
from test_corpus import NAMES, seen

from analyzer.model.findings import URGENT


@pytest.mark.parametrize("disputed", DISPUTED, ids=lambda one: f"{one.capture}-{one.rule}-{one.streams[0]}")
def test_nothing_is_told_that_the_packets_do_not_bear(disputed: Disputed) -> None:
    said = [
        (one.severity, one.confidence, one.summary)
        for one in seen(disputed.capture).findings
        if one.rule == disputed.rule
        and one.severity in URGENT
        and not set(disputed.streams).isdisjoint(one.streams)
        and SURENESS.index(one.confidence) > SURENESS.index(disputed.at_most)
    ]
    assert not said, disputed.reason


@pytest.mark.parametrize(("capture", "stream"), HOLDERS)
def test_a_leak_is_told_of_the_end_that_did_not_close(capture: str, stream: int) -> None:
    for one in seen(capture).findings:
        if one.rule == LEAK and stream in one.streams:
            assert one.summary.startswith(HOLDERS[capture, stream])


@pytest.mark.parametrize("capture", NAMES)
def test_findings_are_in_plain_words_and_advise_no_opposite_things(capture: str) -> None:
    assert seen(capture).faults == ()


def test_the_table_of_disputed_findings_holds_nothing_stale() -> None:
    for one in DISPUTED:
        assert one.capture in NAMES
        assert max(one.streams) < len(seen(one.capture).connections), one
        assert one.at_most in (GONE, "possible", "likely")
    assert {capture for capture, _ in HOLDERS} <= set(NAMES)
