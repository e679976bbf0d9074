"""What ends say of heartbeats: how often they come, that they come too often, and that a connection closes without."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import only_flow

from analyzer.model.flows import Said
from analyzer.tables.heartbeats import SAID

MARKER = b"\xff" * 16
LONG_NAME = b"\0\x90" + b"n" * 144
ZOOKEEPER = b"\0\0\0\0\0\0\x75\x30\1\2\3\4\5\6\7\x08\0\0\0\x10" + b"p" * 16
ENHANCE_YOUR_CALM = b"\0\0\x16\7\0\0\0\0\0\0\0\0\x00\0\0\0\x0btoo_many_pings"
PG = b"E\0\0\0\x75SFATAL\0VFATAL\0C%s\0Mterminating connection\0Fpostgres.c\0L3407\0RProcessInterrupts\0\0"
# By whom, what it says, and of how many seconds.
SAYINGS: dict[str, tuple[str, bytes, str, str, float | None]] = {
    "mqtt 3.1.1": (CLIENT, b"\x10\x0f\0\4MQTT\4\2\0\x3c\0\3lab", "interval", "mqtt", 60),
    "mqtt 5": (CLIENT, b"\x10\x10\0\4MQTT\5\2\1\x2c\0\0\3lab", "interval", "mqtt", 300),
    "mqtt with a long name": (CLIENT, b"\x10\x9c\1\0\4MQTT\4\2\0\x0a" + LONG_NAME, "interval", "mqtt", 10),
    "mqtt 3.1": (CLIENT, b"\x10\x11\0\6MQIsdp\3\2\0\x1e\0\3lab", "interval", "mqtt", 30),
    "amqp": (CLIENT, b"\1\0\0\0\0\0\x0c\0\x0a\0\x1f\x07\xff\0\2\0\0\0\x06\xce", "interval", "amqp", 6),
    "amqp, with what follows": (
        CLIENT,
        b"\1\0\0\0\0\0\x0c\0\x0a\0\x1f\x07\xff\0\2\0\0\0\x3c\xce\1\0\0\0\0\0\x08\0\x0a\0\x28\1/\0\0\xce",
        "interval",
        "amqp",
        60,
    ),
    "rabbitmq-stream": (SERVER, b"\0\0\0\x0c\0\x14\0\1\0\x10\0\0\0\0\0\x1e", "interval", "rabbitmq-stream", 30),
    "bgp": (CLIENT, MARKER + b"\0\x1d\1\4\xfd\xe8\0\xb4\xc0\0\2\1\0", "interval", "bgp", 180),
    "ldp": (
        SERVER,
        b"\0\1\0\x20\xc0\0\2\1\0\0\2\0\0\x16\0\0\0\1\5\0\0\x0e\0\1\0\x28\0\0\0\0\xc0\0\2\2\0\0",
        "interval",
        "ldp",
        40,
    ),
    "zookeeper": (SERVER, b"\0\0\0\x24" + ZOOKEEPER, "interval", "zookeeper", 30),
    "grpc": (SERVER, ENHANCE_YOUR_CALM, "too_often", "http2", None),
    "websocket": (SERVER, b"\x88\x18\3\xf3keepalive ping timeout", "missed", "websocket", None),
    "mqtt 5 disconnect": (SERVER, b"\xe0\1\x8d", "missed", "mqtt", None),
    "bgp notification": (SERVER, MARKER + b"\0\x15\3\4\0", "missed", "bgp", None),
    "nats": (SERVER, b"-ERR 'Stale Connection'\r\n", "missed", "nats", None),
    "irc": (
        SERVER,
        b"ERROR :Closing link: (lab@192.0.2.10) [Ping timeout: 121 seconds]\r\n",
        "missed",
        "irc",
        None,
    ),
    "websocket, closed": (CLIENT, b"\x88\x82abcd\x62\x8b", "closing", "websocket", None),
    "websocket, going away": (SERVER, b"\x88\x02\3\xe9", "closing", "websocket", None),
    "amqp, closed": (
        SERVER,
        b"\1\0\0\0\0\0\x15\0\x0a\0\x32\1\x40\x0aSHUT DOWN!\0\0\0\0\xce",
        "closing",
        "amqp",
        None,
    ),
    "mqtt, closed": (CLIENT, b"\xe0\0", "closing", "mqtt", None),
    "mqtt, refused": (SERVER, b"\x20\2\0\5", "closing", "mqtt", None),
    "mqtt 5, shut down": (SERVER, b"\xe0\1\x8b", "closing", "mqtt", None),
    "bgp, cease": (SERVER, MARKER + b"\0\x15\3\6\2", "closing", "bgp", None),
    "mqtt 5, the broker's own": (SERVER, b"\x20\6\0\0\3\x13\0\x1e", "interval", "mqtt", 30),
    "mqtt 5, behind another": (
        SERVER,
        b"\x20\x0b\0\0\x08\x11\0\0\0\x3c\x13\0\x1e",
        "interval",
        "mqtt",
        30,
    ),
    "mysql": (
        SERVER,
        b"\x91\0\0\0\xff\xbf\x0f#HY000The client was disconnected by the server because of inactivity. See "
        b"wait_timeout and interactive_timeout for configuring this behavior.",
        "idle",
        "mysql",
        None,
    ),
    "postgresql, idle": (SERVER, PG % b"57P05", "idle", "postgresql", None),
    "postgresql, in a transaction": (SERVER, PG % b"25P03", "idle", "postgresql", None),
    "grpc, idle": (SERVER, b"\0\0\x10\7" + bytes(9) + bytes(4) + b"max_idle", "idle", "http2", None),
    "dovecot": (SERVER, b"* BYE Disconnected for inactivity.\r\n", "idle", "imap", None),
    "imap": (SERVER, b"* BYE Autologout; idle for too long\r\n", "idle", "imap", None),
    "smtp": (SERVER, b"421 4.4.2 mail.example.net Error: timeout exceeded\r\n", "idle", "smtp", None),
}
# As much, of another matter.
OTHER = {
    "mqtt, another protocol": b"\x10\x0f\0\4MQXX\4\2\0\x3c\0\3lab",
    "amqp, the server's offer": b"\1\0\0\0\0\0\x0c\0\x0a\0\x1e\x07\xff\0\2\0\0\0\x3c\xce",
    "websocket, a length that is not its own": b"\x88\x07\3\xe9",
    "mqtt, not refused": b"\x20\2\0\0",
    "mqtt, what begins as a DISCONNECT": b"\xe0\1\2\3\4\5",
    "mysql, another error": b"\x91\0\0\0\xff\xbe\x0f" + b"x" * 142,
    "postgresql, shut down": PG % b"57P01",
    "grpc, of age": b"\0\0\x0f\7" + bytes(9) + bytes(4) + b"max_age",
    "smtp, shut down": b"421 4.3.2 mail.example.net service not available\r\n",
    "imap, logout": b"* BYE Logging out\r\n",
}


def told(sender: str, payload: bytes) -> tuple[Said, ...]:
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 300).idle(3)
    talk.send(sender, "PA", payload)
    return only_flow(talk.idle(0.1)).said


@pytest.mark.parametrize("name", SAYINGS)
def test_what_is_said_is_known_by_its_octets(name: str) -> None:
    sender, payload, what, protocol, seconds = SAYINGS[name]
    [one] = told(sender, payload)
    assert (one.by, one.what, one.protocol, one.seconds, one.frame) == (sender, what, protocol, seconds, 8)


def test_each_saying_has_a_test() -> None:
    known = {one.words for sender, payload, *_ in SAYINGS.values() for one in told(sender, payload)}
    assert known == {one.words for one in SAID}


@pytest.mark.parametrize("name", ["mysql", "smtp", "irc", "postgresql, idle", "zookeeper"])
def test_what_a_client_writes_is_no_word_of_its_server(name: str) -> None:
    assert told(CLIENT, SAYINGS[name][1]) == ()


def test_when_data_had_passed_before_is_known() -> None:
    [one] = told(*SAYINGS["mysql"][:2])
    assert one.silence is not None
    assert 3.0 < one.silence / 1e9 < 3.1


@pytest.mark.parametrize("name", OTHER)
def test_what_is_like_it_says_nothing_of_heartbeats(name: str) -> None:
    assert told(SERVER, OTHER[name]) == ()


def test_too_many_pings_are_told_behind_a_reply() -> None:
    pong = b"\0\0\x08\6\1\0\0\0\0abcdefgh"
    [one] = told(SERVER, pong + ENHANCE_YOUR_CALM)
    assert one.what == "too_often"
