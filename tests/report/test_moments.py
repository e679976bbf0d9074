"""The key moments of connections, in words, as a report tells them."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import flows

from analyzer.report.incident.moments import Known, moments_of, together
from analyzer.report.incident.story import EVENTS, that_matter


def exchange(port: int = 40_000, start: float = 0.0) -> Conversation:
    return Conversation(ports=(port, 5432), start=start).handshake().data(CLIENT, 100).data(SERVER, 300).idle(5)


def told(*talks: Conversation) -> list[tuple[str, bool, int]]:
    """What is told, whether it is urgent, and of how many connections, in order."""
    return [(some[0].text, some[0].urgent, len(some)) for some in together(flows(*talks))]


@pytest.mark.parametrize(
    ("talk", "begins", "ends", "urgent"),
    [
        (exchange().fin(CLIENT).fin(SERVER), "opened", "closed by both ends", False),
        (exchange().fin(SERVER), "opened", None, False),
        (exchange().rst(CLIENT), "opened", "reset by the client: its application aborted", True),
        (Conversation().refused(), "first SYN", "refused", True),
        (Conversation().syn().idle(1).syn(), "first SYN", None, False),
        (exchange().cut(5), "first packet captured", None, False),
    ],
)
def test_a_connection_has_its_beginning_and_its_end(
    talk: Conversation, begins: str, ends: str | None, urgent: bool
) -> None:
    assert told(talk) == [(begins, False, 1), *([(ends, urgent, 1)] if ends else [])]


@pytest.mark.parametrize(
    ("talk", "end"),
    [
        (exchange().probes(CLIENT, 3, every=5, answered=False), ("got no reply before the capture ended", True)),
        (
            exchange().probes(CLIENT, 3, every=5, answered=False).idle(5).probe(CLIENT),
            ("got no reply, then the peer replied again", False),
        ),
        (
            exchange().probes(CLIENT, 3, every=5, answered=False).idle(5).probe(CLIENT, "rst"),
            ("got no reply, then an RST", True),
        ),
    ],
)
def test_probes_without_an_answer_are_told_from_when_the_peer_was_last_heard(
    talk: Conversation, end: tuple[str, bool]
) -> None:
    texts = [(text, urgent) for text, urgent, _ in told(talk)]
    begin, first = (
        texts.index(("last packet from the server", False)),
        texts.index(("first keepalive probe of the client without a reply", True)),
    )
    assert begin < first
    assert (f"3 keepalive probes of the client {end[0]}", end[1]) in texts[first:]


def test_who_was_not_acknowledged_any_more_gave_up() -> None:
    stuck = exchange().data(CLIENT, 10, arrives=False).retransmissions(CLIENT, 6)
    later = exchange(40_001, 400)
    assert ("given up by the client: its data was never acknowledged", True, 1) in told(stuck, later)


def test_answered_probes_are_no_moment() -> None:
    assert told(exchange().probe(CLIENT).idle(5).probe(CLIENT)) == [("opened", False, 1)]


def test_what_befalls_many_within_a_second_is_told_once() -> None:
    talks = [exchange(40_000 + number, 0.1 * number).rst(SERVER) for number in range(4)]
    assert [count for _, _, count in told(*talks)] == [4, 4]
    apart = [exchange(40_000 + number, 2.0 * number).rst(SERVER) for number in range(4)]
    assert [count for _, _, count in told(*apart)] == [1] * 8


def test_a_close_that_the_other_end_does_not_follow_is_told_with_its_frame() -> None:
    [flow] = flows(exchange().fin(SERVER))
    text = "closed by the server; the client does not close before the capture ends"
    [told_of] = [one for one in moments_of(flow, Known(7, (None, (flow.end, 9)))) if one.urgent]
    assert (told_of.text, told_of.frame, told_of.time) == (text, 9, flow.end)
    assert [one.frame for one in moments_of(flow, Known(7)) if one.text == "opened"] == [7]


def test_a_close_that_the_other_end_follows_is_not_urgent() -> None:
    [flow] = flows(exchange().fin(SERVER).fin(CLIENT))
    assert [one for one in moments_of(flow, Known(7, ((flow.end, 10), (flow.end, 9)))) if one.urgent] == []


def test_the_events_that_matter_are_few_and_what_went_wrong_first() -> None:
    talks = [exchange(40_000 + number, 0.1 * number).rst(SERVER) for number in range(4)]
    talks += [exchange(50_000 + number).probes(CLIENT, 3, every=5, answered=False).rst(CLIENT) for number in range(8)]
    matter = that_matter(together(flows(*talks)), lambda one: "high")
    assert [(some[0].text, len(some)) for some in matter] == [
        ("opened", 12),
        ("last packet from the server", 8),
        ("first keepalive probe of the client without a reply", 8),
        ("reset by the server: its application aborted", 4),
        ("reset by the client: its keepalive was exhausted", 8),
    ]
    assert len(that_matter(together(flows(*talks)), lambda one: "low")) == EVENTS
