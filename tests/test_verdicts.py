"""When a peer that has not answered counts as dead: two probes must have had time for an answer."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import flows
from sides import START_S

EVERY = 5.0


def verdict_at(unanswered: int, after: float, *, every: float = EVERY, rtt: float = 0.02) -> str:
    """Of a connection with so many unanswered probes in a row, when the capture ends so long after the last."""
    talk = Conversation(rtt=rtt).handshake().data(CLIENT, 100).data(SERVER, 300).idle(15).probe(CLIENT).idle(15)
    for number in range(unanswered):
        if number:
            talk.idle(every)
        talk.ask(CLIENT)
    end = talk.now / 1e9 - START_S + after
    last_packet = Conversation(ports=(50_000, 5432), start=end - 0.002, rtt=0.001).handshake()
    return flows(talk, last_packet)[0].verdict


@pytest.mark.parametrize(("unanswered", "after"), [(2, 4.7), (2, 60), (3, 0.1), (3, 4.7), (9, 0.1)])
def test_two_probes_that_had_their_time_are_a_dead_peer(unanswered: int, after: float) -> None:
    assert verdict_at(unanswered, after) == "dead_peer"


@pytest.mark.parametrize(("unanswered", "after"), [(1, 0.1), (1, 60), (2, 0.1), (2, 4)])
def test_fewer_are_none(unanswered: int, after: float) -> None:
    assert verdict_at(unanswered, after) != "dead_peer"


@pytest.mark.parametrize(("unanswered", "after"), [(2, 1), (3, 1.5), (4, 0.2)])
def test_where_the_round_trip_is_longer_than_the_interval_probes_wait_for_it(unanswered: int, after: float) -> None:
    """A probe a second, answers after 2.7 s: three are always on their way."""
    assert verdict_at(unanswered, after, every=1, rtt=2.7) != "dead_peer"
    assert verdict_at(unanswered, after + 4, every=1, rtt=2.7) == "dead_peer"
