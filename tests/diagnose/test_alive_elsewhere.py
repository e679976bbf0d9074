"""What another connection of the same hosts shows of a peer that was given up: that it lived, or no such thing."""

from __future__ import annotations

from typing import Any

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed

from analyzer.model.findings import Finding

FORMS = [{}, {"v6": True}, {"timestamps": False}]
EVERY_FORM = pytest.mark.parametrize("form", FORMS, ids=str)


def at(port: int, start: float = 0.0, **form: Any) -> Conversation:
    return Conversation(ports=(port, 5432), start=start, **form).handshake().data(CLIENT, 100).data(SERVER, 300)


def given_up(**form: Any) -> Conversation:
    """20 s of silence, four probes, and an RST after 40 s."""
    return at(40_000, **form).idle(20).probes(CLIENT, 4, every=5, answered=False).rst(CLIENT)


def patient(**form: Any) -> Conversation:
    """Another connection that asks in vain for 50 s."""
    return at(41_000, **form).idle(20).probes(CLIENT, 6, every=5, answered=False).idle(5)


def about(*talks: Conversation) -> list[Finding]:
    return [one for one in analyzed(*talks).findings if one.stream == 0 or 0 in one.streams]


@EVERY_FORM
def test_a_host_that_came_back_without_its_memory_had_been_gone(form: dict[str, Any]) -> None:
    other = patient(**form)
    other.ask(CLIENT)
    [finding] = about(given_up(**form), other.rst(SERVER, bare=True))
    assert finding.rule == "dead-peer"


@EVERY_FORM
def test_a_host_that_still_knows_an_older_connection_had_not(form: dict[str, Any]) -> None:
    """Nor did a device forget: nothing passed in all that time."""
    [finding] = about(given_up(**form), patient(**form).probe(CLIENT).idle(20).probe(CLIENT))
    assert finding.rule == "keepalive-exhausted-but-alive"
    assert "no packet from the peer" not in " ".join((*finding.notes, finding.evidence.observed))


@EVERY_FORM
def test_a_connection_that_was_made_afterwards_shows_nothing(form: dict[str, Any]) -> None:
    [finding] = about(given_up(**form), at(42_000, start=50, **form))
    assert finding.rule == "dead-peer"


@EVERY_FORM
def test_a_host_that_was_heard_in_time_was_alive(form: dict[str, Any]) -> None:
    other = at(41_000, **form).idle(12).data(CLIENT, 40).data(SERVER, 50).idle(18).data(CLIENT, 40).data(SERVER, 50)
    assert "dead-peer" not in {one.rule for one in about(given_up(**form), other)}


@EVERY_FORM
def test_a_host_that_asks_in_its_turn_is_alive(form: dict[str, Any]) -> None:
    """What the client sends is lost on both connections; on one of them the server asks, too."""
    other = at(41_000, **form).idle(22)
    for _ in range(3):
        other.ask(CLIENT)
        other.idle(1).probe(SERVER).idle(4)
    [finding] = about(given_up(**form), other)
    assert finding.rule == "keepalive-exhausted-but-alive"
