"""Heartbeats of applications: by their bytes, or by their rhythm alone."""

from __future__ import annotations

from random import Random

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed, flows, only_flow

from analyzer.model.flows import Heartbeat

HTTP2 = b"\0\0\x08\6%c\0\0\0\0abcdefgh"
WINDOW_UPDATE = b"\0\0\4\x08\0\0\0\0%c\0\0\0\7"
SETTINGS_ACK = b"\0\0\0\4\1\0\0\0\0"
SMB2 = b"\0\0\0\x44\xfeSMB\x40\0\1\0\0\0\0\0\x0d\0\1\0%c\0\0\0" + b"\0" * 44 + b"\4\0\0\0"
ISCSI = b"%c\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7\xff\xff\xff\xff" + b"\0\0\0\1" * 6
BITCOIN = b"\xf9\xbe\xb4\xd9p%cng\0\0\0\0\0\0\0\0\x08\0\0\0abcdNONCE123"
RTMP = b"\2\0\0\0\0\0\6\4\0\0\0\0\0%c\0\1\2\3"
DIAMETER = b"\1\0\0\x4c%c\0\1\x18\0\0\0\0" + b"\1\2\3\4" * 16
PAIRS = {
    "websocket": (b"\x89\x00", b"\x8a\x80\1\2\3\4"),
    "http2": (HTTP2 % 0, HTTP2 % 1),
    "redis": (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    "mqtt": (b"\xc0\0", b"\xd0\0"),
    "nats": (b"PING\r\n", b"PONG\r\n"),
    "irc": (b"PING :irc.example.net\r\n", b"PONG :irc.example.net\r\n"),
    "mysql": (b"\1\0\0\0\x0e", b"\7\0\0\1\0\0\0\2\0\0\0"),
    "postgresql": (b"Q\0\0\0\rSELECT 1\0", b"T" * 60),
    "cassandra": (b"\4\0\0\1\5\0\0\0\0", b"\x84\0\0\1\6" + b"x" * 40),
    "zookeeper": (b"\0\0\0\x08\xff\xff\xff\xfe\0\0\0\x0b", b"\0" * 20),
    "smpp": (b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\7", b"\0\0\0\x10\x80\0\0\x15\0\0\0\0\0\0\0\7"),
    "iec104": (b"\x68\4\x43\0\0\0", b"\x68\4\x83\0\0\0"),
    "dnp3": (b"\5\x64\5\xc9\1\0\2\0\xaa\xbb", b"\5\x64\5\x0b\2\0\1\0\xaa\xbb"),
    "diameter": (DIAMETER % 0x80, DIAMETER % 0),
    "xmpp": (b"<iq type='get' id='7'><ping xmlns='urn:xmpp:ping'/></iq>", b"<iq type='result' id='7'/>"),
    "smb": (SMB2 % 0, SMB2 % 1),
    "iscsi": (ISCSI % 0x40, ISCSI % 0x20),
    "rtmp": (RTMP % 6, RTMP % 7),
    "rtsp": (
        b"GET_PARAMETER rtsp://198.51.100.20/1 RTSP/1.0\r\nCSeq: 7\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 7\r\n\r\n",
    ),
    "oracle": (b"\0\x0a\0\0\6\0\0\0\0\0", b"\0\x0a\0\0\6\0\0\0\0\1"),
    "telnet": (b"\xff\xf6", b"[Yes]\r\n"),
    "bitcoin": (BITCOIN % b"i", BITCOIN % b"o"),
    "socket.io": (b"\x81\1" + b"2", b"\x81\x81\1\2\3\4\x32"),
}
ONE_WAY = {
    "amqp": b"\x08\0\0\0\0\0\0\xce",
    "rabbitmq-stream": b"\0\0\0\4\0\x17\0\1",
    "bgp": b"\xff" * 16 + b"\0\x13\4",
    "ldp": b"\0\1\0\x0e\x0a\0\0\1\0\0\2\1\0\4\0\0\0\7",
    "fix": b"8=FIXT.1.1\0019=105\00135=0\00149=CLIENT\00156=SERVER\00134=7\00110=128\001",
    "ldap": b"\x30\6\2\1\5\x50\1\0",
    "netbios": b"\x85\0\0\0",
    "postgresql": b"d\0\0\0\x26r" + b"\1" * 33,
    "telnet": b"\xff\xf1",
    "signalr": b'\x81\x0b{"type":6}\x1e',
    "sse": b"3\r\n:\n\n\r\n",
}
# Bytes that say little: they are heartbeats at an even pace alone.
LITTLE = {
    "stomp": b"\n",
    "xmpp": b" ",
    "sip": b"\r\n\r\n",
    "erlang": b"\0\0\0\0",
    "kafka": b"\0\0\0\x2e\0\x0c\0\4\0\0\0\7\0\4rack" + b"g" * 30,
    "noop": b"NOOP\r\n",
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


@pytest.mark.parametrize("before", [WINDOW_UPDATE % 0, WINDOW_UPDATE % 1 + WINDOW_UPDATE % 0, SETTINGS_ACK, HTTP2 % 1])
@pytest.mark.parametrize("behind", [b"", WINDOW_UPDATE % 0, HTTP2 % 1 + SETTINGS_ACK])
def test_pings_of_http2_come_with_other_frames(before: bytes, behind: bytes) -> None:
    ping, pong = PAIRS["http2"]
    heartbeat = only_heartbeat(beats(before + ping + behind, before + pong + behind))
    assert (heartbeat.protocol, heartbeat.sent, heartbeat.answered) == ("http2", 4, 4)
    assert heartbeat.sender == CLIENT


@pytest.mark.parametrize(
    "payload",
    [
        WINDOW_UPDATE % 1 + WINDOW_UPDATE % 0,
        HTTP2 % 1 + WINDOW_UPDATE % 0,
        WINDOW_UPDATE % 0 + b"\0\0\x08\6\0\0\0\0\0\2\4\x10\x10\x09\x0e\7\7",  # bandwidth, as grpc-go measures it
        WINDOW_UPDATE % 0 + HTTP2 % 0 + b"\0",
        WINDOW_UPDATE % 0 + (HTTP2 % 0)[:-1],
        HTTP2 % 0 + b"\0\0\1\0\0\0\0\0\1x",  # DATA: a message
    ],
)
def test_what_of_http2_is_no_ping(payload: bytes) -> None:
    assert all(beat.protocol != "http2" for beat in only_flow(beats(payload, b"?" * 200)).heartbeats)


@pytest.mark.parametrize("protocol", ONE_WAY)
def test_some_protocols_expect_no_answer(protocol: str) -> None:
    heartbeat = only_heartbeat(beats(ONE_WAY[protocol], None))
    assert (heartbeat.protocol, heartbeat.sent, heartbeat.answered) == (protocol, 4, 0)


@pytest.mark.parametrize("protocol", LITTLE)
def test_what_says_little_is_a_heartbeat_at_an_even_pace(protocol: str) -> None:
    heartbeat = only_heartbeat(beats(LITTLE[protocol], None, count=6))
    assert (heartbeat.protocol, heartbeat.sent, heartbeat.answered) == (protocol, 6, 0)
    assert only_flow(beats(LITTLE[protocol], None, count=4)).heartbeats == ()


@pytest.mark.parametrize("protocol", LITTLE)
def test_the_same_length_with_other_bytes_has_no_name(protocol: str) -> None:
    payload = LITTLE[protocol]
    talk = beats(payload, None, count=5)
    talk.idle(20)
    say(talk, CLIENT, bytes([payload[0] ^ 0x55]) + payload[1:])
    talk.acknowledge(SERVER)
    assert only_heartbeat(talk).protocol == "periodic"


def test_four_zeros_are_also_those_of_a_swarm() -> None:
    talk = Conversation(ports=(40_000, 6881)).handshake().data(CLIENT, 100).data(SERVER, 300)
    for _ in range(6):
        talk.idle(110)
        say(talk, CLIENT, LITTLE["erlang"])
        talk.acknowledge(SERVER)
    assert only_heartbeat(talk).protocol == "bittorrent"


def record(octets: int) -> bytes:
    """A record of TLS with so many encrypted bytes, as RFC 8446 has them: type and tag included."""
    return b"\x17\3\3" + (octets + 17).to_bytes(2) + b"?" * (octets + 17)


@pytest.mark.parametrize(
    ("port", "payload", "reply", "guess"),
    [
        (443, record(17), record(17), "http2"),
        (443, record(2), record(6), "websocket"),
        (443, record(3), record(7), "socket.io"),
        (8883, record(2), record(2), "mqtt"),
        (443, record(2), record(2), ""),
        (443, record(33), record(33), ""),
        (7000, b"?" * 39, b"?" * 39, ""),
        (22, b"?" * 52, b"?" * 28, "ssh"),
        (2022, b"?" * 68, b"?" * 52, "ssh"),
        (22, b"?" * 52, b"?" * 32, ""),
        (7000, b"?" * 52, b"?" * 28, ""),
    ],
)
def test_sizes_of_what_is_encrypted_are_a_guess(port: int, payload: bytes, reply: bytes, guess: str) -> None:
    talk = Conversation(ports=(40_000, port)).handshake().data(CLIENT, 700).data(SERVER, 900)
    for _ in range(7):
        talk.idle(11)
        say(talk, CLIENT, payload)
        say(talk, SERVER, reply)
        talk.acknowledge(CLIENT)
    heartbeat = only_heartbeat(talk)
    assert (heartbeat.protocol, heartbeat.guess, heartbeat.answered) == ("periodic", guess, 7)
    assert heartbeat.name == (f"{guess}?" if guess else "periodic")


@pytest.mark.parametrize(("octets", "found"), [(6, 1), (17, 1), (27, 0)])
def test_a_servers_short_records_are_no_replies_to_what_was_not_answered(octets: int, found: int) -> None:
    """A client that asks and waits is replied to in HTTP, whose shortest reply is longer."""
    talk = Conversation(ports=(40_000, 443)).handshake().data(CLIENT, 700).data(SERVER, 900)
    say(talk.idle(0.01), CLIENT, record(11))
    for _ in range(7):
        say(talk.idle(2.9), SERVER, record(octets))
        say(talk, CLIENT, record(octets + 4))
        talk.acknowledge(SERVER)
    assert [(beat.sender, beat.sent, beat.answered) for beat in only_flow(talk).heartbeats] == found * [(SERVER, 7, 7)]


def test_a_primary_that_wants_a_reply_is_answered_by_a_status() -> None:
    status, keepalive = ONE_WAY["postgresql"], b"d\0\0\0\x16k" + b"\1" * 16
    wanted, unasked = (only_flow(beats(keepalive + end, status, sender=SERVER)).heartbeats for end in (b"\1", b"\0"))
    assert [(beat.sender, beat.sent, beat.answered) for beat in wanted] == [(CLIENT, 4, 0), (SERVER, 4, 4)]
    assert [(beat.sender, beat.sent, beat.answered) for beat in unasked] == [(CLIENT, 4, 0), (SERVER, 4, 0)]


def test_lower_case_asks_the_same() -> None:
    ping, reply = PAIRS["postgresql"]
    assert only_heartbeat(beats(ping.lower().replace(b"q", b"Q"), reply)).protocol == "postgresql"


@pytest.mark.parametrize("opaque", [b"\2\4\x10\x10\x09\x0e\7\7", b"\0\0\0\0\0\0\4\xd2"])
def test_what_measures_bandwidth_is_no_heartbeat(opaque: bytes) -> None:
    ping = b"\0\0\x08\6%c\0\0\0\0" + opaque
    assert only_flow(beats(ping % 0, ping % 1)).heartbeats == ()


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


def closed_after(silence: float, *, by: str = SERVER, farewell: bool = False) -> list[str]:
    """The confidence of heartbeat-missed where the client's PINGREQs end, and an end closes so long after the last."""
    talk = beats(*PAIRS["mqtt"], every=20)
    if farewell:
        say(talk.idle(3), CLIENT, b"\xe0\0")
    talk.idle(silence).fin(by)
    return [one.confidence for one in analyzed(talk).findings if one.rule == "heartbeat-missed"]


def test_who_stops_sending_heartbeats_is_closed() -> None:
    """MQTT 3.1.1 3.1.2.10: the broker waits for one and a half intervals."""
    assert closed_after(30) == ["likely"]
    assert closed_after(70) == ["likely"]
    assert closed_after(300) == []


def test_who_is_closed_between_two_heartbeats_has_missed_none() -> None:
    assert closed_after(7) == closed_after(21) == []
    assert closed_after(30, by=CLIENT) == []
    assert closed_after(10, farewell=True) == []


def test_data_stands_for_heartbeats() -> None:
    """AMQP 0-9-1 4.2.7: any octet does. Nobody has stopped, and nobody is to blame."""
    talk = Conversation(ports=(40_000, 5672)).handshake().data(CLIENT, 100).data(SERVER, 300)
    for _ in range(6):
        for sender in (CLIENT, SERVER):
            say(talk.idle(15), sender, ONE_WAY["amqp"])
    for _ in range(8):
        for _ in range(6):
            talk.idle(5).data(CLIENT, 500)
        say(talk, SERVER, ONE_WAY["amqp"])
    assert [one.rule for one in analyzed(talk).findings] == []


def test_a_host_that_has_gone_is_no_blocked_application() -> None:
    talk = beats(*PAIRS["mqtt"]).idle(31).fin(SERVER, acked=False, arrives=False, captured=True)
    rules = [one.rule for one in analyzed(talk.retransmissions(SERVER, 7)).findings]
    assert "heartbeat-missed" not in rules
    assert "retransmission-timeout" in rules


@pytest.mark.parametrize("query", [PAIRS["mysql"], PAIRS["postgresql"]])
def test_what_is_asked_before_each_use_is_no_heartbeat(query: tuple[bytes, bytes]) -> None:
    talk = Conversation(ports=(40_000, 3306)).handshake().data(CLIENT, 100).data(SERVER, 300)
    for pause in (3, 7.5, 4, 11, 6, 9, 3.3):
        talk.idle(pause)
        say(talk, CLIENT, query[0])
        say(talk, SERVER, query[1])
        talk.data(CLIENT, 90).data(SERVER, 400)
    assert only_flow(talk).heartbeats == ()


@pytest.mark.parametrize("protocol", ["mqtt", "unknown"])
@pytest.mark.parametrize("jitter", [0.0, 0.05, 0.15])
def test_the_period_is_the_mean_of_uneven_ones(protocol: str, jitter: float) -> None:
    rng = Random(f"{protocol} {jitter}")
    payload, reply = PAIRS.get(protocol, (b"?" * 30, b"!" * 30))
    gaps = [20 * (1 + rng.uniform(-jitter, jitter)) for _ in range(60)]
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 300)
    sent = []
    for gap in gaps:
        talk.idle(gap)
        sent.append(talk.now / 1e9)
        say(talk, CLIENT, payload)
        say(talk, SERVER, reply)
        talk.acknowledge(CLIENT)
    assert only_heartbeat(talk).period_s == pytest.approx((sent[-1] - sent[0]) / 59, rel=0.02)


def test_the_period_is_the_mean_of_all_though_few_are_logged() -> None:
    """Both ends send them, and one is late."""
    ping, pong = PAIRS["websocket"]
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 300)
    for number in range(16):
        for sender, other in ((CLIENT, SERVER), (SERVER, CLIENT)):
            talk.idle(12 if number == 9 else 10)
            say(talk, sender, ping)
            say(talk, other, pong)
            talk.acknowledge(sender)
    for heartbeat in only_flow(talk).heartbeats:
        assert heartbeat.period_s == pytest.approx(20.25, rel=0.01)


@pytest.mark.parametrize("ack_first", [False, True])
def test_a_reply_that_is_captured_when_it_is_sent_again_counts(ack_first: bool) -> None:
    """A pure ACK beyond it, to a heartbeat that was sent again, does not make it an old one."""
    talk = beats(*PAIRS["mqtt"])
    say(talk.idle(20), CLIENT, PAIRS["mqtt"][0])
    talk.send(SERVER, "PA", PAIRS["mqtt"][1], captured=False, arrives=False)
    talk.idle(0.2)
    if ack_first:
        talk.acknowledge(SERVER)
    talk.idle(0.1).resend(SERVER, captured=True)
    flow = only_flow(talk.idle(20))
    assert [(beat.sent, beat.answered) for beat in flow.heartbeats] == [(5, 5)]
    assert flow.verdict == "healthy"
