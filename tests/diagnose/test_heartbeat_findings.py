"""Findings about heartbeats: missed by what was said of them, ignored, too seldom for the path, beside probes."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed

from analyzer.model.findings import Finding

CONNECT = b"\x10\x0f\0\4MQTT\4\2%s\0\3lab"
TUNE_OK = b"\1\0\0\0\0\0\x0c\0\x0a\0\x1f\x07\xff\0\2\0\0\0%c\xce"
OPEN = b"\xff" * 16 + b"\0\x1d\1\4\xfd\xe8\0%c\xc0\0\2\1\0"
HOLD_TIMER_EXPIRED = b"\xff" * 16 + b"\0\x15\3\4\0"
PING_TIMEOUT = b"\x88\x18\3\xf3keepalive ping timeout"
PING, PONG = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"
MYSQL_4031 = b"\x91\0\0\0\xff\xbf\x0f" + b"#HY000The client was disconnected by the server".ljust(142, b".")


def say(talk: Conversation, sender: str, payload: bytes) -> Conversation:
    talk.send(sender, "PA", payload)
    talk.now = talk._later
    return talk


def begun(words: dict[str, bytes], port: int = 40_000) -> Conversation:
    """A connection on which each end says these words first."""
    talk = Conversation(ports=(port, 5672), rtt=0.001).handshake()
    for sender, payload in words.items():
        say(talk, sender, payload)
    return talk.data(CLIENT, 100).data(SERVER, 300)


def rules(*talks: Conversation) -> dict[str, Finding]:
    return {one.rule: one for one in analyzed(*talks).findings}


@pytest.mark.parametrize(
    ("words", "silent", "closer", "missed"),
    [
        # A client that promised a packet every 10 s: its broker waits for 15 s.
        ({CLIENT: CONNECT % b"\0\x0a"}, 15.2, SERVER, True),
        ({CLIENT: CONNECT % b"\0\x0a"}, 24.0, SERVER, True),
        ({CLIENT: CONNECT % b"\0\x0a"}, 13.0, SERVER, False),
        ({CLIENT: CONNECT % b"\0\x0a"}, 90.0, SERVER, False),
        ({CLIENT: CONNECT % b"\0\x0a"}, 15.2, CLIENT, False),  # nobody has promised that the broker speaks
        ({CLIENT: CONNECT % b"\0\0"}, 15.2, SERVER, False),  # MQTT 3.1.1 3.1.2.10: 0 turns it off
        ({CLIENT: TUNE_OK % 12}, 13.0, SERVER, True),
        ({CLIENT: TUNE_OK % 12}, 13.0, CLIENT, True),
        ({CLIENT: TUNE_OK % 12}, 11.0, CLIENT, False),
        ({CLIENT: TUNE_OK % 0}, 13.0, CLIENT, False),
        # RFC 4271 4.2: the smaller of both hold times.
        ({CLIENT: OPEN % 90, SERVER: OPEN % 30}, 30.1, SERVER, True),
        ({CLIENT: OPEN % 90, SERVER: OPEN % 30}, 25.0, SERVER, False),
    ],
)
def test_who_is_silent_for_longer_than_was_said_has_missed_heartbeats(
    words: dict[str, bytes], silent: float, closer: str, missed: bool
) -> None:
    found = rules(begun(words).idle(silent).fin(closer))
    assert ("heartbeat-missed" in found) == missed
    if missed:
        assert found["heartbeat-missed"].confidence == "likely"
        assert "interval of" in found["heartbeat-missed"].summary


def test_an_rst_of_a_device_is_no_close_for_want_of_heartbeats() -> None:
    talk = begun({CLIENT: CONNECT % b"\0\x0a"}).idle(15.2)
    far = talk.sides[SERVER].host
    talk.sides[SERVER].host = type(far)(**{**vars(far), "ttl": 250})
    assert "heartbeat-missed" not in rules(talk.rst(SERVER, bare=True))


@pytest.mark.parametrize(
    ("words", "quoted"),
    [(HOLD_TIMER_EXPIRED, "hold timer expired"), (PING_TIMEOUT, "keepalive ping timeout")],
)
def test_who_says_why_it_closes_is_believed(words: bytes, quoted: str) -> None:
    talk = say(begun({}).idle(47), SERVER, words).fin(SERVER)
    finding = rules(talk)["heartbeat-missed"]
    assert finding.confidence == "certain"
    assert quoted in finding.summary
    assert "192.0.2.10" in finding.whom


def closed_for_idling(port: int, idle: float, words: bytes = MYSQL_4031) -> Conversation:
    return say(begun({}, port).idle(idle), SERVER, words).fin(SERVER)


def test_who_says_that_a_connection_was_idle_is_believed_at_once() -> None:
    finding = rules(closed_for_idling(40_000, 23.4))["proxy-idle-close"]
    assert finding.confidence == "certain"
    assert "after 23.4 s without data, and said so (mysql error 4031)" in finding.summary


def test_those_of_one_service_are_told_together() -> None:
    talks = [closed_for_idling(40_000 + number, 23 + number) for number in range(4)]
    finding = rules(*talks)["proxy-idle-close"]
    assert finding.streams == (0, 1, 2, 3)
    assert "closed 4 connections after 23.0 s to 26.0 s without data" in finding.summary


def test_another_error_before_a_close_says_nothing() -> None:
    assert "proxy-idle-close" not in rules(closed_for_idling(40_000, 23.4, b"\x91\0\0\0\xff\xbe\x0f" + b"." * 142))


def pinging(*, probes: bool, replies: bool = True, port: int = 40_000) -> Conversation:
    """A heartbeat every 30 s, and a keepalive probe in the middle of it."""
    talk = begun({}, port)
    for _ in range(6):
        talk.idle(15)
        if probes:
            talk.probe(CLIENT)
        talk.idle(15)
        say(talk, CLIENT, PING)
        if replies:
            say(talk, SERVER, PONG)
        talk.acknowledge(CLIENT if replies else SERVER)
    return talk


def test_heartbeats_and_probes_at_once_are_told() -> None:
    finding = rules(pinging(probes=True), pinging(probes=True, port=40_001))["both-layers-redundant"]
    assert finding.severity == "info"
    assert finding.streams == (0, 1)
    assert "sends redis heartbeats every 30 s and keepalive probes after 15 s" in finding.summary


def test_heartbeats_alone_are_enough() -> None:
    assert "both-layers-redundant" not in rules(pinging(probes=False))


def test_probes_beside_heartbeats_without_replies_are_not_redundant() -> None:
    assert "both-layers-redundant" not in rules(pinging(probes=True, replies=False))


def test_a_heartbeat_in_vain_says_how_soon_it_told() -> None:
    talk = pinging(probes=False).idle(30)
    talk.send(CLIENT, "PA", PING, arrives=False, captured=True)
    talk.retransmissions(CLIENT, 5).idle(2).rst(CLIENT)
    seen = rules(talk)["retransmission-timeout"].evidence.observed
    assert "begins with a redis heartbeat, sent every 30" in seen
    assert "keepalive with Linux defaults takes 2 h 11 min" in seen


def test_data_in_vain_behind_heartbeats_is_none() -> None:
    talk = pinging(probes=False).idle(3)
    talk.data(CLIENT, 700, arrives=False, captured=True)
    talk.retransmissions(CLIENT, 5).idle(2).rst(CLIENT)
    assert "heartbeat" not in rules(talk)["retransmission-timeout"].evidence.observed
