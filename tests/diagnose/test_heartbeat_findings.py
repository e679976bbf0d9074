"""Findings about heartbeats: missed by what was said of them, ignored, too seldom for the path, beside probes."""

from __future__ import annotations

from dataclasses import replace

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
        # RFC 4271 4.2: the smaller of both hold times; 0 turns them off.
        ({CLIENT: OPEN % 0, SERVER: OPEN % 30}, 30.1, SERVER, False),
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


def test_who_has_stopped_does_not_close_either() -> None:
    later = Conversation(ports=(50_000, 80), start=60, rtt=0.001).handshake()
    found = rules(begun({CLIENT: CONNECT % b"\0\x0a"}).idle(15.2).fin(SERVER), later)
    assert "close-wait-leak" not in found
    assert [note.partition(":")[0] for note in found["heartbeat-missed"].notes] == ["close-wait-leak"]
    assert "close-wait-leak" in rules(begun({CLIENT: CONNECT % b"\0\x0a"}).idle(13).fin(SERVER), later)


def test_an_rst_of_a_device_is_no_close_for_want_of_heartbeats() -> None:
    talk = begun({CLIENT: CONNECT % b"\0\x0a"}).idle(15.2)
    talk.sides[SERVER].host = replace(talk.sides[SERVER].host, ttl=250)
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


@pytest.mark.parametrize("goodbye", [b"\xff" * 16 + b"\0\x15\3\6\2", b"a word of another kind"])
def test_who_gives_another_reason_closes_for_that(goodbye: bytes) -> None:
    talk = say(begun({CLIENT: OPEN % 30, SERVER: OPEN % 30}).idle(30.1), SERVER, goodbye)
    assert "heartbeat-missed" not in rules(talk.fin(SERVER))


def test_who_has_said_goodbye_owes_no_heartbeat() -> None:
    talk = say(begun({CLIENT: CONNECT % b"\0\x0a"}).idle(1), CLIENT, b"\xe0\0").idle(15.2)
    assert "heartbeat-missed" not in rules(talk.fin(SERVER))


def test_a_broker_sets_the_interval_of_mqtt_5() -> None:
    connect = b"\x10\x10\0\4MQTT\5\2\0\x0a\0\0\3lab"
    connack = b"\x20\6\0\0\3\x13\0%c"
    for server, silent, missed in ((60, 15.2, False), (60, 90.5, True), (5, 8.0, True)):
        talk = begun({CLIENT: connect, SERVER: connack % server}).idle(silent).fin(SERVER)
        assert ("heartbeat-missed" in rules(talk)) == missed
    # A CONNACK may have said more than is read.
    assert rules(begun({CLIENT: connect}).idle(15.2).fin(SERVER))["heartbeat-missed"].confidence == "possible"


def test_a_host_that_acknowledges_no_farewell_may_be_gone() -> None:
    talk = begun({CLIENT: OPEN % 30, SERVER: OPEN % 30}).idle(30.1)
    talk.send(SERVER, "PA", HOLD_TIMER_EXPIRED, arrives=False, captured=True)
    talk.retransmissions(SERVER, 3)
    finding = rules(talk.rst(SERVER)).get("heartbeat-missed")
    assert finding is None or (finding.confidence == "possible" and "did not acknowledge" in finding.summary)


def test_what_the_tap_has_lost_is_no_silence() -> None:
    talk = begun({CLIENT: CONNECT % b"\0\x0a"}).idle(9)
    talk.send(CLIENT, "PA", b"\xc0\0", captured=False)
    talk.idle(0.1).acknowledge(SERVER)
    assert "heartbeat-missed" not in rules(talk.idle(8).fin(SERVER))


def both_beat(gaps: list[float], payload: bytes, *, stops: bool = False) -> Conversation:
    talk = begun({})
    for number, gap in enumerate(gaps):
        say(talk.idle(gap), CLIENT, payload)
        if not (stops and number > len(gaps) // 2):
            say(talk.idle(0.5), SERVER, payload)
        else:
            talk.acknowledge(SERVER)
    return talk


@pytest.mark.parametrize("gaps", [[3, *[30] * 8], [*[10] * 6, *[60] * 6]])
def test_ends_that_still_beat_have_missed_none(gaps: list[float]) -> None:
    """One that comes early, and a pace that changes, make no other a late one."""
    talk = both_beat(gaps, b"\xff" * 16 + b"\0\x13\4").idle(20)
    assert "heartbeat-missed" not in rules(talk)
    assert "heartbeat-missed" not in rules(talk.fin(CLIENT))


def test_who_has_stopped_is_told_before_the_other_closes() -> None:
    talk = both_beat([7.0] * 20, b"\x08\0\0\0\0\0\0\xce", stops=True)
    finding = rules(talk)["heartbeat-missed"]
    assert finding.tentative
    assert "198.51.100.20" in finding.whom
    assert "heartbeat-missed" not in rules(both_beat([7.0] * 6, b"\x08\0\0\0\0\0\0\xce", stops=True).idle(1))


def test_a_rhythm_without_a_name_promises_nothing() -> None:
    talk = both_beat([7.0] * 12, b"\x17\3\3\0\x20" + b"s" * 32, stops=True)
    assert "heartbeat-missed" not in rules(talk.fin(CLIENT))


def test_one_of_another_reason_does_not_set_the_pace() -> None:
    talk = begun({})
    for gap in (5.1, *[30.0] * 6):
        say(say(talk.idle(gap), CLIENT, PING), SERVER, PONG).acknowledge(CLIENT)
    [beats] = analyzed(talk).flows[0].heartbeats
    assert beats.period_s == pytest.approx(30, rel=0.01)


def test_a_jump_of_the_clock_takes_no_time() -> None:
    talk = begun({})
    for number in range(9):
        say(say(talk.idle(2 if number != 5 else 1.7e9), CLIENT, PING), SERVER, PONG).acknowledge(CLIENT)
    assert analyzed(talk).flows[0].heartbeats


@pytest.mark.parametrize("asking", [CLIENT, SERVER])
def test_who_replies_to_no_heartbeat_is_the_one_that_hangs(asking: str) -> None:
    silent = SERVER if asking == CLIENT else CLIENT
    talk = begun({})
    for number in range(12):
        say(talk.idle(10), asking, b"\x89\0")
        if number < 7:
            say(talk, silent, b"\x8a\0")
        talk.acknowledge(asking if number < 7 else silent)
    finding = rules(talk.idle(1))["app-hung"]
    assert ("192.0.2.10" if silent == CLIENT else "198.51.100.20") in finding.whom
    assert f"behind {finding.whom.split(':')[0]}" in finding.remedy
    assert "acknowledged heartbeats (websocket) but sent no reply" in finding.summary


@pytest.mark.parametrize("payload", [b"\xff\xf1", b"\x30\6\2\1\5\x50\1\0", b"\0\0\0\0", b"\n"])
def test_heartbeats_that_want_no_reply_hang_nobody(payload: bytes) -> None:
    talk = begun({})
    for number in range(12):
        say(talk.idle(10), CLIENT, payload)
        if number < 6:
            talk.idle(1).data(SERVER, 30)
        talk.acknowledge(SERVER)
    assert analyzed(talk.idle(30)).verdicts[0] != "app_hung"


def closed_for_idling(port: int, idle: float, words: bytes = MYSQL_4031) -> Conversation:
    return say(begun({}, port).idle(idle), SERVER, words).fin(SERVER)


def test_who_says_that_a_connection_was_idle_is_believed_at_once() -> None:
    finding = rules(closed_for_idling(40_000, 23.4))["proxy-idle-close"]
    assert finding.confidence == "certain"
    assert "after 23.4 s without data, and said why (mysql: error 4031)" in finding.summary


def test_those_of_one_service_are_told_together() -> None:
    talks = [closed_for_idling(40_000 + number, 23 + number) for number in range(4)]
    finding = rules(*talks)["proxy-idle-close"]
    assert finding.streams == (0, 1, 2, 3)
    assert "closed 4 connections after 23.0 s to 26.0 s without data" in finding.summary


def test_what_comes_after_the_farewell_changes_no_silence() -> None:
    """A pool finds out at its next query that the connection has been closed."""
    talk = say(begun({}).idle(33), SERVER, MYSQL_4031).fin(SERVER).idle(40)
    talk.send(CLIENT, "PA", b"Q" * 20)
    assert "after 33.0 s without data" in rules(talk.idle(0.01).rst(SERVER))["proxy-idle-close"].summary


def test_where_nothing_came_before_no_silence_is_told() -> None:
    talk = Conversation(ports=(40_000, 5672)).established("not_captured")
    talk.send(SERVER, "PA", MYSQL_4031)
    finding = rules(talk.idle(0.1).fin(SERVER))["proxy-idle-close"]
    assert "without data" not in finding.summary


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


def test_probes_that_a_path_needs_are_not_redundant() -> None:
    """Others were forgotten by a device after a silence as long as the heartbeats' interval."""
    forgotten = []
    for number in range(3):
        talk = begun({}, 41_000 + number).idle(29 + number)
        talk.data(CLIENT, 50, acked=False)
        far = talk.sides[SERVER]
        far.host = replace(far.host, ttl=250)
        forgotten.append(talk.rst(SERVER, bare=True))
    assert "both-layers-redundant" not in rules(pinging(probes=True), *forgotten)


def test_probes_before_the_first_heartbeat_are_not_redundant() -> None:
    talk = begun({})
    for _ in range(5):
        talk.idle(60).probe(CLIENT)
    for _ in range(6):
        say(say(talk.idle(30), CLIENT, PING), SERVER, PONG).acknowledge(CLIENT)
    assert "both-layers-redundant" not in rules(talk)


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
