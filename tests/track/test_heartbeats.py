"""Heartbeats of applications: by their bytes, or by their rhythm alone."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import flows, only_flow

from analyzer.model.flows import Heartbeat

PAIRS = {
    "websocket": (b"\x89\x00", b"\x8a\x80\1\2\3\4"),
    "http2": (b"\0\0\x08\6\0\0\0\0\0abcdefgh", b"\0\0\x08\6\1\0\0\0\0abcdefgh"),
    "redis": (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    "mqtt": (b"\xc0\0", b"\xd0\0"),
    "nats": (b"PING\r\n", b"PONG\r\n"),
    "mysql": (b"\1\0\0\0\x0e", b"\7\0\0\1\0\0\0\2\0\0\0"),
    "postgresql": (b"Q\0\0\0\rSELECT 1\0", b"T" * 60),
    "cassandra": (b"\4\0\0\1\5\0\0\0\0", b"\x84\0\0\1\6" + b"x" * 40),
    "zookeeper": (b"\0\0\0\x08\xff\xff\xff\xfe\0\0\0\x0b", b"\0" * 20),
}
ONE_WAY = {
    "amqp": b"\x08\0\0\0\0\0\0\xce",
    "bgp": b"\xff" * 16 + b"\0\x13\4",
}


def say(talk: Conversation, sender: str, payload: bytes) -> None:
    talk.send(sender, "PA", payload)
    talk.now = talk._later


def beats(
    payload: bytes, reply: bytes | None, *, count: int = 4, every: float = 20, sender: str = CLIENT
) -> Conversation:
    """Heartbeats after a request and its reply, each acknowledged by a reply or by an ACK."""
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 300)
    other = SERVER if sender == CLIENT else CLIENT
    for _ in range(count):
        talk.idle(every)
        say(talk, sender, payload)
        if reply is not None:
            say(talk, other, reply)
        talk.acknowledge(other if reply is None else sender)
    return talk


def only_heartbeat(talk: Conversation) -> Heartbeat:
    [heartbeat] = only_flow(talk).heartbeats
    return heartbeat


@pytest.mark.parametrize("protocol", PAIRS)
@pytest.mark.parametrize("sender", [CLIENT, SERVER])
def test_a_heartbeat_is_known_by_its_octets(protocol: str, sender: str) -> None:
    heartbeat = only_heartbeat(beats(*PAIRS[protocol], sender=sender))
    assert (heartbeat.protocol, heartbeat.sender) == (protocol, sender)
    assert (heartbeat.sent, heartbeat.answered) == (4, 4)
    assert heartbeat.period_s == pytest.approx(20, abs=0.2)
    assert heartbeat.frames


@pytest.mark.parametrize("protocol", ONE_WAY)
def test_some_protocols_expect_no_answer(protocol: str) -> None:
    heartbeat = only_heartbeat(beats(ONE_WAY[protocol], None))
    assert (heartbeat.protocol, heartbeat.sent, heartbeat.answered) == (protocol, 4, 0)


def test_one_ping_is_a_command_like_any_other() -> None:
    assert only_flow(beats(*PAIRS["redis"], count=1)).heartbeats == ()


@pytest.mark.parametrize(("count", "found"), [(4, False), (5, True), (9, True)])
def test_an_unknown_protocol_is_known_by_an_even_pace(count: int, found: bool) -> None:
    flow = only_flow(beats(b"\x17\3\3\0\x13" + b"?" * 19, b"\x17\3\3\0\x13" + b"!" * 19, count=count))
    assert [beat.protocol for beat in flow.heartbeats] == ["periodic"] * found


def test_requests_at_random_times_are_no_heartbeats() -> None:
    talk = Conversation().handshake()
    for gap in (3, 7.5, 4, 11, 6, 9, 3.3):
        talk.idle(gap).data(CLIENT, 40).data(SERVER, 60)
    assert only_flow(talk).heartbeats == ()


def test_other_traffic_does_not_hide_a_known_heartbeat() -> None:
    talk = beats(*PAIRS["mqtt"])
    talk.idle(1).data(CLIENT, 500).data(SERVER, 70)
    talk.idle(19)
    say(talk, CLIENT, PAIRS["mqtt"][0])
    assert only_heartbeat(talk).sent == 5


def test_a_quiet_connection_with_heartbeats_is_not_unprotected() -> None:
    later = Conversation(ports=(50_000, 80), start=100).handshake()
    assert flows(beats(*PAIRS["mqtt"]), later)[0].verdict == "healthy"
    assert flows(Conversation().handshake().data(CLIENT, 10).data(SERVER, 10), later)[0].verdict == "unprotected"


def test_heartbeats_that_kernels_acknowledge_and_nobody_answers_are_a_hung_application() -> None:
    talk = beats(*PAIRS["redis"])
    for _ in range(2):
        talk.idle(20)
        say(talk, CLIENT, PAIRS["redis"][0])
        talk.acknowledge(SERVER)
    assert only_flow(talk.idle(20)).verdict != "app_hung"  # the last may be answered yet
    later = Conversation(ports=(50_000, 80), start=160).handshake()
    assert flows(talk, later)[0].verdict == "app_hung"


@pytest.mark.parametrize(("protocol", "unheard"), [("redis", 4), ("mqtt", 3)])
def test_heartbeats_that_go_on_without_a_reply_wait_since_the_first_of_them(protocol: str, unheard: int) -> None:
    talk = beats(*PAIRS[protocol])
    for _ in range(unheard):
        talk.idle(7)
        say(talk, CLIENT, PAIRS[protocol][0])
        talk.acknowledge(SERVER)
    assert only_flow(talk.idle(1)).verdict == "app_hung"


def test_heartbeats_of_which_some_never_drew_a_reply_wait_for_none() -> None:
    ping, pong = PAIRS["redis"]
    talk = beats(ping, pong)
    for _ in range(3):
        for replied in (False, False, False, True):
            talk.idle(4)
            say(talk, CLIENT, ping)
            say(talk, SERVER, pong) if replied else talk.acknowledge(SERVER)
    for _ in range(4):
        talk.idle(4)
        say(talk, CLIENT, ping)
        talk.acknowledge(SERVER)
    assert only_flow(talk.idle(1)).verdict == "healthy"
