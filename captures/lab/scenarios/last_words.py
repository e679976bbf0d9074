"""Who owes the other a reply: hung applications, and protocols in which the last word needs none."""

import struct

import programs
from endpoints import Endpoint, Keepalive, Talk
from network import ADDRESSES
from stage import Scenario, Stage

CLIENT_ASKS = Keepalive(time=4, intvl=2, probes=3)
SERVER_ASKS = Keepalive(time=5, intvl=2, probes=4)
UPGRADE = (
    b"GET /feed HTTP/1.1\r\nHost: lab\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bGFiIGxhYiBsYWIgbGFiIQ==\r\n\r\n"
)
UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: 7d3mEsmBlAySBTgYbGmRbXmAtTc=\r\n\r\n"
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS_FRAME, PING_FRAME, ACK = 4, 6, 1
CONNECT = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03lab"
CONNACK = b"\x20\x02\x00\x00"
AMQP_END = b"\xce"


def say(sender: Endpoint, receiver: Endpoint, octets: bytes) -> None:
    """Write bytes that have a meaning, and see them arrive."""
    sender.sock.sendall(octets)
    receiver.receive(len(octets))


def frame(kind: int, flags: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame of the connection (RFC 9113 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + bytes(4) + payload


def method(numbers: tuple[int, int], arguments: bytes) -> bytes:
    """An AMQP 0-9-1 method of channel 1."""
    payload = struct.pack(">HH", *numbers) + arguments
    return struct.pack(">BHI", 1, 1, len(payload)) + payload + AMQP_END


def websocket(talk: Talk) -> None:
    """The server pings, the client pongs, masked."""
    say(talk.client, talk.server, UPGRADE)
    say(talk.server, talk.client, UPGRADED)
    say(talk.server, talk.client, b"\x89\x03lab")
    say(talk.client, talk.server, b"\x8a\x83\x01\x02\x03\x04" + bytes([ord("l") ^ 1, ord("a") ^ 2, ord("b") ^ 3]))


def http2(talk: Talk) -> None:
    """Both send settings, which the other acknowledges; the client is the last to do so."""
    say(talk.client, talk.server, PREFACE + frame(SETTINGS_FRAME, 0))
    say(talk.server, talk.client, frame(SETTINGS_FRAME, 0) + frame(SETTINGS_FRAME, ACK))
    say(talk.client, talk.server, frame(SETTINGS_FRAME, ACK))
    say(talk.server, talk.client, frame(PING_FRAME, 0, b"how are "))
    say(talk.client, talk.server, frame(PING_FRAME, ACK, b"how are "))


def mqtt(talk: Talk) -> None:
    """The client publishes with a quality of service of 0, to which nobody replies."""
    say(talk.client, talk.server, CONNECT)
    say(talk.server, talk.client, CONNACK)
    for reading in range(4):
        say(talk.client, talk.server, b"\x30\x08\x00\x03lab" + b"21%d" % reading)


def amqp(talk: Talk) -> None:
    """The broker delivers, the consumer acknowledges."""
    for tag in range(1, 4):
        say(talk.server, talk.client, method((60, 60), b"\x03lab" + struct.pack(">QBB", tag, 0, 0) + b"\x03job"))
        say(talk.client, talk.server, method((60, 80), struct.pack(">QB", tag, 0)))


def polled(stage: Stage, talk: Talk) -> None:
    """A server asks in its own time and its client replies, in a protocol that nobody knows."""
    for _ in range(4):
        stage.sleep(3)
        talk.server.send(24)
        talk.client.receive(24)
        talk.client.send(120)
        talk.server.receive(120)


def hung(talk: Talk, replied: int, request: int) -> None:
    """The server replies a few times and then no more; its kernel goes on."""
    for _ in range(replied):
        talk.exchange(request, 900)
    talk.client.send(request)
    talk.outcome("app_hung", "open")


def play(stage: Stage) -> None:
    """Nobody says anything after the first seconds."""
    hung(stage.connect(client=CLIENT_ASKS), 0, 320)
    hung(stage.connect(client=CLIENT_ASKS, family=6, server_port=7001), 2, 450)
    websocket(stage.connect(client=CLIENT_ASKS, server_port=8080))
    http2(stage.connect(client=CLIENT_ASKS, server_port=8081, family=6))
    stage.client.sysctl(ipv4__tcp_timestamps=0)
    hung(stage.connect(client=CLIENT_ASKS, server_port=7002), 5, 200)
    mqtt(stage.connect(client=CLIENT_ASKS, server_port=1883))
    amqp(stage.connect(client=SERVER_ASKS, server=SERVER_ASKS, server_port=5672, family=6))
    stage.client.sysctl(ipv4__tcp_timestamps=1)
    polled(stage, stage.connect(client=CLIENT_ASKS, server_port=7003))
    stage.until(25)


def node_http2(stage: Stage) -> None:
    """A server of Node.js pings its client, whose library acknowledges by itself."""
    script = programs.SOURCES / "http2.js"
    programs.serve(stage, 8080, "node", str(script), "serve", ADDRESSES["server", 4], "8080")
    programs.start(stage, "client", "node", str(script), "ask", ADDRESSES["server", 4], "8080")
    programs.adopt(stage, 1)
    stage.sleep(21)
    programs.note_versions(stage, ["node", "--version"])


SCENARIOS = [
    Scenario(
        name="last-words",
        title=(
            "Eight connections that fall silent after a word of the client: three applications are hung, five clients "
            "have the last word by their protocol."
        ),
        look_at=(
            "A request without a reply, the first or a later one, while the kernel answers probes. WebSocket pongs, "
            "HTTP/2 acknowledgements, MQTT messages with a quality of service of 0, AMQP acknowledgements and replies "
            "to a server that asks want none."
        ),
        play=play,
    ),
    Scenario(
        name="node-http2",
        title="An HTTP/2 server of Node.js pings its client after the last reply, and the client acknowledges.",
        look_at="The last segment with data is the client's PING with ACK, 17 bytes; nothing is owed after it.",
        play=node_http2,
        chance=["connections.0.client.port"],
    ),
]
