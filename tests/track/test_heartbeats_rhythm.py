"""Heartbeats that only their rhythm tells: encrypted, with jitter, missed, resent; and what else keeps a pace.

Lengths, periods and shapes are those of real protocols: OpenSSH's ServerAliveInterval (52 bytes, 28 in reply), TLS 1.3
around MQTT (24 and 24), OpenVPN's ping over TCP (42, no reply).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed, flows, only_flow

from analyzer.model.flows import Heartbeat

SHAPES: dict[str, dict[str, Any]] = {
    "ipv4": {},
    "ipv6": {"v6": True},
    "without timestamps": {"timestamps": False},
    "captured at the server": {"at": SERVER},
}


def noise(length: int, seed: int) -> bytes:
    """Bytes as a cipher makes them."""
    return random.Random(seed).randbytes(length)


def opened(**how: Any) -> Conversation:
    """A connection on which both ends have said something."""
    return Conversation(**how).handshake().data(CLIENT, 300).data(SERVER, 500).idle(0.5)


def beat(
    talk: Conversation, length: int, reply: int | None, *, sender: str = CLIENT, acked: bool = True
) -> Conversation:
    """One heartbeat, and the other end's reply or acknowledgement."""
    other = SERVER if sender == CLIENT else CLIENT
    talk.send(sender, "PA", noise(length, len(talk.segments)), arrives=acked)
    talk.now = talk._later
    if reply:
        talk.send(other, "PA", noise(reply, len(talk.segments)))
        talk.now = talk._later
    if acked:
        talk.acknowledge(sender if reply else other)
    return talk


def beats(talk: Conversation, waits: Iterable[float], length: int, reply: int | None, **how: Any) -> Conversation:
    """Heartbeats after such silences."""
    for wait in waits:
        beat(talk.idle(wait), length, reply, **how)
    return talk


def jittered(period: float, jitter: float, count: int, seed: int = 1) -> list[float]:
    """Silences of a period, each longer or shorter by up to that part of it."""
    dice = random.Random(seed)
    return [period * (1 + dice.uniform(-jitter, jitter)) for _ in range(count)]


def only_heartbeat(talk: Conversation) -> Heartbeat:
    [heartbeat] = only_flow(talk).heartbeats
    return heartbeat


def none_in(talk: Conversation) -> bool:
    return only_flow(talk).heartbeats == ()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("length", "reply", "period"), [(52, 28, 17), (24, 24, 30), (42, None, 10), (29, 25, 3)])
def test_one_length_at_one_pace_is_enough(shape: str, length: int, reply: int | None, period: float) -> None:
    heartbeat = only_heartbeat(beats(opened(**SHAPES[shape]), [period] * 7, length, reply))
    assert (heartbeat.protocol, heartbeat.sender) == ("periodic", CLIENT)
    assert (heartbeat.sent, heartbeat.answered) == (7, 7 if reply else 0)
    assert heartbeat.period_s == pytest.approx(period, rel=0.05)
    assert heartbeat.frames


@pytest.mark.parametrize("sender", [CLIENT, SERVER])
@pytest.mark.parametrize("jitter", [0.03, 0.1, 0.15])
@pytest.mark.parametrize("seed", range(5))
def test_jitter_on_purpose_hides_no_rhythm(sender: str, jitter: float, seed: int) -> None:
    heartbeat = only_heartbeat(beats(opened(), jittered(12, jitter, 8, seed), 40, 40, sender=sender))
    assert (heartbeat.sender, heartbeat.sent, heartbeat.answered) == (sender, 8, 8)
    assert heartbeat.period_s == pytest.approx(12, rel=0.1)


def uneven(lengths: Iterable[int], reply: int | None, replies: Iterable[int] | None = None) -> Conversation:
    """Heartbeats that hold a number, whose digits are not always as many."""
    talk, of = opened(), iter(replies or ())
    for length in lengths:
        beat(talk.idle(11), length, next(of, reply) if reply else None)
    return talk


@pytest.mark.parametrize("lengths", [[26, 33, 26, 31, 28, 27], [60, 61, 61, 61, 62, 60], [40, 32, 48, 40, 36, 44]])
def test_a_number_in_them_makes_no_other_length_where_all_draw_the_same(lengths: list[int]) -> None:
    heartbeat = only_heartbeat(uneven(lengths, 20))
    assert (heartbeat.sent, heartbeat.answered) == (6, 6)


@pytest.mark.parametrize(("reply", "enough"), [(None, 7), (40, 6)])
def test_a_pace_that_is_less_even_needs_more_of_them(reply: int | None, enough: int) -> None:
    waits = [10, 13, 10, 13, 10, 13, 10]
    assert none_in(beats(opened(), waits[: enough - 1], 40, reply))
    assert only_heartbeat(beats(opened(), waits[:enough], 40, reply)).sent == enough


@pytest.mark.parametrize("reply", [None, 40])
def test_the_first_that_is_told_is_the_one_that_settles_it(reply: int | None) -> None:
    """Their gaps differ by more than an eighth, and less than two: the sixth."""
    waits = [10, 12, 10, 12, 10, 12, 10]
    assert none_in(beats(opened(), waits[:5], 40, reply))
    seven = only_heartbeat(beats(opened(), waits, 40, reply))
    assert (seven.sent, len(seven.frames)) == (7, 2)


def test_the_first_data_of_a_connection_may_be_a_heartbeat() -> None:
    talk = beat(Conversation().handshake(), 24, 24)
    assert only_heartbeat(beats(talk, [9] * 5, 24, 24)).sent == 6


def test_one_that_is_missing_leaves_the_others() -> None:
    talk = beats(opened(), [8, 8, 8, 16, 8, 8, 8], 52, 28)
    heartbeat = only_heartbeat(talk)
    assert (heartbeat.sent, heartbeat.answered) == (7, 7)
    assert heartbeat.period_s == pytest.approx(8, rel=0.05)


def test_one_that_is_resent_counts_once() -> None:
    talk = beats(opened(), [8] * 5, 52, 28)
    beat(talk.idle(8), 52, None, acked=False).idle(0.3).resend(CLIENT)
    beats(talk, [7.7, 8], 52, 28)
    heartbeat = only_heartbeat(talk)
    assert (heartbeat.sent, heartbeat.answered) == (8, 7)


def test_other_data_puts_them_off_and_they_go_on() -> None:
    talk = beats(opened(), [14] * 6, 52, 28)
    talk.idle(5).data(CLIENT, 36).data(SERVER, 44).idle(0.3).data(CLIENT, 36).data(SERVER, 44)
    heartbeat = only_heartbeat(beats(talk, [14] * 4, 52, 28))
    assert (heartbeat.sent, heartbeat.answered) == (10, 10)
    assert heartbeat.period_s == pytest.approx(14, rel=0.05)


def test_both_ends_may_send_them() -> None:
    talk = opened()
    for _ in range(9):
        beat(talk.idle(6), 42, None)
        beat(talk.idle(4), 42, None, sender=SERVER)
    assert {one.sender for one in only_flow(talk).heartbeats} == {CLIENT, SERVER}


# -- what is none


def polling(replies: Iterable[int], length: int = 40, every: float = 5) -> Conversation:
    talk = opened()
    for reply in replies:
        beat(talk.idle(every), length, reply)
    return talk


def typing(seed: int) -> Conversation:
    """A person at a shell: a keystroke and its echo, output now and then, pauses to read and think."""
    dice, talk = random.Random(seed), opened()
    for _ in range(150):
        beat(talk.idle(dice.choice([0.12, 0.2, 0.35, dice.lognormvariate(0, 1)])), 36, 36)
        if dice.random() < 0.1:
            talk.data(SERVER, dice.randrange(60, 900)).idle(dice.expovariate(0.2))
    return talk


def thinking(seed: int) -> Conversation:
    """Requests and replies of one length each, at no pace."""
    dice = random.Random(seed)
    return beats(opened(), [2 + dice.expovariate(0.15) for _ in range(60)], 40, 40)


def long_polls(length: int, reply: int) -> Conversation:
    """The server lets each request wait half a minute, and the next follows at once."""
    talk = opened()
    for _ in range(8):
        talk.idle(0.02).data(CLIENT, length).idle(30).data(SERVER, reply)
    return talk


def growing(seed: int) -> Conversation:
    """Metrics every ten seconds, each time a byte or a few more."""
    talk, dice, length = opened(), random.Random(seed), 30
    for _ in range(20):
        length += dice.choice([0, 0, 1, 2])
        beat(talk.idle(10), min(length, 120), None)
    return talk


def log_lines(seed: int) -> Conversation:
    talk, dice = opened(), random.Random(seed)
    for _ in range(40):
        beat(talk.idle(dice.expovariate(0.25)), dice.choice([80, 95, 95, 110]), None, sender=SERVER)
    return talk


def readings(length: int = 32) -> Conversation:
    """A sensor that only ever sends its readings."""
    return beats(Conversation().handshake(), [10] * 12, length, None)


def probed() -> Conversation:
    talk = opened()
    for octets in (0, 1):
        for _ in range(8):
            talk.idle(10).probe(CLIENT, octets=octets)
    return talk


def bursts() -> Conversation:
    """Two messages every ten seconds."""
    talk = opened()
    for _ in range(8):
        beat(beat(talk.idle(10), 40, 40).idle(0.1), 40, 40)
    return talk


NONE: dict[str, Callable[[], Conversation]] = {
    "replies that vary": lambda: polling([60, 44, 100, 44, 57, 91, 60, 44]),
    "replies that vary within what heartbeats may draw": lambda: polling([30, 31, 40, 30, 44, 41, 40, 42]),
    "replies that vary later": lambda: polling([*[30] * 7, 44, 47, 38, *[30] * 3, 41]),
    "larger replies": lambda: polling([60] * 9),
    "much larger replies": lambda: polling([1200] * 9),
    "larger replies now and then": lambda: polling(([30] * 6 + [400]) * 4),
    "large requests": lambda: polling([40] * 9, length=200),
    "fast polling": lambda: polling([40] * 30, every=1),
    "typing": lambda: typing(3),
    "thinking": lambda: thinking(4),
    "long polls": lambda: long_polls(40, 40),
    "long polls of other lengths": lambda: long_polls(60, 30),
    "growing metrics": lambda: growing(5),
    "log lines": lambda: log_lines(6),
    "readings of a sensor": readings,
    "probes": probed,
    "bursts": bursts,
    "polls over Modbus": lambda: beats(opened(ports=(50_111, 502)), [5] * 9, 12, 11),
    "polls over S7": lambda: beats(opened(ports=(50_111, 102)), [5] * 9, 31, 27),
    "too few": lambda: beats(opened(), [10] * 4, 52, 28),
    "too much jitter": lambda: beats(opened(), [10, 14, 10, 14, 10, 14, 10, 14, 10], 52, 28),
    "uneven readings": lambda: uneven([26, 33, 26, 31, 28, 27, 30, 26], None),
    "uneven requests and uneven replies": lambda: uneven(
        [26, 33, 26, 31, 28, 27, 30, 26], 20, [20, 22, 20, 25, 21, 22, 20, 28]
    ),
    "requests of very uneven lengths": lambda: uneven([26, 45, 26, 61, 28, 47, 30, 72], 20),
    "one-way data of some size": lambda: beats(opened(), [10] * 9, 100, None),
}


@pytest.mark.parametrize("name", NONE)
def test_what_keeps_a_pace_for_other_ends_is_none(name: str) -> None:
    assert none_in(NONE[name]())


@pytest.mark.parametrize("person", [typing, thinking, growing, log_lines])
def test_chance_makes_none(person: Callable[[int], Conversation]) -> None:
    talks = [person(seed) for seed in range(30)]
    for number, talk in enumerate(talks):
        talk.use_ports(20_000 + number, 5432)
    assert not any(flow.heartbeats for flow in flows(*talks))


# -- replies that stop


@pytest.mark.parametrize("sender", [CLIENT, SERVER])
def test_replies_that_stop_on_an_open_connection_are_a_hung_application(sender: str) -> None:
    talk = beats(beats(opened(), [20] * 6, 52, 28, sender=sender), [20] * 2, 52, None, sender=sender)
    later = Conversation(ports=(50_000, 80), start=200).handshake()
    assert flows(talk, later)[0].verdict == "app_hung"
    answered = beats(opened(), [20] * 8, 52, 28, sender=sender)
    assert flows(answered, later)[0].verdict == "healthy"


def test_a_reply_that_is_missing_once_is_none() -> None:
    talk = beats(beats(opened(), [20] * 5, 52, 28), [20], 52, None)
    heartbeat = only_heartbeat(beats(talk, [20] * 3, 52, 28))
    assert (heartbeat.sent, heartbeat.answered) == (9, 8)
    assert missed(talk.fin(CLIENT).fin(SERVER)) == []


def stopped(count: int, close: Callable[[Conversation], object], wait: float = 20) -> Conversation:
    """So many heartbeats that only the kernel acknowledges, after some that drew replies; then somebody closes."""
    talk = beats(opened(), [20] * 6, 52, 28)
    beats(talk, [20] * count, 52, None)
    close(talk.idle(wait))
    return talk


CLOSES: dict[str, Callable[[Conversation], object]] = {
    "client's FIN": lambda talk: talk.fin(CLIENT),
    "client's FIN, the server's": lambda talk: talk.fin(CLIENT).idle(1).fin(SERVER),
    "client's RST": lambda talk: talk.rst(CLIENT),
    "server's FIN": lambda talk: talk.fin(SERVER).fin(CLIENT),
    "server's RST": lambda talk: talk.rst(SERVER),
}


def missed(talk: Conversation) -> list[str]:
    return [one.confidence for one in analyzed(talk).findings if one.rule == "heartbeat-missed"]


@pytest.mark.parametrize("who", CLOSES)
@pytest.mark.parametrize(("count", "confidence"), [(1, "possible"), (3, "likely")])
def test_replies_that_stop_are_told_whoever_closes(who: str, count: int, confidence: str) -> None:
    assert missed(stopped(count, CLOSES[who])) == [confidence]


@pytest.mark.parametrize("who", CLOSES)
def test_a_close_at_once_leaves_no_time_for_a_reply(who: str) -> None:
    assert missed(stopped(1, CLOSES[who], wait=0.1)) == []
    assert missed(stopped(0, CLOSES[who])) == []


def test_heartbeats_that_never_drew_replies_miss_none() -> None:
    assert missed(beats(opened(), [20] * 8, 42, None).idle(20).fin(CLIENT).fin(SERVER)) == []


def test_what_is_not_acknowledged_is_no_hung_application() -> None:
    talk = beats(opened(), [20] * 6, 52, 28)
    beat(talk.idle(20), 52, None, acked=False).retransmissions(CLIENT, 5).rst(CLIENT)
    assert missed(talk) == []


@pytest.mark.parametrize("late", [21.5, 24, 27])
def test_few_that_are_late_leave_the_period_as_it_is(late: float) -> None:
    waits = [20] * 9 + [late] + [20] * 6 + [late - 1]
    assert only_heartbeat(beats(opened(), waits, 52, 28)).period_s == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("port", [1883, 4222, 5672, 6379])
def test_messages_at_a_pace_are_no_heartbeats_where_those_have_bytes_of_their_own(port: int) -> None:
    assert none_in(beats(opened(ports=(40_000, port)), [2.1] * 9, 14, 4))
    assert only_heartbeat(beats(opened(ports=(40_000, port + 1)), [2.1] * 9, 14, 4)).protocol == "periodic"
